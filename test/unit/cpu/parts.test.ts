/** Parts of the cpu device that need no thread: program, quantisation, wire, windows, plan. */
import { describe, expect, it } from "vitest";
import { planSlots } from "../../../device/cpu/buffers.ts";
import { compileProgram } from "../../../device/cpu/graph/program.ts";
import { blockOf, quantiseBlocks, quantiseInt8 } from "../../../device/cpu/graph/quantise.ts";
import { flowsRead } from "../../../device/cpu/graph/steps.ts";
import { isGreedy, sampledOf } from "../../../device/cpu/greedy.ts";
import { NO_ID } from "../../../device/cpu/head.ts";
import { linkUnpack } from "../../../device/cpu/kernel/unpack.ts";
import { loadLines } from "../../../device/cpu/load-lines.ts";
import { heldBytes, planMemory } from "../../../device/cpu/plan.ts";
import { findCrossing } from "../../../device/cpu/two-ways.ts";
import { planWindows } from "../../../device/cpu/windows.ts";
import { decodeStep, encodeStep } from "../../../device/cpu/wire.ts";
import { createOwnMemory } from "../../../device/wasm.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import type { Model } from "../../../models/model.ts";
import { describe as describeModel } from "../../../models/registry.ts";
import { blockRange, row } from "../../support/device-driver.ts";
import { MOE_LIKE, QWEN_LIKE, seeded } from "../../support/random-model.ts";

const architecture = describeModel(QWEN_LIKE);
const model: Model = {
  source: "test",
  config: QWEN_LIKE,
  architecture,
  format: "f32",
  generation: { eosTokenIds: [] },
};

describe("guesses of greedy rows", () => {
  it("hold as the sampler says, to the end of the sequence or where no id is likeliest", () => {
    const random = seeded(3);
    const vocabSize = 4;
    const below = (count: number): number => Math.floor(random() * count);
    const lengths = new Set<number>();
    for (let round = 0; round < 300; round++) {
      const [here, there] = [new TokenSampler(), new TokenSampler()];
      const drafted = below(5);
      const context = Int32Array.from({ length: 3 + drafted }, () => below(2));
      const its = { ...row(0, [...context], { start: 2, blocks: [0] }), drafted };
      const params = { ...DEFAULT_SAMPLING, temperature: 0, stopTokenIds: [3] };
      for (const sampler of [here, there])
        sampler.add({ id: 0, params, promptLength: 3, tokens: context });
      const ids = Int32Array.from({ length: drafted + 1 }, () =>
        below(20) === 0 ? NO_ID : below(4),
      );
      const logits = new Float32Array(ids.length * vocabSize).fill(Number.NaN);
      ids.forEach((id, at) => {
        if (id !== NO_ID) logits[at * vocabSize + id] = 2;
      });
      expect(isGreedy(here, its)).toBe(true);
      const found = sampledOf(its, ids, { sampler: here, vocabSize });
      expect(found).toEqual(there.sample(its, logits));
      expect(here.takeFault(0)).toEqual(there.takeFault(0));
      lengths.add(found.tokens.length);
    }
    expect(lengths.size).toBeGreaterThan(3);
    expect(
      isGreedy(
        { sample: () => ({ tokens: [], accepted: 0 }), prompt: () => [], greedy: () => true },
        { ...row(0, [1, 2], { start: 0, blocks: [] }), drafted: 1 },
      ),
    ).toBe(false);
  });
});

describe("program", () => {
  it("is cut at attention alone with one rank", () => {
    const { body } = compileProgram(architecture, { rank: 0, ranks: 1 });
    expect(body.map(({ kind }) => kind)).toEqual([
      "embed",
      "run",
      "attend",
      "run",
      "attend",
      "run",
    ]);
  });

  it("is cut at sums too with two, and shares heads out", () => {
    const { body, cache } = compileProgram(architecture, { rank: 0, ranks: 2 });
    const layer = ["attend", "run", "sum", "run", "sum", "run"];
    expect(body.map(({ kind }) => kind)).toEqual(["embed", "run", ...layer, ...layer]);
    expect(cache).toEqual({ layers: 2, heads: 3, kvHeads: 1, headDim: 16, valueDim: 16 });
  });

  it("gives the last rank the rest of the vocabulary", () => {
    const widths = [0, 1].map(
      (rank) => compileProgram(architecture, { rank, ranks: 2 }).logits.width,
    );
    expect(widths).toEqual([151, 150]);
  });

  it("gives states without the head's product to who wants states alone", () => {
    const { norm, head, final } = compileProgram(architecture, { rank: 0, ranks: 1 });
    expect(norm?.outputs).toEqual([final]);
    expect(norm?.inputs).toEqual(head.inputs);
    expect(norm?.ops.map(({ op }) => op)).toEqual(["rms-norm"]);
    expect(head.ops.map(({ op }) => op)).toEqual(["rms-norm", "products"]);
  });

  it("names the op that the device lacks", () => {
    const layer = architecture.layers[0];
    const ops = [{ op: "take-wanted", path: "model.layers.0", in: "hidden", out: "x" }] as const;
    const odd = { ...architecture, layers: [{ index: layer?.index ?? 0, ops }] };
    expect(() => compileProgram(odd, { rank: 0, ranks: 1 })).toThrow(/model.layers.0.*take-wanted/);
  });

  it("never gives a value the slot of one that its step reads", () => {
    const { body, hidden } = compileProgram(architecture, { rank: 0, ranks: 2 });
    const { slotOf, widths } = planSlots(body, hidden);
    for (const step of body) {
      const made =
        step.kind === "run" ? step.segment.outputs : step.kind === "attend" ? [step.out] : [];
      const read = flowsRead(step).map(({ name }) => slotOf.get(name));
      for (const { name, width } of made) {
        expect(read).not.toContain(slotOf.get(name));
        expect(widths[slotOf.get(name) ?? -1]).toBe(width);
      }
    }
    // Slots are used again: two layers need no more than one.
    expect(widths.length).toBeLessThan(12);
  });
});

describe("quantisation", () => {
  const random = seeded(5);
  const weight = Float32Array.from({ length: 8 * 64 }, () => random() - 0.5);

  it("int4 keeps every value within half a step", () => {
    const { codes, scales } = quantiseBlocks(weight, 32);
    weight.forEach((value, i) => {
      const byte = codes[i >> 1] ?? 0;
      const nibble = i % 2 === 0 ? byte & 15 : byte >> 4;
      const scale = scales[Math.floor(i / 32)] ?? 0;
      // The far end of the range has one step less (−8 … 7).
      expect(Math.abs((nibble - 8) * scale - value)).toBeLessThanOrEqual(Math.abs(scale) * 1.001);
    });
    const error = weight.reduce((sum, value, i) => {
      const byte = codes[i >> 1] ?? 0;
      const nibble = i % 2 === 0 ? byte & 15 : byte >> 4;
      return sum + Math.abs((nibble - 8) * (scales[Math.floor(i / 32)] ?? 0) - value);
    }, 0);
    expect(error / weight.length).toBeLessThan(0.5 / 8 / 3);
  });

  it("blocks of 8 bits keep every value within half a step", () => {
    const { codes, scales } = quantiseBlocks(weight, 32, 8);
    expect(codes.length).toBe(weight.length);
    weight.forEach((value, i) => {
      const scale = scales[Math.floor(i / 32)] ?? 0;
      const away = Math.abs(((codes[i] ?? 0) - 128) * scale - value);
      // The far end of the range has one step less.
      expect(away).toBeLessThanOrEqual(Math.abs(scale) * ((codes[i] ?? 0) === 255 ? 1.001 : 0.501));
    });
  });

  it("int4 takes the scale that leaves the smaller error, and cuts the largest for it", () => {
    // One far out among fifteen steps of a finer scale; and a block that fills the usual one.
    const finer = Float32Array.from({ length: 32 }, (_, i) => (i === 0 ? -9 : (i % 15) - 7));
    const usual = Float32Array.from({ length: 32 }, (_, i) => (i === 0 ? -8 : (i % 16) - 8));
    expect(quantiseBlocks(finer, 32).scales).toEqual(Float32Array.of(1));
    expect((quantiseBlocks(finer, 32).codes[0] ?? 0) & 15).toBe(0);
    expect(quantiseBlocks(usual, 32).scales).toEqual(Float32Array.of(1));
  });

  it("int4 blocks are 128 where they fit, else 64, else 32, else none", () => {
    expect([4864, 576, 160, 100].map(blockOf)).toEqual([128, 64, 32, undefined]);
  });

  it("int8 transposes and keeps every value within half a step; zeros stay zeros", () => {
    const padded = Float32Array.from([...weight, ...new Float32Array(64)]);
    const { values, scales } = quantiseInt8(padded, 64);
    for (let out = 0; out < 9; out++) {
      for (let i = 0; i < 64; i++) {
        const scale = scales[out] ?? 0;
        const back = (values[i * 9 + out] ?? 0) * scale;
        expect(Math.abs(back - (padded[out * 64 + i] ?? 0))).toBeLessThanOrEqual(scale * 0.5001);
      }
    }
    expect(scales[8]).toBe(0);
  });
});

it.each([32, 64, 128])(
  "blocks of %d unpack to the nearest 8 bits of their outputs' scales",
  (block) => {
    const [outs, width] = [48, 2 * block];
    const random = seeded(block);
    const weight = Float32Array.from({ length: outs * width }, () => random() - 0.5);
    weight.fill(0, 0, width); // an output of zeros
    const { codes, scales } = quantiseBlocks(weight, block, 4);
    const columns = Float32Array.from({ length: outs }, (_, out) => {
      const [a = 0, b = 0] = scales.subarray(2 * out, 2 * out + 2);
      return (Math.max(Math.abs(a), Math.abs(b)) * 8) / 127;
    });
    const memory = createOwnMemory(2);
    const at = { scales: 8192, columns: 16_384, out: 32_768, staging: 65_536 };
    new Uint8Array(memory.buffer).set(codes);
    new Float32Array(memory.buffer, at.scales).set(scales);
    new Float32Array(memory.buffer, at.columns).set(columns);
    linkUnpack(block, memory)(0, at.scales, at.columns, at.out, at.staging, outs, width);
    const unpacked = new Int8Array(memory.buffer, at.out, outs * width);
    const seen = new Set<number>();
    for (let out = 0; out < outs; out++)
      for (let input = 0; input < width; input++) {
        const code = ((codes[(out * width + input) >> 1] ?? 0) >> (4 * (input & 1))) & 15;
        const scale = scales[2 * out + Math.floor(input / block)] ?? 0;
        const exact = out === 0 ? 0 : ((code - 8) * scale) / (columns[out] ?? 0);
        const found = unpacked[input * outs + out] ?? 0;
        expect(Math.abs(found - exact)).toBeLessThan(0.5001);
        seen.add(found);
      }
    expect(seen.size).toBeGreaterThan(50);
  },
);

it.each([2, 3, 6, 16, 24])("the crossing of two formats is found at %d rows", (from) => {
  const passes: number[] = [];
  const found = findCrossing((rows, format) => {
    passes.push(rows);
    return (format === "many") === rows >= from ? 1 : 2;
  });
  expect(found).toBe(from);
  expect(passes.length).toBeLessThanOrEqual(12);
});

it("two formats cross where one is quicker than a pass of some segments can err", () => {
  expect(findCrossing((rows, format) => (format === "many" ? 0.95 : rows < 8 ? 1 : 2))).toBe(8);
});

describe("a step on the wire", () => {
  const rows = [
    row(0, [1, 2, 3, 4, 5], { start: 2, blocks: [7, 9] }),
    row(1, [6], { blocks: [3] }),
  ];
  const limits = { blockSize: 4, blocks: 10 };

  it("arrives as it was sent", () => {
    const packed = encodeStep({ rows, copies: [{ from: 1, to: 2 }] }, limits, {
      resolve: (each, index) => each.context[index] ?? -1,
    });
    const step = decodeStep(packed);
    expect([...step.tokens]).toEqual([3, 4, 5, 6]);
    expect(step.rows.map(({ blocks, ...rest }) => ({ ...rest, blocks: [...blocks] }))).toEqual([
      { start: 2, count: 3, offset: 0, blocks: [7, 9] },
      { start: 0, count: 1, offset: 3, blocks: [3] },
    ]);
    expect([...step.copies]).toEqual([1, 2]);
  });

  it("refuses rows without blocks and blocks outside the pool", () => {
    const send = (blocks: readonly number[]) => () =>
      encodeStep({ rows: [row(4, [1, 2, 3, 4, 5], { blocks })], copies: [] }, limits, {
        resolve: () => 0,
      });
    expect(send([1])).toThrow("Row 4 has 1 blocks and needs 2.");
    expect(send([1, 10])).toThrow("Row 4 has block 10, and the pool has 10.");
  });
});

describe("windows", () => {
  it("keep a row's drafts together and number results from the window's start", () => {
    const rows = Array.from({ length: 30 }, (_, id) =>
      row(id, [1, 2, 3, 4, 5], { start: 1, drafted: 2, blocks: [0] }),
    );
    const windows = planWindows(rows);
    expect(windows.map(({ tokens }) => tokens.length)).toEqual([63, 27]);
    expect([...(windows[1]?.tokens.slice(0, 3) ?? [])]).toEqual([
      21 * 4 + 1,
      21 * 4 + 2,
      21 * 4 + 3,
    ]);
    expect(windows[1]?.takes[0]).toMatchObject({ at: 0, count: 3, position: 2 });
  });

  it("ask nothing for rows that want nothing", () => {
    expect(planWindows([row(0, [1, 2], { want: "none", blocks: [0] })])).toEqual([]);
  });

  it("sample the end of a prompt only when the chunk reaches it", () => {
    const chunk = row(0, [1, 2, 3, 4], { count: 2, want: "all", blocks: [0] });
    expect(planWindows([chunk])[0]?.takes.map(({ kind }) => kind)).toEqual(["prompt"]);
    const plain = [row(0, [1, 2], { blocks: [0] }), row(1, [3], { want: "hidden", blocks: [1] })];
    const what = (greedy: boolean) => planWindows(plain, () => greedy).map((each) => each.what);
    expect([what(true), what(false)]).toEqual([
      ["likeliest", "hidden"],
      ["logits", "hidden"],
    ]);
    const drafted = row(0, [1, 2], { drafted: 1, blocks: [0] });
    expect(planWindows([drafted], () => true)[0]).toMatchObject({
      what: "likeliest",
      takes: [{ count: 2 }],
    });
    expect(planWindows([drafted])[0]?.what).toBe("logits");
    const end = row(0, [1, 2, 3, 4], { start: 2, want: "all", blocks: [0] });
    expect(planWindows([end])[0]?.takes.map(({ kind, count }) => [kind, count])).toEqual([
      ["prompt", 1],
      ["sample", 1],
    ]);
  });
});

describe("memory plan", () => {
  const SIXTEEN = { blockSize: 16, own: {} };
  it("fits blocks into the bytes given, over all ranks", () => {
    const one = planMemory(model, { ...SIXTEEN, tensorParallelSize: 1, kvCacheBytes: 1_000_000 });
    // 2 layers · 2 KV heads · 16 tokens · (K + V) · 16 elements · 4 bytes
    expect(one.kvBytesPerBlock).toBe(2 * 2 * 16 * 2 * 16 * 4);
    expect(one.blocks).toBe(Math.floor(1_000_000 / 8192));
    const two = planMemory(model, { ...SIXTEEN, tensorParallelSize: 2, kvCacheBytes: 1_000_000 });
    expect(two.blocks).toBe(one.blocks);
  });

  it("counts a block's bytes by the cache's format, and names one it does not have", () => {
    const bytes = (cache: string): number =>
      planMemory(model, {
        ...SIXTEEN,
        tensorParallelSize: 1,
        own: { "kv-cache-dtype": cache },
      }).kvBytesPerBlock;
    const elements = 2 * 2 * 16 * 2 * 16;
    expect(bytes("auto")).toBe(4 * elements);
    expect(bytes("bfloat16")).toBe(2 * elements);
    // And a scale of F32 for each head's 16 elements.
    expect(bytes("int8_per_token_head")).toBe(elements + (4 * elements) / 16);
    expect(() => bytes("fp8")).toThrow(
      'no --kv-cache-dtype "fp8"; known: auto, bfloat16, int8_per_token_head.',
    );
  });

  it("takes no more than all rows can use, and refuses what no pool holds", () => {
    const { blocks } = planMemory(model, {
      ...SIXTEEN,
      tensorParallelSize: 1,
      maxRows: 2,
      maxContext: 100,
    });
    expect(blocks).toBe(2 * 7);
    const much = { ...SIXTEEN, tensorParallelSize: 1, blocks: 10 ** 6 };
    expect(() => planMemory(model, much)).toThrow("do not fit");
    expect(() =>
      planMemory(model, { ...SIXTEEN, tensorParallelSize: 1, kvCacheBytes: 100 }),
    ).toThrow("no KV block");
  });

  it("holds int4 weights a second time where a quarter of the free memory has room for it", () => {
    const int4 = (own: Readonly<Record<string, unknown>>, free: number) =>
      planMemory(
        model,
        { blockSize: 16, tensorParallelSize: 1, quantization: "int4", own },
        { free, cores: 2 },
      ).secondCopyBytes;
    const bytes = int4({ "weight-copies": "2" }, 0);
    expect(bytes).toBeGreaterThan(100_000);
    expect(int4({}, 4 * bytes)).toBe(bytes);
    expect(int4({}, 4 * bytes - 1)).toBe(0);
    expect(int4({ "weight-copies": "1" }, 2 ** 40)).toBe(0);
    // One kind of product, whatever the batch.
    expect(int4({ "batch-invariant": true }, 2 ** 40)).toBe(0);
    const both = { "weight-copies": "2", "batch-invariant": true };
    expect(() => int4(both, 2 ** 40)).toThrow("--weight-copies 2 and --batch-invariant");
    const other = { ...SIXTEEN, tensorParallelSize: 1, quantization: "int8" };
    expect(planMemory(model, other, { free: 2 ** 40, cores: 2 }).secondCopyBytes).toBe(0);
  });

  it("counts small int4 segments twice where one thread has its own and there is one copy", () => {
    const plan = (own: Readonly<Record<string, unknown>>, cores = 2, quantization = "int4") =>
      planMemory(
        model,
        { blockSize: 16, tensorParallelSize: 1, quantization, own },
        { free: 2 ** 40, cores },
      );
    const one = plan({ "weight-copies": "1" });
    // All of so small a model, but its norms and its table.
    expect(one.aloneBytes).toBeGreaterThan(0.8 * one.weightBytes);
    expect(one.aloneBytes).toBeLessThanOrEqual(one.weightBytes);
    expect(heldBytes(one)).toBe(one.weightBytes + one.aloneBytes);
    const loaded = { how: "kept-now", unpacks: 2 ** 20 } as const;
    expect(loadLines({ model, quantization: "int4" }, one, loaded)[1]).toMatch(
      /, unpacked to int8 part by part for steps of 60 rows and more, in 1\.0 MiB besides; small parts /,
    );
    const others = [
      plan({}),
      plan({ "weight-copies": "1" }, 1),
      plan({ "weight-copies": "1", "spare-cores": 1 }),
      plan({ "weight-copies": "1", "batch-invariant": true }),
      plan({}, 2, "int8"),
    ];
    expect(others.map(({ aloneBytes }) => aloneBytes)).toEqual([0, 0, 0, 0, 0]);
  });

  it("holds int4 in 8 bits where all weights stay in caches", () => {
    const int4 = { ...SIXTEEN, tensorParallelSize: 1, quantization: "int4", own: {} };
    const [small, large] = [301, 200_000].map((vocab_size) => {
      const its = describeModel({ ...QWEN_LIKE, vocab_size });
      return planMemory({ ...model, architecture: its }, int4, { free: 0, cores: 1 });
    });
    expect(small?.blockBits).toBe(8);
    expect(large?.blockBits).toBe(4);
    const bytes = (vocab_size: number): number => vocab_size * QWEN_LIKE.hidden_size;
    // 12 bytes a block of 32 beside the codes.
    expect(large?.weightBytes).toBeGreaterThan(bytes(200_000) * (0.5 + 12 / 32));
    expect(large?.weightBytes).toBeLessThan(bytes(200_000) * (1 + 12 / 32));
  });

  it("counts experts that two threads divide a second time in int4, the rest in int8", () => {
    const its = describeModel({ ...MOE_LIKE, vocab_size: 72_000 });
    const asked = { ...SIXTEEN, tensorParallelSize: 1, quantization: "int4" };
    const large = { ...model, architecture: its };
    const plan = (cores: number) =>
      planMemory(large, { ...asked, own: { "weight-copies": "2" } }, { free: 0, cores });
    const second = (cores: number): number => plan(cores).secondCopyBytes;
    const { num_hidden_layers, num_experts, hidden_size, moe_intermediate_size } = MOE_LIKE;
    const weights = num_hidden_layers * num_experts * 3 * hidden_size * moe_intermediate_size;
    // Half a byte less each, but for what their blocks and rows hold besides.
    expect(second(1) - second(2)).toBeGreaterThan(0.35 * weights);
    expect(second(1) - second(2)).toBeLessThan(0.5 * weights);
    // The start says so.
    const copies = (cores: number) =>
      loadLines({ ...asked, model: large }, plan(cores), { how: "kept-now", crossing: 8 })[1];
    expect(copies(1)).toMatch(
      /^copies {5}2: int8 as well for steps of 8 rows and more \(measured\), [\d.]+ MiB more; --weight-copies 1/,
    );
    expect(copies(2)).toMatch(
      /\(measured\), experts in int4 again for a second thread, [\d.]+ MiB/,
    );
  });
});

it("block ranges are half-open", () => {
  expect(blockRange(3, 2)).toEqual([3, 4]);
});
