/** The attention kernel against the formula in double precision. */
import { describe, expect, it } from "vitest";
import type { KvFormat } from "../../../device/cpu/kernel/kv-layout.ts";
import type { AttentionOptions, Columns, PoolShape } from "../../../device/cpu/kv-pool.ts";
import { KvPool } from "../../../device/cpu/kv-pool.ts";
import { fitsPrompts, PromptAttention } from "../../../device/cpu/prompt-attention.ts";
import { RotaryTable } from "../../../device/cpu/rotary.ts";
import type { StepRow } from "../../../device/cpu/wire.ts";
import { seeded } from "../../support/random-model.ts";

interface Case {
  readonly length: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly blockSize: number;
  readonly options: AttentionOptions;
}

const CASES: readonly Case[] = [
  { length: 75, heads: 14, kvHeads: 2, headDim: 64, blockSize: 16, options: { scale: 0.125 } },
  { length: 75, heads: 4, kvHeads: 4, headDim: 8, blockSize: 4, options: { scale: 0.5 } },
  {
    length: 75,
    heads: 6,
    kvHeads: 2,
    headDim: 20,
    blockSize: 8,
    options: { scale: 0.3, window: 13 },
  },
  { length: 75, heads: 2, kvHeads: 1, headDim: 6, blockSize: 12, options: { scale: 0.3 } },
  {
    length: 75,
    heads: 4,
    kvHeads: 2,
    headDim: 32,
    blockSize: 32,
    options: { scale: 0.2, window: 40, sinks: Float32Array.of(0.5, -1, 3, 0) },
  },
  // Several chunks, one of which the window cuts.
  {
    length: 1100,
    heads: 5,
    kvHeads: 1,
    headDim: 16,
    blockSize: 64,
    options: { scale: 0.25, window: 700, sinks: Float32Array.of(0.5, -1, 3, 0, 9) },
  },
];

/** Largest error: of floats that of sums, of int8 also that of queries and weights in 16 bits. */
const FORMATS: readonly (readonly [KvFormat, number])[] = [
  ["f32", 5e-6],
  ["bf16", 5e-6],
  ["int8", 1e-3],
];

/** What the cache keeps of a matrix whose heads have `width` elements. */
function kept(data: Float32Array, width: number, format: KvFormat): Float32Array {
  if (format === "f32") return data;
  if (format === "bf16") return data.map(bfloat);
  const out = new Float32Array(data.length);
  for (let at = 0; at < data.length; at += width) {
    const head = data.subarray(at, at + width);
    const scale = head.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127;
    out.set(
      head.map((x) => scale * Math.round(x / scale)),
      at,
    );
  }
  return out;
}

/** Nearest number of 8 significant bits. */
function bfloat(x: number): number {
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(x))) - 7);
  return unit * Math.round(x / unit);
}

function sameBits(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
}

/** One query of head `head` at the position, over all keys it sees. */
function formula(
  shape: Case,
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  position: number,
  head: number,
): number[] {
  const { heads, kvHeads, headDim, options } = shape;
  const kvHead = Math.floor((head * kvHeads) / heads);
  const first = options.window === undefined ? 0 : Math.max(0, position + 1 - options.window);
  const scores: number[] = [];
  for (let p = first; p <= position; p++) {
    let sum = 0;
    for (let d = 0; d < headDim; d++) {
      sum +=
        (q[(position * heads + head) * headDim + d] ?? 0) *
        (k[(p * kvHeads + kvHead) * headDim + d] ?? 0);
    }
    scores.push(sum * options.scale);
  }
  const sink = options.sinks?.[head] ?? Number.NEGATIVE_INFINITY;
  const most = Math.max(sink, ...scores);
  const weights = scores.map((score) => Math.exp(score - most));
  const total = weights.reduce((a, b) => a + b, Math.exp(sink - most));
  return Array.from({ length: headDim }, (_, d) =>
    weights.reduce(
      (sum, weight, i) =>
        sum + (weight / total) * (v[((first + i) * kvHeads + kvHead) * headDim + d] ?? 0),
      0,
    ),
  );
}

/** A whole matrix of that width. */
const columns = (data: Float32Array, width: number): Columns => ({ data, at: 0, stride: width });

function pool(shape: Case, format: KvFormat): KvPool {
  const { length, heads, kvHeads, headDim, blockSize } = shape;
  const whole: PoolShape = {
    layers: 2,
    heads,
    kvHeads,
    headDim,
    valueDim: headDim,
    blockSize,
    blocks: 64,
    maxContext: length + 25,
    maxTokens: length + 25,
    maxRows: 4,
    threads: 1,
    format,
  };
  return new KvPool(whole);
}

const EACH = CASES.flatMap((shape) =>
  FORMATS.map(([format, tolerance]) => ({ ...shape, format, tolerance })),
);

describe.each(EACH)(
  "$format: $heads heads over $kvHeads of $headDim, blocks of $blockSize",
  (shape) => {
    const { length, format, tolerance } = shape;
    const random = seeded(3);
    const { heads, kvHeads, headDim, blockSize, options } = shape;
    const numbers = (count: number): Float32Array =>
      Float32Array.from({ length: count }, () => 4 * (random() - 0.5));
    const q = numbers(length * heads * headDim);
    const k = numbers(length * kvHeads * headDim);
    const v = numbers(length * kvHeads * headDim);
    const keyed = (data: Float32Array): Columns => columns(data, kvHeads * headDim);
    const queried = (data: Float32Array): Columns => columns(data, heads * headDim);
    // Blocks out of order.
    const blocks = Int32Array.from({ length: Math.ceil(length / blockSize) }, (_, i) => 40 - 2 * i);
    const whole: StepRow = { start: 0, count: length, offset: 0, blocks };

    it("equals the formula", () => {
      const cache = pool(shape, format);
      const out = new Float32Array(q.length);
      cache.begin([whole]);
      cache.write(1, keyed(k), keyed(v));
      cache.attend(1, queried(q), out, options);
      const [keys, values] = [kept(k, headDim, format), kept(v, headDim, format)];
      let worst = 0;
      for (let position = length - 1; position >= 0; position -= length > 100 ? 41 : 1) {
        for (let head = 0; head < heads; head++) {
          formula(shape, q, keys, values, position, head).forEach((value, d) => {
            const found = out[(position * heads + head) * headDim + d] ?? Number.NaN;
            worst = Math.max(worst, Math.abs(found - value));
          });
        }
      }
      expect(worst).toBeLessThan(tolerance);
    });

    it("gives the same bits one position at a time, whatever else the pool holds", () => {
      const together = new Float32Array(q.length);
      const first = pool(shape, format);
      first.begin([whole]);
      first.write(0, keyed(k), keyed(v));
      first.attend(0, queried(q), together, options);
      const second = pool(shape, format);
      // A former owner left what must not be seen.
      const poison = new Float32Array(k.length).fill(Number.NaN);
      second.begin([whole]);
      second.write(0, keyed(poison), keyed(poison));
      const apart = new Float32Array(q.length);
      for (let position = 0; position < length; position++) {
        const row = { ...whole, start: position, count: 1 };
        const part = (values: Float32Array, width: number): Float32Array =>
          values.subarray(position * width, (position + 1) * width);
        second.begin([row]);
        second.write(0, keyed(part(k, kvHeads * headDim)), keyed(part(v, kvHeads * headDim)));
        const into = part(apart, heads * headDim);
        second.attend(0, queried(part(q, heads * headDim)), into, options);
      }
      expect(sameBits(apart, together)).toBe(true);
    });

    it("reads copied blocks", () => {
      const cache = pool(shape, format);
      const out = new Float32Array(q.length);
      const moved = new Float32Array(q.length);
      cache.begin([whole]);
      cache.write(0, keyed(k), keyed(v));
      cache.attend(0, queried(q), out, options);
      cache.copy(blocks[1] ?? 0, 63);
      cache.begin([{ ...whole, blocks: blocks.map((block, i) => (i === 1 ? 63 : block)) }]);
      cache.attend(0, queried(q), moved, options);
      expect(sameBits(moved, out)).toBe(true);
    });
  },
);

describe("whole prompts through the runtime's operator", () => {
  const turnings = [undefined, { rotaryDim: 32, theta: 1e4 }];
  const ways = [...turnings, { rotaryDim: 32, theta: 1e4, interleaved: true as const }];
  const shape = { layers: 1, heads: 6, kvHeads: 2, headDim: 32, valueDim: 32 };
  const width = 320;
  const rows: readonly StepRow[] = [
    { start: 0, count: 70, offset: 0, blocks: Int32Array.of(3, 1, 2) },
    { start: 0, count: 33, offset: 70, blocks: Int32Array.of(5, 4) },
  ];

  it.each(ways)("attend as the kernel does: %o", (turning) => {
    const random = seeded(5);
    const qkv = Float32Array.from({ length: 103 * width }, () => 4 * (random() - 0.5));
    const part = (at: number): Columns => ({ data: qkv, at, stride: width });
    const rotary = turning && new RotaryTable(turning, 128);
    const limits = { blockSize: 32, blocks: 8, maxContext: 128, maxTokens: 128, maxRows: 4 };
    const cache = new KvPool({ ...shape, ...limits, threads: 1, format: "f32" });
    const expected = new Float32Array(103 * 192);
    cache.begin(rows);
    cache.write(0, part(192), part(256), rotary);
    cache.attend(0, part(0), expected, { scale: 0.2, ...(rotary && { rotary }) });
    const how = { scale: 0.2, rotates: rotary !== undefined, ...turning };
    const prompts = new PromptAttention(shape, how, 1);
    const out = new Float32Array(expected.length);
    prompts.attend(rows, qkv, out, rotary);
    prompts.close();
    const worst = out.reduce((most, x, i) => Math.max(most, Math.abs(x - (expected[i] ?? 0))), 0);
    expect(worst).toBeLessThan(5e-6);
  });

  it("take whole prompts from a step, neither short nor long, and leave the others in order", () => {
    const prompts = new PromptAttention(shape, { scale: 1, rotates: false }, 1);
    const [one, other] = rows as readonly [StepRow, StepRow];
    const late = { ...one, start: 1 };
    const short = { ...one, count: 31 };
    // 6 heads of 2,000 by 2,000 scores are more than 64 MiB.
    const long = { ...one, count: 2000 };
    expect(prompts.divide(rows)).toMatchObject({ prompts: rows, others: [] });
    const mixed = prompts.divide([late, one, short, other, long]);
    expect(mixed).toMatchObject({ prompts: [one, other], others: [late, short, long] });
    prompts.close();
  });

  it.each([1, 2])(
    "leave rows among them to the kernel, which gives the same bits: %d threads",
    async (threads) => {
      const random = seeded(6);
      const step: readonly StepRow[] = [
        { start: 5, count: 2, offset: 0, blocks: Int32Array.of(7) },
        { start: 0, count: 70, offset: 2, blocks: Int32Array.of(3, 1, 2) },
        { start: 40, count: 1, offset: 72, blocks: Int32Array.of(6, 0) },
        { start: 0, count: 33, offset: 73, blocks: Int32Array.of(5, 4) },
      ];
      const tokens = 106;
      // Values of no whole registers: outputs are not one piece.
      const odd = { ...shape, valueDim: 24 };
      const numbers = (width: number): Columns => ({
        data: Float32Array.from({ length: tokens * width }, () => 4 * (random() - 0.5)),
        at: 0,
        stride: width,
      });
      const limits = { blockSize: 32, blocks: 8, maxContext: 128, maxTokens: 128, maxRows: 4 };
      for (const its of [shape, odd]) {
        const cache = new KvPool({ ...its, ...limits, threads, format: "f32" });
        const [q, k, v] = [192, 64, 2 * its.valueDim].map(numbers) as [Columns, Columns, Columns];
        const width = 6 * its.valueDim;
        cache.begin(step);
        cache.write(0, k, v);
        const all = new Float32Array(tokens * width);
        cache.attend(0, q, all, { scale: 0.2 });
        const some = new Float32Array(tokens * width).fill(9);
        cache.attend(0, q, some, { scale: 0.2 }, [step[0], step[2]] as readonly StepRow[]);
        const expected = all
          .slice()
          .fill(9, 2 * width, 72 * width)
          .fill(9, 73 * width);
        expect(sameBits(some, expected)).toBe(true);
        // And all of them again, as another layer may ask.
        const again = new Float32Array(all.length);
        cache.attend(0, q, again, { scale: 0.2 });
        expect(sameBits(again, all)).toBe(true);
        await cache.close();
      }
    },
  );

  it("want queries, keys and values side by side and alike, and no window, sinks, temperature or partial turning", () => {
    const flow = { name: "qkv", width };
    const op = {
      op: "attention",
      path: "attention",
      ...{ q: "q", k: "k", v: "v", out: "out", kvGroup: 0 },
      ...{ heads: 6, kvHeads: 2, headDim: 32, scale: 1 },
    } as const;
    const at = (begin: number) => ({ flow, at: begin });
    const out = { name: "out", width: 192 };
    const step = { kind: "attend", op, layer: 0, q: at(0), k: at(192), v: at(256), out } as const;
    const rope = {
      op: "rope",
      path: "rope",
      in: "q",
      out: "q",
      heads: 6,
      headDim: 32,
      theta: 1,
    } as const;
    expect(fitsPrompts(step, shape)).toBe(true);
    expect(fitsPrompts({ ...step, rope: { ...rope, rotaryDim: 32 } }, shape)).toBe(true);
    expect(fitsPrompts({ ...step, rope: { ...rope, rotaryDim: 16 } }, shape)).toBe(false);
    expect(fitsPrompts({ ...step, k: at(256), v: at(192) }, shape)).toBe(false);
    const sinks = { name: "sinks", shape: [6], shard: "replicated" } as const;
    const temperature = { floor: 8, scale: 0.1 };
    for (const asked of [
      { ...op, window: 8 },
      { ...op, sinks },
      { ...op, temperature },
    ])
      expect(fitsPrompts({ ...step, op: asked }, shape)).toBe(false);
    expect(fitsPrompts(step, { ...shape, valueDim: 16 })).toBe(false);
  });
});

it.each(FORMATS)("%s: gives the same bits with a helper's help", async (format) => {
  const shape = { layers: 1, heads: 14, kvHeads: 2, headDim: 64, valueDim: 64, format };
  const limits = { blockSize: 16, blocks: 80, maxContext: 1280, maxTokens: 512, maxRows: 4 };
  const random = seeded(9);
  const numbers = (width: number): Float32Array =>
    Float32Array.from({ length: 512 * width * 64 }, () => random() - 0.5);
  const [q, k, v] = [numbers(14), numbers(2), numbers(2)];
  const blocks = Int32Array.from({ length: 80 }, (_, i) => i);
  const attend = (cache: KvPool, start: number, count: number): Float32Array => {
    const out = new Float32Array(count * 896);
    cache.begin([{ start, count, offset: 0, blocks }]);
    cache.write(0, columns(k, 128), columns(v, 128));
    cache.attend(0, columns(q, 896), out, { scale: 0.125 });
    return out;
  };
  /** A prompt in three parts, then one token: of few tokens the chunks are divided. */
  const run = (cache: KvPool): readonly Float32Array[] =>
    [512, 512, 200, 1].map((count, index) => attend(cache, Math.min(512 * index, 1224), count));
  const alone = run(new KvPool({ ...shape, ...limits, threads: 1 }));
  const helped = new KvPool({ ...shape, ...limits, threads: 2 });
  const differing: number[] = [];
  // The helper's thread starts with the first job; work goes on until it has had a share.
  for (let round = 0; helped.helpedJobs < 6; round++) {
    const found = run(helped);
    if (!found.every((each, part) => sameBits(each, alone[part] as Float32Array))) {
      differing.push(round);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await helped.close();
  expect(differing).toEqual([]);
});
