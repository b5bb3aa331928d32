/**
 * Batch invariance of the cpu device: a request's logits are the same bits alone
 * or among others, in any chunks, with its prefix computed or found in the cache.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { RealClock } from "../../device/clocks/real.ts";
import { createCpuDevice } from "../../device/cpu/device.ts";
import type { BatchRow, Device } from "../../device/device.ts";
import type { Checkpoint, Model, StoredTensor } from "../../models/model.ts";
import { blockRange, execute, RecordingSampler, row } from "../support/device-driver.ts";
import type { RandomModel } from "../support/random-model.ts";
import {
  DEEPSEEK_LIKE,
  MISTRAL_LIKE,
  QWEN_LIKE,
  randomModel,
  seeded,
} from "../support/random-model.ts";

const BLOCK = 16;
const DECODED = 3;

interface Request {
  readonly id: number;
  readonly prompt: readonly number[];
  readonly blocks: readonly number[];
}

/** The method that W8A8 folders name. */
const W8A8 = "compressed-tensors";

/** Products' weights as W8A8 folders hold them, codes and a scale a row; the tied head stays F32. */
function published(model: Model): Model {
  const { folder, tensors, bytes } = model.checkpoint as Checkpoint; // random models have one
  const random = seeded(2);
  const file = "int8.bin";
  const parts: Uint8Array[] = [];
  let end = 0;
  const lay = (name: string, dtype: string, shape: readonly number[], part: Uint8Array) => {
    parts.push(part);
    const begin = end;
    end += part.length;
    return { name, file, dtype, shape, begin, end };
  };
  const packed = [...tensors].map(([name, tensor]): [string, StoredTensor] => {
    const [rows = 0, width] = tensor.shape;
    if (width === undefined || name.includes("embed")) return [name, tensor];
    const even = new Float32Array(rows).fill(2 / Math.sqrt(width) / 127);
    const scales = lay(`${name}_scale`, "F32", [rows, 1], new Uint8Array(even.buffer));
    const codes = Uint8Array.from({ length: rows * width }, () => 255 * random() - 127);
    const packing = { kind: "int8", scales } as const;
    return [name, { ...lay(name, "I8", tensor.shape, codes), packing }];
  });
  writeFileSync(join(folder, file), Buffer.concat(parts));
  return { ...model, checkpoint: { folder, tensors: new Map(packed), bytes: bytes + end } };
}

const models: RandomModel[] = [];
afterAll(() => {
  for (const model of models) model.remove();
});

async function open(
  config: Readonly<Record<string, unknown>>,
  quantization: string,
  {
    ranks = 1,
    cache = "auto",
    own = {},
  }: {
    readonly ranks?: number | undefined;
    readonly cache?: string | undefined;
    readonly own?: Readonly<Record<string, unknown>> | undefined;
  } = {},
): Promise<{ device: Device; sampler: RecordingSampler }> {
  const made = randomModel(config);
  models.push(made);
  const sampler = new RecordingSampler();
  const device = await createCpuDevice({
    model: quantization === W8A8 ? published(made.model) : made.model,
    clock: new RealClock(),
    sampler,
    tensorParallelSize: ranks,
    blockSize: BLOCK,
    blocks: 4096,
    maxTokens: 1024,
    quantization,
    seed: 0,
    own: { ...own, "kv-cache-dtype": cache },
  });
  return { device, sampler };
}

function makeRequests(count: number, longest: number, seed: number): Request[] {
  const random = seeded(seed);
  const blocks = Math.ceil((longest + DECODED) / BLOCK);
  return Array.from({ length: count }, (_, id) => ({
    id,
    prompt: Array.from({ length: 1 + Math.floor(random() ** 2 * longest) }, () =>
      Math.floor(random() * QWEN_LIKE.vocab_size),
    ),
    blocks: blockRange(id * blocks, blocks),
  }));
}

/** Each request alone: the whole prompt in one step, then one id a step. */
async function runAlone(device: Device, requests: readonly Request[]): Promise<void> {
  for (const { id, prompt, blocks } of requests) {
    const tokens = [...prompt];
    for (let step = 0; step <= DECODED; step++) {
      const start = step === 0 ? 0 : tokens.length - 1;
      const result = await execute(device, [row(id, tokens, { start, blocks })]);
      if (!result.ok) throw result.error;
      tokens.push(...(result.sampled.get(id)?.tokens ?? []));
    }
  }
}

/** The same requests in random company, in random chunks. */
async function runMixed(device: Device, requests: readonly Request[], seed: number): Promise<void> {
  const random = seeded(seed);
  const running = requests.map((request) => ({
    ...request,
    tokens: [...request.prompt],
    computed: 0,
    sampled: 0,
  }));
  while (running.some(({ sampled }) => sampled <= DECODED)) {
    const chosen = running
      .filter(({ sampled }) => sampled <= DECODED)
      .filter(() => random() < 0.4)
      .slice(0, 24);
    let budget = 1024;
    const rows: BatchRow[] = [];
    for (const each of chosen) {
      const left = each.tokens.length - each.computed;
      const count = Math.min(left, budget, left > 1 ? 1 + Math.floor(random() * left * 1.5) : 1);
      if (count === 0) continue;
      budget -= count;
      const { id, tokens, computed: start, blocks } = each;
      rows.push(row(id, tokens, { start, count, blocks, want: count === left ? "last" : "none" }));
      each.computed += count;
    }
    if (rows.length === 0) continue;
    const result = await execute(device, rows);
    if (!result.ok) throw result.error;
    for (const each of chosen) {
      const sampled = result.sampled.get(each.id);
      if (sampled === undefined) continue;
      each.tokens.push(...sampled.tokens);
      each.sampled++;
    }
  }
}

/** Ids of requests whose logits differ in any bit. */
function different(a: RecordingSampler["logits"], b: RecordingSampler["logits"]): number[] {
  return [...a.keys()].filter((id) => {
    const one = a.get(id) ?? [];
    const other = b.get(id) ?? [];
    return (
      one.length !== other.length ||
      one.some(
        (logits, step) =>
          !Buffer.from(logits.buffer).equals(
            Buffer.from(other[step]?.buffer ?? new ArrayBuffer(0)),
          ),
      )
    );
  });
}

const INT8 = "int8_per_token_head";

/** Wide enough for products to be divided over threads. */
const WIDE = {
  ...QWEN_LIKE,
  hidden_size: 768,
  num_hidden_layers: 1,
  intermediate_size: 2560,
  vocab_size: 2048,
} as const;

/** Its widths are whole blocks of weights, which are so many that they are of 4 bits. */
const INT4 = {
  ...QWEN_LIKE,
  hidden_size: 192,
  intermediate_size: 256,
  vocab_size: 44_032,
} as const;
/** Whatever the format: the flag's promise. */
const INVARIANT = { "batch-invariant": true } as const;

describe.each([
  { name: "F32, wide", config: WIDE, quantization: "none", count: 12 },
  { name: "int8, wide", config: WIDE, quantization: "int8", count: 12 },
  { name: "F32, full attention", config: QWEN_LIKE, quantization: "none", count: 200 },
  { name: "F32, sliding window", config: MISTRAL_LIKE, quantization: "none", count: 200 },
  { name: "int8, full attention", config: QWEN_LIKE, quantization: "int8", count: 200 },
  { name: "F32, latents", config: DEEPSEEK_LIKE, quantization: "none", count: 50 },
  { name: "int4", config: INT4, quantization: "int4", own: INVARIANT, count: 40 },
  { name: "w8a16", config: QWEN_LIKE, quantization: "w8a16", own: INVARIANT, count: 40 },
  { name: "W8A8 as published", config: QWEN_LIKE, quantization: W8A8, count: 50 },
  { name: "F32, two ranks", config: QWEN_LIKE, quantization: "none", ranks: 2, count: 50 },
  {
    name: "KV in int8, window",
    config: MISTRAL_LIKE,
    quantization: "none",
    cache: INT8,
    count: 50,
  },
  {
    name: "KV in int8, latents",
    config: DEEPSEEK_LIKE,
    quantization: "none",
    cache: INT8,
    count: 20,
  },
  { name: "KV in BF16", config: QWEN_LIKE, quantization: "none", cache: "bfloat16", count: 50 },
])("$name", ({ config, quantization, ranks, cache, count, own }) => {
  it(`gives ${count} requests the same bits alone and in random mixes`, async () => {
    const { device, sampler } = await open(config, quantization, { ranks, cache, own });
    const requests = makeRequests(count, 300, 7);
    await runAlone(device, requests);
    const alone = new Map(sampler.logits);
    sampler.logits.clear();
    await runMixed(device, requests, 11);
    const mixed = new Map(sampler.logits);
    await device.close();
    expect(mixed.size).toBe(count);
    expect(different(alone, mixed)).toEqual([]);
  });
});

describe("a cached prefix", () => {
  it.each(["none", "int8"])("gives the same bits as a computed one (%s)", async (quantization) => {
    const { device, sampler } = await open(QWEN_LIKE, quantization);
    const tokens = makeRequests(1, 5000, 3)[0]?.prompt.slice(0, 600) ?? [];
    expect(tokens.length).toBe(600);
    const first = blockRange(0, 40);
    await execute(device, [row(0, tokens, { blocks: first })]);
    // Another sequence that shares all full blocks of the first 37 and computes the rest.
    const shared = [...first.slice(0, 37), ...blockRange(100, 3)];
    await execute(device, [row(1, tokens, { start: 37 * BLOCK, blocks: shared })]);
    // And one that got its last block by a copy.
    const copied = [...first.slice(0, 37), 200];
    await execute(
      device,
      [row(2, tokens, { start: 599, blocks: copied })],
      [{ from: 37, to: 200 }],
    );
    await device.close();
    const [one, other, third] = [0, 1, 2].map((id) => sampler.logits.get(id)?.[0]);
    expect(other).toEqual(one);
    expect(third).toEqual(one);
  });
});

it("would notice: int4 products differ between one row and many", async () => {
  const { device, sampler } = await open(INT4, "int4", { own: { "weight-copies": "1" } });
  const requests = makeRequests(40, 60, 7);
  await runAlone(device, requests);
  const alone = new Map(sampler.logits);
  sampler.logits.clear();
  await runMixed(device, requests, 11);
  const mixed = new Map(sampler.logits);
  await device.close();
  expect(different(alone, mixed).length).toBeGreaterThan(0);
});
