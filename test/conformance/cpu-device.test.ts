/** What the cpu device promises beyond right logits: failures, restarts, drafts, overlap. */
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RealClock } from "../../device/clocks/real.ts";
import { CpuDevice, createCpuDevice } from "../../device/cpu/device.ts";
import type { Sampled, Sampler, StepResult } from "../../device/device.ts";
import { PENDING_TOKEN } from "../../device/device.ts";
import type { DeviceSettings } from "../../device/settings.ts";
import { MemoryTrace } from "../../device/trace.ts";
import {
  argmax,
  blockRange,
  decode,
  execute,
  RecordingSampler,
  row,
} from "../support/device-driver.ts";
import type { RandomModel } from "../support/random-model.ts";
import { QWEN_LIKE, randomModel } from "../support/random-model.ts";

let made: RandomModel;
let sampler: RecordingSampler;
const open: CpuDevice[] = [];

beforeEach(() => {
  made = randomModel(QWEN_LIKE);
  sampler = new RecordingSampler();
});
afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
  made.remove();
});

async function create(settings: Partial<DeviceSettings> = {}): Promise<CpuDevice> {
  const device = await createCpuDevice({
    model: made.model,
    clock: new RealClock(),
    sampler,
    tensorParallelSize: 1,
    blockSize: 16,
    blocks: 64,
    seed: 0,
    own: {},
    ...settings,
  });
  if (!(device instanceof CpuDevice)) throw new Error("another device");
  open.push(device);
  return device;
}

const PROMPT = [5, 17, 80, 3, 201, 44, 9];
const BLOCKS = blockRange(0, 4);

function succeeded(result: StepResult): ReadonlyMap<number, Sampled> {
  if (!result.ok) throw result.error;
  return result.sampled;
}

describe("loading", () => {
  it("refuses heads that the ranks cannot divide, in vLLM's words", async () => {
    await expect(create({ tensorParallelSize: 4 })).rejects.toThrow(
      "Total number of attention heads (6) must be divisible by tensor parallel size (4).",
    );
  });

  it("names a missing tensor", async () => {
    const tensors = new Map(made.model.checkpoint?.tensors);
    tensors.delete("model.layers.1.mlp.up_proj.weight");
    const checkpoint = { folder: made.model.source, tensors, bytes: 0 };
    const broken = create({ model: { ...made.model, checkpoint } });
    await expect(broken).rejects.toThrow("model.layers.1.mlp.up_proj.weight");
  });

  it("refuses a model without weights, an unknown quantization and an odd block size", async () => {
    const { checkpoint: _, ...config } = made.model;
    await expect(create({ model: config })).rejects.toThrow("needs weights");
    await expect(create({ quantization: "fp8" })).rejects.toThrow('no quantization "fp8"');
    await expect(create({ blockSize: 6 })).rejects.toThrow("multiple of 4");
  });
});

describe("failures", () => {
  it("answers a bad batch with an error and goes on", async () => {
    const device = await create();
    const outside = await execute(device, [row(0, [301], { blocks: BLOCKS })]);
    expect(outside).toMatchObject({ ok: false });
    const beyond = await execute(device, [row(0, PROMPT, { blocks: [64] })]);
    expect(beyond).toMatchObject({ ok: false });
    const short = await execute(device, [row(0, Array(17).fill(1), { blocks: [0] })]);
    expect(short).toMatchObject({ ok: false });
    expect((await execute(device, [row(0, PROMPT, { blocks: BLOCKS })])).ok).toBe(true);
  });

  it.each([1, 2])("a rank of %i that throws fails the step and keeps its cache", async (ranks) => {
    const device = await create({ tensorParallelSize: ranks, quantization: "int8" });
    await execute(device, [row(0, PROMPT, { blocks: BLOCKS })]);
    const first = sampler.logits.get(0)?.[0];
    // The ranks read the embedding table from the file, which is cut short for a while.
    const file = join(made.model.source, "weights.bin");
    const weights = readFileSync(file);
    truncateSync(file, 16);
    const bad = await execute(device, [row(1, PROMPT, { blocks: blockRange(8, 4) })]);
    expect(bad).toMatchObject({ ok: false });
    expect(bad).toHaveProperty("error.message", expect.stringContaining("truncated"));
    expect(bad).not.toHaveProperty("kvLost");
    writeFileSync(file, weights);
    await execute(device, [row(0, PROMPT, { start: PROMPT.length - 1, blocks: BLOCKS })]);
    expect(sampler.logits.get(0)?.[1]).toEqual(first);
  });

  it.each([1, 2])(
    "a rank of %i that ends is started anew, and the cache is said to be lost",
    async (ranks) => {
      const device = await create({ tensorParallelSize: ranks });
      await execute(device, [row(0, PROMPT, { blocks: BLOCKS })]);
      const pending = execute(device, [row(1, Array(900).fill(7), { blocks: blockRange(0, 60) })]);
      await device.ranks.ready();
      void device.ranks.threads[ranks - 1]?.terminate();
      expect(await pending).toMatchObject({ ok: false, kvLost: true });
      // Idle this time: the next step says so.
      await device.ranks.ready();
      await device.ranks.threads[0]?.terminate();
      const next = await execute(device, [row(0, PROMPT, { start: 6, blocks: BLOCKS })]);
      expect(next).toMatchObject({ ok: false, kvLost: true });
      await execute(device, [row(0, PROMPT, { blocks: BLOCKS })]);
      const [before, after] = sampler.logits.get(0) ?? [];
      expect(after).toEqual(before);
    },
  );

  it.each([1, 2])("replaces a rank of %i that hangs, and works again", async (ranks) => {
    const device = await create({ own: { "step-timeout": 2 }, tensorParallelSize: ranks });
    await execute(device, [row(0, PROMPT, { blocks: BLOCKS })]);
    device.ranks.inject(ranks - 1, "hang");
    const hung = await execute(device, [row(1, PROMPT, { blocks: BLOCKS })]);
    expect(hung).toMatchObject({ ok: false, kvLost: true });
    expect(hung).toHaveProperty("error.message", expect.stringContaining("2000 ms"));
    await execute(device, [row(0, PROMPT, { blocks: BLOCKS })]);
    const [before, after] = sampler.logits.get(0) ?? [];
    expect(after).toEqual(before);
  });
});

describe("drafts", () => {
  it.each([1, 2])("are the greedy ids, on %i rank(s)", async (tensorParallelSize) => {
    const device = await create({ tensorParallelSize });
    const plain = [
      { id: 0, tokens: [...PROMPT], blocks: BLOCKS },
      { id: 1, tokens: [9, 8, 7], blocks: blockRange(4, 4) },
    ];
    await decode(device, plain, 5);
    const rows = [
      row(2, PROMPT, { blocks: blockRange(8, 4) }),
      row(3, [9, 8, 7], { blocks: blockRange(12, 4) }),
    ];
    const drafts = await new Promise<ReadonlyMap<number, readonly number[]>>((resolve) =>
      device.draft(rows, 5, resolve),
    );
    expect(drafts.get(2)).toEqual(plain[0]?.tokens.slice(PROMPT.length));
    expect(drafts.get(3)).toEqual(plain[1]?.tokens.slice(3));
  });

  it("end where the blocks end", async () => {
    const device = await create({ blockSize: 8 });
    const drafts = await new Promise<ReadonlyMap<number, readonly number[]>>((resolve) =>
      device.draft([row(0, PROMPT, { blocks: [0] })], 5, resolve),
    );
    // Seven known ids; the eighth slot is computed and yields one more.
    expect(drafts.get(0)).toHaveLength(2);
  });
});

describe("results", () => {
  it("verifies drafts as it samples them one by one", async () => {
    const device = await create();
    const sequence = { id: 0, tokens: [...PROMPT], blocks: BLOCKS };
    await decode(device, [sequence], 4);
    const one = sampler.logits.get(0) ?? [];
    const drafted = row(1, sequence.tokens.slice(0, -1), { drafted: 3, blocks: blockRange(8, 4) });
    succeeded(await execute(device, [drafted]));
    const together = sampler.logits.get(1)?.[0] ?? new Float32Array(0);
    one.forEach((logits, place) => {
      expect(together.subarray(place * 301, (place + 1) * 301)).toEqual(logits);
    });
  });

  it("gives prompt positions 64 at a time, then samples the end", async () => {
    const device = await create();
    const tokens = Array.from({ length: 150 }, (_, i) => (i * 37) % 301);
    const sampled = succeeded(
      await execute(device, [row(0, tokens, { want: "all", blocks: blockRange(0, 10) })]),
    );
    const pieces = sampler.promptLogits.get(0) ?? [];
    expect(pieces.map((piece) => piece.length / 301)).toEqual([64, 64, 21]);
    expect(sampled.get(0)?.tokens).toHaveLength(1);
    expect(sampled.get(0)?.prompt).toHaveLength(3);
    // Position 100 in a chunk that ends there has the same logits.
    await execute(device, [row(1, tokens.slice(0, 101), { blocks: blockRange(20, 10) })]);
    expect(pieces[1]?.subarray(36 * 301, 37 * 301)).toEqual(sampler.logits.get(1)?.[0]);
  });

  it("gives the hidden state whose product with the head is the logits", async () => {
    const device = await create();
    const result = await execute(device, [
      row(0, PROMPT, { want: "hidden", blocks: BLOCKS }),
      row(1, PROMPT, { blocks: blockRange(8, 4) }),
    ]);
    if (!result.ok) throw result.error;
    const hidden = result.hidden?.get(0);
    expect(hidden).toHaveLength(96);
    expect(result.sampled.has(0)).toBe(false);
    expect(Math.max(...(hidden ?? []).map(Math.abs))).toBeGreaterThan(0.1);
  });

  it("runs rows in windows when more than 64 are sampled", async () => {
    const device = await create({ blocks: 200 });
    const rows = Array.from({ length: 150 }, (_, id) => row(id, [id + 1], { blocks: [id] }));
    const sampled = succeeded(await execute(device, rows));
    expect(sampled.size).toBe(150);
    const alone = succeeded(await execute(device, [row(200, [150], { blocks: [0] })]));
    expect(sampled.get(149)?.tokens).toEqual(alone.get(200)?.tokens);
  });
});

it.each([1, 2])(
  "chooses the likeliest id on %d ranks where nothing else is asked",
  async (ranks) => {
    const rows = [row(0, PROMPT, { blocks: BLOCKS }), row(1, [9, 8], { blocks: blockRange(4, 1) })];
    const seen = succeeded(await execute(await create({ tensorParallelSize: ranks }), rows));
    let asked: readonly number[] = [];
    const plain: Sampler = {
      prompt: () => [],
      greedy: (id) => id === 0 || !asked.includes(id),
      sample: ({ id }, logits) => {
        asked = [...asked, id, logits.length];
        return { tokens: [0], accepted: 0 };
      },
    };
    const device = await create({ sampler: plain, tensorParallelSize: ranks });
    expect(succeeded(await execute(device, rows))).toEqual(seen);
    expect(asked).toEqual([]);
    // Among rows of which one wants its logits all have theirs.
    asked = [1];
    await execute(device, rows);
    const { vocab_size } = QWEN_LIKE;
    expect(asked).toEqual([1, 0, vocab_size, 1, vocab_size]);
  },
);

it("puts the id just sampled where a queued step waits for it", async () => {
  const device = await create();
  expect(device.limits.inFlight).toBe(2);
  const plain = { id: 0, tokens: [...PROMPT], blocks: BLOCKS };
  await decode(device, [plain], 3);
  const blocks = blockRange(8, 4);
  const steps = [
    row(1, PROMPT, { blocks }),
    row(1, [...PROMPT, PENDING_TOKEN], { start: 7, blocks }),
    row(1, [...PROMPT, plain.tokens[7] ?? 0, PENDING_TOKEN], { start: 8, blocks }),
  ];
  const pending = Promise.all(steps.map((step) => execute(device, [step])));
  // Over already, though steps with it are queued: they end as they would.
  device.release([1]);
  const results = await pending;
  const ids = results.flatMap((result) => [...(succeeded(result).get(1)?.tokens ?? [])]);
  expect(ids).toEqual(plain.tokens.slice(7));
  expect(argmax(sampler.logits.get(1)?.[2] ?? new Float32Array(1))).toBe(plain.tokens[9]);
});

it("records a span for each step", async () => {
  const trace = new MemoryTrace();
  const device = await create({ trace });
  await execute(device, [row(0, PROMPT, { blocks: BLOCKS })]);
  expect(trace.spans).toMatchObject([{ lane: "cpu", name: "step", args: { rows: 1 } }]);
  expect(trace.spans[0]?.duration).toBeGreaterThan(0);
});

it("fails the steps queued behind a failed one", async () => {
  const device = await create({ inFlight: 2 });
  const bad = execute(device, [row(0, [999], { blocks: BLOCKS })]);
  const behind = execute(device, [row(0, [999, PENDING_TOKEN], { start: 1, blocks: BLOCKS })]);
  expect(await bad).toMatchObject({ ok: false });
  expect(await behind).toMatchObject({ ok: false });
});
