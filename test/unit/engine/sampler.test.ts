/** The sampler, against a plain reference that sorts everything. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { argmax } from "../../../device/argmax.ts";
import type { BatchRow } from "../../../device/device.ts";
import { expMinus } from "../../../device/exp-minus.ts";
import { LogitRows } from "../../../device/logits.ts";
import { keyOfSeed, keyOfSequence, uniform } from "../../../device/random.ts";
import { LiveSequence } from "../../../engine/live-sequence.ts";
import { applyMask } from "../../../engine/sample/logits.ts";
import { type SamplerOptions, TokenSampler } from "../../../engine/sample/sampler.ts";
import { Candidates, smallestOfLargest } from "../../../engine/sample/truncate.ts";
import {
  type Constraint,
  DEFAULT_SAMPLING,
  type SamplingParams,
} from "../../../engine/sequence.ts";
import { seeded } from "../../support/random-model.ts";

interface Setting {
  readonly prompt?: readonly number[];
  readonly output?: readonly number[];
  readonly constraint?: Constraint;
  readonly options?: SamplerOptions;
}

/** Samples one position after prompt and output. */
function sample(logits: readonly number[], params: Partial<SamplingParams>, setting: Setting = {}) {
  const { prompt = [0], output = [], constraint, options } = setting;
  const sampler = new TokenSampler(options);
  sampler.attach(0);
  const full = { ...DEFAULT_SAMPLING, maxTokens: 100, ...params };
  const request = {
    prompt,
    params: full,
    ...(constraint === undefined ? {} : { constraints: [constraint] }),
  };
  const place = { id: 0, index: 0, group: [0], arrival: 0, maxContext: 1000 };
  sampler.add(new LiveSequence(request, place));
  const context = Int32Array.from([...prompt, ...output]);
  const row: BatchRow = {
    id: 0,
    context,
    start: context.length - 1,
    count: 1,
    drafted: 0,
    blocks: [],
    want: "last",
  };
  const sampled = sampler.sample(row, Float32Array.from(logits));
  return { ...sampled, fault: sampler.takeFault(0) };
}

const greedy = (logits: readonly number[], params: Partial<SamplingParams>, setting?: Setting) =>
  sample(logits, { temperature: 0, ...params }, setting).tokens[0];

/** Ids that may be drawn and their probabilities, by sorting. */
function reference(logits: readonly number[], params: SamplingParams): Map<number, number> {
  const top = Math.max(...logits);
  let kept = logits.map((logit, id) => ({
    id,
    weight: Math.exp((logit - top) / params.temperature),
  }));
  kept = kept.filter(({ weight }) => weight >= params.minP);
  kept.sort((a, b) => b.weight - a.weight || a.id - b.id);
  if (params.topK > 0) {
    const edge = kept[Math.min(params.topK, kept.length) - 1]?.weight ?? 0;
    kept = kept.filter(({ weight }) => weight >= edge);
  }
  const total = kept.reduce((sum, { weight }) => sum + weight, 0);
  let mass = 0;
  kept = kept.filter(({ weight }) => {
    const needed = mass < params.topP * total * (1 - 1e-12);
    mass += weight;
    return needed;
  });
  const left = kept.reduce((sum, { weight }) => sum + weight, 0);
  return new Map(kept.map(({ id, weight }) => [id, weight / left]));
}

describe("truncation", () => {
  it("keeps what sorting keeps, with the same probabilities", () => {
    const candidates = new Candidates();
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(fc.integer({ min: -400, max: 400 }), { minLength: 2, maxLength: 60 }),
          fc.array(fc.integer({ min: -400, max: 400 }), { minLength: 301, maxLength: 700 }),
        ),
        fc.record({
          temperature: fc.constantFrom(0.3, 1, 2),
          topK: fc.constantFrom(0, 1, 3, 40, 300),
          topP: fc.constantFrom(1, 0.99, 0.9, 0.5, 0.01),
          minP: fc.constantFrom(0, 0.02, 0.3),
        }),
        (hundredths, some) => {
          const params = { ...DEFAULT_SAMPLING, ...some };
          const logits = hundredths.map((value) => Math.fround(value / 100));
          expect(candidates.gather(Float32Array.from(logits), params)).toBe(true);
          const expected = reference(logits, params);
          const ids = [...candidates.ids.subarray(0, candidates.count)];
          expect(new Set(ids)).toEqual(new Set(expected.keys()));
          ids.forEach((id, index) => {
            const probability = (candidates.weights[index] ?? 0) / candidates.total;
            expect(probability).toBeCloseTo(expected.get(id) ?? 0, 8);
          });
        },
      ),
      { numRuns: 300, seed: 2 },
    );
  });

  it("finds the k-th largest by heap", () => {
    const values = Float32Array.from({ length: 500 }, (_, i) => (i * 7919) % 503);
    const sorted = [...values].sort((a, b) => b - a);
    for (const k of [1, 2, 17, 500]) {
      expect(smallestOfLargest(values, new Float32Array(k))).toBe(sorted[k - 1]);
    }
  });

  it("has an exponential good to 1e-10", () => {
    for (let nats = 0; nats < 60; nats += 0.0137) {
      expect(Math.abs(expMinus(nats) / Math.exp(-nats) - 1)).toBeLessThan(1e-10);
    }
    expect(expMinus(2000)).toBe(0);
  });
});

describe("a whole vocabulary", () => {
  const logit = fc.oneof(
    { weight: 20, arbitrary: fc.float({ min: -30, max: 30, noNaN: true }) },
    { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.NEGATIVE_INFINITY, -200, 30) },
  );
  // Lengths about whole stretches of 64 and, in long rows, of 512, and none.
  const lengths = fc.constantFrom(0, 1, 5, 63, 64, 65, 320, 1543, 8191, 8192, 8193, 9000);
  const vocabulary = lengths.chain((length) =>
    fc.array(logit, { minLength: length, maxLength: length }),
  );
  const rows = new LogitRows();
  rows.reserve(0); // the room for a page's rows is a page's, however few were asked for first
  /** Behind another row, as the rows of a step lie. */
  const placed = (logits: readonly number[], before: number): Float32Array => {
    const all = rows.reserve(before + logits.length).fill(1e9);
    all.set(logits, before);
    return all.subarray(before);
  };

  it("has the likeliest id that a plain look finds", () => {
    fc.assert(
      fc.property(vocabulary, fc.nat(600), (logits, before) => {
        expect(rows.likeliest(placed(logits, before))).toBe(argmax(Float32Array.from(logits)));
      }),
      { numRuns: 50 },
    );
  });

  it("is drawn from at u of its mass, to a millionth", () => {
    fc.assert(
      fc.property(
        vocabulary,
        fc.nat(600),
        fc.double({ min: 0.05, max: 5, noNaN: true }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (logits, before, temperature, u) => {
          const id = rows.draw(placed(logits, before), temperature, u);
          const finite = logits.filter((value) => value > Number.NEGATIVE_INFINITY);
          if (finite.length === 0) {
            expect(id).toBeUndefined();
            return;
          }
          const top = Math.max(...finite);
          const weight = (value: number): number =>
            value > Number.NEGATIVE_INFINITY ? Math.exp((value - top) / temperature) : 0;
          const masses = logits.map((value) => weight(Math.fround(value)));
          const upTo = (end: number): number =>
            masses.slice(0, end).reduce((sum, mass) => sum + mass, 0);
          const total = upTo(masses.length);
          expect(masses[id ?? -1]).toBeGreaterThan(0);
          expect(upTo(id ?? 0) / total).toBeLessThan(u + 1e-6);
          expect(upTo((id ?? 0) + 1) / total).toBeGreaterThan(u - 1e-6);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("begins with the first id that weighs anything", () => {
    const logits = placed([...new Array<number>(1024).fill(-1e5), -3, 0], 0);
    expect(rows.draw(logits, 1, 0)).toBe(1024);
  });

  it("gives nothing where a logit is infinite, and refuses logits that lie elsewhere", () => {
    const endless = placed(new Array<number>(600).fill(1), 0);
    endless[7] = Number.POSITIVE_INFINITY;
    expect(rows.draw(endless, 1, 0.5)).toBeUndefined();
    expect(() => rows.likeliest(new Float32Array(600))).toThrow("reserve");
  });

  it("is never one that weighs less than rounding does, at the end of a stretch", () => {
    const random = seeded(7);
    for (let row = 0; row < 20; row++) {
      const rows = new LogitRows();
      const logits = rows.reserve(128);
      for (let id = 0; id < 128; id++) logits[id] = 5 * random();
      logits[63] = -100; // a bias
      const mass = (from: number): number =>
        logits.subarray(from, from + 64).reduce((sum, value) => sum + Math.exp(value), 0);
      const border = mass(0) / (mass(0) + mass(64));
      for (let i = -100; i <= 100; i++) {
        const id = rows.draw(logits, 1, border * (1 + i * 5e-9));
        expect(id).not.toBe(63);
      }
    }
  });

  it("is what the sampler draws from where nothing is left out", () => {
    const logits = Array.from({ length: 3000 }, (_, id) => Math.sin(id) * 4);
    for (let seed = 0; seed < 5; seed++) {
      const whole = sample(logits, { temperature: 0.8, seed });
      const sorted = sample(logits, { temperature: 0.8, seed, topK: 2999 });
      expect(whole.tokens).toEqual(sorted.tokens);
    }
  });
});

describe("order of work", () => {
  const LOGITS = [1, 2, 3, 4];

  it("forbids, biases and penalises before it chooses", () => {
    expect(greedy(LOGITS, {})).toBe(3);
    expect(greedy(LOGITS, { allowedTokenIds: [0, 1] })).toBe(1);
    expect(greedy(LOGITS, { badWords: [[3]] })).toBe(2);
    expect(greedy(LOGITS, { badWords: [[1, 3]] }, { output: [1] })).toBe(2);
    expect(greedy(LOGITS, { badWords: [[1, 3]] }, { output: [2] })).toBe(3);
    expect(greedy(LOGITS, { logitBias: new Map([[0, 100]]) })).toBe(0);
    // A bias does not bring back what is forbidden.
    expect(greedy(LOGITS, { allowedTokenIds: [0, 1], logitBias: new Map([[3, 100]]) })).toBe(1);
  });

  it("holds stops back until minTokens", () => {
    const params = { minTokens: 2, eosTokenIds: [3], stopTokenIds: [2] };
    expect(greedy(LOGITS, params, { output: [0] })).toBe(1);
    expect(greedy(LOGITS, params, { output: [0, 0] })).toBe(3);
  });

  it("penalises by vLLM's formulas", () => {
    expect(greedy([1, 2, 3, 3.1], { repetitionPenalty: 1.2 }, { prompt: [3] })).toBe(2);
    expect(greedy([-4, -1, -3, -2], { repetitionPenalty: 2.5 }, { output: [1] })).toBe(3);
    expect(greedy(LOGITS, { frequencyPenalty: 0.6 }, { output: [3] })).toBe(3);
    expect(greedy(LOGITS, { frequencyPenalty: 0.6 }, { output: [3, 3] })).toBe(2);
    expect(greedy(LOGITS, { presencePenalty: 1.5 }, { output: [3] })).toBe(2);
    // Only the output counts for presence and frequency.
    expect(greedy(LOGITS, { presencePenalty: 1.5 }, { prompt: [3] })).toBe(3);
  });

  it("takes the lowest of equals, and says when nothing is left", () => {
    expect(greedy([1, 5, 5], {})).toBe(1);
    expect(sample([Number.NaN, Number.NaN], { temperature: 0 }).fault?.message).toMatch(/finite/);
    expect(sample([1, 2], { allowedTokenIds: [7] }).fault).toBeDefined();
    expect(greedy([Number.NaN, 1, 0], {})).toBe(1);
  });
});

describe("a mask of allowed ids", () => {
  it("forbids word by word and bit by bit, and what it does not reach", () => {
    const random = (at: number): number => uniform(keyOfSeed(5), at);
    const mask = Int32Array.of(-1, 0, 0b1010_0001, 1 << 31, 0x7fffffff | 0);
    const logits = Float32Array.from({ length: 150 }, (_, id) => random(id));
    const before = logits.slice();
    applyMask(logits, mask);
    logits.forEach((value, id) => {
      const allowed = (((mask[id >> 5] ?? 0) >>> (id & 31)) & 1) === 1;
      expect(value, `id ${id}`).toBe(allowed ? before[id] : Number.NEGATIVE_INFINITY);
    });
    const longer = Float32Array.of(...before, 1, 2);
    applyMask(longer, mask.subarray(0, 1));
    expect([...longer.subarray(0, 32)]).toEqual([...before.subarray(0, 32)]);
    expect(longer.subarray(32).every((value) => value === Number.NEGATIVE_INFINITY)).toBe(true);
  });

  it("knows bad words by their last ids, and ids beyond the vocabulary by nothing", () => {
    const LOGITS = [1, 2, 3, 4];
    expect(greedy(LOGITS, { badWords: [[], [9]] })).toBe(3);
    expect(greedy(LOGITS, { badWords: [[0, 1, 3]] }, { output: [1] })).toBe(3);
    expect(greedy(LOGITS, { badWords: [[0, 1, 3]] }, { output: [2, 0, 1] })).toBe(2);
    expect(greedy(LOGITS, { logitBias: new Map([[9, 50]]) })).toBe(3);
  });
});

describe("penalties", () => {
  it("count each id of the prompt or the output once for repetition, taken back with the step", () => {
    const both = { repetitionPenalty: 2 };
    expect(greedy([4, 3.9, 2.1, 0], both, { prompt: [0], output: [0, 1, 1] })).toBe(2);
    expect(greedy([4, 1.9, 0, 0], both, { prompt: [0], output: [0] })).toBe(0);
    const sampler = new TokenSampler();
    const params = { ...DEFAULT_SAMPLING, temperature: 0, frequencyPenalty: 1, maxTokens: 9 };
    sampler.add(
      new LiveSequence(
        { prompt: [0], params },
        { id: 0, index: 0, group: [0], arrival: 0, maxContext: 9 },
      ),
    );
    const at = (...context: number[]): number | undefined =>
      sampler.sample(
        {
          ...{ id: 0, context: Int32Array.from(context), start: context.length - 1, count: 1 },
          ...{ drafted: 0, blocks: [], want: "last" },
        },
        Float32Array.of(0, 3, 1.5),
      ).tokens[0];
    expect([at(0), at(0, 1), at(0, 1, 1), at(0, 1, 1)]).toEqual([1, 1, 2, 2]);
    expect(at(0, 1)).toBe(1); // two steps failed: what came after is forgotten
    expect(() => at(0, 1, -1, -1)).toThrow(/before the one it follows/);
  });
});

describe("logprobs", () => {
  const LOGITS = [0, 1, 2, 3];
  const total = Math.log(LOGITS.reduce((sum, logit) => sum + Math.exp(logit), 0));

  it("are raw: before bias, penalties and temperature", () => {
    const params = { temperature: 0, logprobs: 2, logitBias: new Map([[0, 50]]) };
    const found = sample(LOGITS, params).logprobs?.[0];
    expect(found?.chosen).toBeCloseTo(0 - total, 6);
    expect(found?.rank).toBe(4);
    expect(found?.topIds).toEqual([3, 2]);
    expect(found?.topLogprobs[0]).toBeCloseTo(3 - total, 6);
  });

  it("may be processed, or logits", () => {
    const params = { temperature: 0.5, topK: 2, logprobs: 4, seed: 1 };
    const processed = sample(LOGITS, params, { options: { logprobsMode: "processed_logprobs" } });
    const pair = Math.log(Math.exp(6) + Math.exp(4));
    expect(processed.logprobs?.[0]?.topLogprobs[0]).toBeCloseTo(6 - pair, 5);
    expect(processed.logprobs?.[0]?.topLogprobs[2]).toBe(Number.NEGATIVE_INFINITY);
    const raw = sample(LOGITS, params, { options: { logprobsMode: "raw_logits" } });
    expect(raw.logprobs?.[0]?.topLogprobs).toEqual([3, 2, 1, 0]);
    const logits = sample(LOGITS, params, { options: { logprobsMode: "processed_logits" } });
    expect(logits.logprobs?.[0]?.topLogprobs.slice(0, 2)).toEqual([6, 4]);
  });

  it("cover the vocabulary and ids asked for", () => {
    const all = sample(LOGITS, { temperature: 0, logprobs: -1 }).logprobs?.[0];
    expect(all?.topIds).toEqual([3, 2, 1, 0]);
    const some = sample(LOGITS, { temperature: 0, logprobs: 1, logprobTokenIds: [0, 3] })
      .logprobs?.[0];
    expect(some?.topIds).toEqual([3, 0]);
  });

  it("give the lower id first of equals, no more than asked, and rank by what is greater", () => {
    const ties = [1, 3, 3, 0, 3, 2];
    const two = sample(ties, { temperature: 0, logprobs: 2 }).logprobs?.[0];
    expect(two?.topIds).toEqual([1, 2]);
    const none = sample(ties, { temperature: 0, logprobs: 0 }).logprobs?.[0];
    // As vLLM counts: all that are at least as likely.
    expect([none?.topIds, none?.rank]).toEqual([[], 3]);
    const last = sample(ties, { temperature: 0, logprobs: 6, allowedTokenIds: [4] }).logprobs?.[0];
    expect(last?.topIds).toEqual([1, 2, 4, 5, 0, 3]);
  });

  it("of the prompt are of the id that follows", () => {
    const sampler = new TokenSampler();
    sampler.attach(0);
    const params = { ...DEFAULT_SAMPLING, promptLogprobs: 1 };
    const place = { id: 0, index: 0, group: [0], arrival: 0, maxContext: 9 };
    sampler.add(new LiveSequence({ prompt: [0, 2, 3], params }, place));
    const context = Int32Array.from([0, 2, 3]);
    const row = {
      id: 0,
      context,
      start: 0,
      count: 3,
      drafted: 0,
      blocks: [],
      want: "all",
    } as const;
    const logits = Float32Array.from([...LOGITS, ...LOGITS, ...LOGITS]);
    const found = sampler.prompt(row, 0, logits, 4);
    expect(found).toHaveLength(2);
    expect(found.map(({ rank }) => rank)).toEqual([2, 1]);
    expect(found[0]?.chosen).toBeCloseTo(2 - total, 6);
    // Nobody asked for those of another sequence.
    sampler.add(
      new LiveSequence({ prompt: [0, 2, 3], params: DEFAULT_SAMPLING }, { ...place, id: 1 }),
    );
    expect(sampler.prompt({ ...row, id: 1 }, 0, logits, 4)).toEqual([]);
    expect(sampler.prompt({ ...row, id: 2 }, 0, logits, 4)).toEqual([]);
  });
});

describe("draws", () => {
  it("depend on seed and position alone", () => {
    const key = keyOfSeed(1234);
    expect(uniform(key, 7)).toBe(uniform(keyOfSeed(1234), 7));
    expect(uniform(key, 7)).not.toBe(uniform(key, 8));
    expect(uniform(keyOfSeed(1234 + 2 ** 32), 7)).not.toBe(uniform(key, 7));
    expect(uniform(keyOfSeed(-1), 7)).not.toBe(uniform(keyOfSeed(1), 7));
    expect(keyOfSeed(-1234n)).toEqual(keyOfSeed(-1234));
    const wide = [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n - 2n, -(2n ** 63n)];
    expect(new Set(wide.map((seed) => uniform(keyOfSeed(seed), 7))).size).toBe(wide.length);
  });

  it("are uniform over positions, seeds and sequences: chi-square", () => {
    const draws: readonly ((i: number) => number)[] = [
      (i) => uniform(keyOfSeed(42), i),
      (i) => uniform(keyOfSeed(i), 5),
      (i) => uniform(keyOfSequence(0, i), 5),
    ];
    for (const draw of draws) {
      const counts = new Array<number>(64).fill(0);
      for (let i = 0; i < 64_000; i++) {
        const value = draw(i);
        counts[Math.floor(value * 64)] = (counts[Math.floor(value * 64)] ?? 0) + 1;
      }
      const chiSquare = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
      expect(chiSquare).toBeLessThan(92); // 63 degrees of freedom, p = 0.01
      expect(chiSquare).toBeGreaterThan(38); // nor too even
    }
  });
});

describe("constraints", () => {
  /** Allows even ids only, and remembers what it was told. */
  class Even implements Constraint {
    readonly accepted: number[] = [];

    mask(mask: Int32Array): boolean {
      mask.fill(0x55555555);
      return true;
    }

    accept(id: number): boolean {
      this.accepted.push(id);
      return id % 2 === 0;
    }

    rollback(count: number): void {
      this.accepted.splice(this.accepted.length - count);
    }
  }

  it("mask before anything else and hear of each id", () => {
    const constraint = new Even();
    const logits = Array.from({ length: 40 }, (_, id) => id);
    expect(greedy(logits, {}, { constraint })).toBe(38);
    expect(greedy(logits, { logprobs: 1 }, { constraint: new Even() })).toBe(38);
    expect(constraint.accepted).toEqual([38]);
  });

  it("go back when a step is sampled again", () => {
    const constraint = new Even();
    const sampler = new TokenSampler();
    const params = { ...DEFAULT_SAMPLING, temperature: 0, maxTokens: 9 };
    const request = { prompt: [1], params, constraints: [constraint] };
    sampler.add(
      new LiveSequence(request, { id: 0, index: 0, group: [0], arrival: 0, maxContext: 9 }),
    );
    const rowAt = (context: number[]): BatchRow => ({
      id: 0,
      context: Int32Array.from(context),
      start: context.length - 1,
      count: 1,
      drafted: 0,
      blocks: [],
      want: "last",
    });
    const logits = (): Float32Array => Float32Array.from({ length: 32 }, (_, id) => id);
    sampler.sample(rowAt([1]), logits());
    sampler.sample(rowAt([1, 30]), logits());
    sampler.sample(rowAt([1, 30]), logits()); // the step failed and comes again
    expect(constraint.accepted).toEqual([30, 30]);
    sampler.sample(rowAt([1, 30]), new Float32Array(32).fill(Number.NaN));
    // With steps in flight the next one asks already.
    expect(sampler.sample(rowAt([1, 30, -1]), logits()).tokens).toEqual([]);
    sampler.sample(rowAt([1, 30]), logits());
    expect(sampler.takeFault(0)).toBeUndefined(); // a fault goes with its step
  });
});
