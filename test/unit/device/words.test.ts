/** Borrowed words: a narrow inner device must say what a wide one says. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import {
  type Batch,
  type BatchRow,
  type Device,
  type DeviceLimits,
  PENDING_TOKEN,
  type Sampler,
  type StepResult,
} from "../../../device/device.ts";
import { NullDevice } from "../../../device/null/device.ts";
import { borrowWords } from "../../../device/words/borrow.ts";
import { KeptContext } from "../../../device/words/kept-context.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";

const VOCAB = 50;

function nullDevice(clock: VirtualClock, sampler: Sampler, limits: Partial<DeviceLimits>): Device {
  return new NullDevice({
    clock,
    sampler,
    vocabSize: VOCAB,
    limits: {
      blockSize: 4,
      blocks: 1000,
      maxRows: 8,
      maxTokens: 1000,
      maxContext: 1000,
      maxDrafted: 4,
      inFlight: 1,
      ...limits,
    },
  });
}

function row(id: number, context: readonly number[], drafted = 0): BatchRow {
  return {
    id,
    context: Int32Array.from(context),
    start: 0,
    count: context.length,
    drafted,
    blocks: [],
    want: "last",
  };
}

async function execute(
  device: Device,
  clock: VirtualClock,
  rows: readonly BatchRow[],
): Promise<StepResult> {
  const batch: Batch = { step: 0, rows, copies: [] };
  const results: StepResult[] = [];
  device.execute(batch, (result) => results.push(result));
  await clock.run();
  const [result] = results;
  if (result === undefined || results.length > 1) throw new Error("A step ends once.");
  return result;
}

async function generate(device: Device, clock: VirtualClock, steps: number): Promise<number[][]> {
  const contexts = [[7, 8, 9], [3, 4], Array.from({ length: 30 }, (_, i) => i)];
  for (let step = 0; step < steps; step++) {
    const rows = contexts.map((context, id) => row(id, context));
    const result = await execute(device, clock, rows);
    if (!result.ok) throw result.error;
    for (const [id, { tokens }] of result.sampled) contexts[id]?.push(...tokens);
  }
  return contexts;
}

describe("borrowWords", () => {
  it("says the same through a rolling window, pieces of prompts and too small a pool", async () => {
    const clock = new VirtualClock();
    const sampler = new TokenSampler();
    const wide = await generate(nullDevice(clock, sampler, {}), clock, 40);
    const narrow = await borrowWords(sampler, async (shown) =>
      nullDevice(clock, shown, { blocks: 5, maxRows: 2, maxTokens: 6, maxContext: 16 }),
    );
    expect(await generate(narrow, clock, 40)).toEqual(wide);
  });

  it("folds ids the inner model does not have", async () => {
    const clock = new VirtualClock();
    const device = await borrowWords(new TokenSampler(), async (shown) =>
      nullDevice(clock, shown, {}),
    );
    const folded = await execute(device, clock, [row(0, [3, 4])]);
    const high = await execute(device, clock, [row(1, [3 + VOCAB * 7, 4 + VOCAB * 9])]);
    if (!folded.ok || !high.ok) throw new Error("A step failed.");
    expect(high.sampled.get(1)?.tokens).toEqual(folded.sampled.get(0)?.tokens);
  });

  it("verifies guesses and goes on from those that held", async () => {
    const clock = new VirtualClock();
    const sampler = new TokenSampler();
    const [expected] = await generate(nullDevice(clock, sampler, {}), clock, 3);
    const [a = 0, b = 0, c = 0] = expected?.slice(3) ?? [];
    const device = await borrowWords(sampler, async (shown) => nullDevice(clock, shown, {}));
    const wrong = (b + 1) % VOCAB;
    const guessed = await execute(device, clock, [row(0, [7, 8, 9, a, wrong], 2)]);
    if (!guessed.ok) throw guessed.error;
    expect(guessed.sampled.get(0)).toMatchObject({ tokens: [a, b], accepted: 1 });
    const next = await execute(device, clock, [row(0, [7, 8, 9, a, b])]);
    expect(next.ok && next.sampled.get(0)?.tokens).toEqual([c]);
  });

  it("scores every prompt position once, whatever the window, the pieces and the pool", async () => {
    const asked = async (limits: Partial<DeviceLimits>, pieces: readonly number[]) => {
      const clock = new VirtualClock();
      const positions: number[] = [];
      const inner = new TokenSampler();
      const sampler: Sampler = {
        sample: (of, logits) => inner.sample(of, logits),
        prompt: ({ context }, position, logits, width) =>
          Array.from({ length: logits.length / width }, (_, index) => {
            positions.push(position + index);
            const next = context[position + index + 1] ?? 0;
            const chosen = logits[index * VOCAB + next] ?? Number.NaN;
            return { chosen, rank: 1, topIds: [], topLogprobs: [] };
          }),
      };
      const device = await borrowWords(sampler, async (shown) => nullDevice(clock, shown, limits));
      const context = Array.from({ length: 45 }, (_, index) => (index * 7 + 400) % 120);
      const scores: number[] = [];
      let start = 0;
      let last: StepResult | undefined;
      for (const count of pieces) {
        last = await execute(device, clock, [{ ...row(3, context), start, count, want: "all" }]);
        if (!last.ok) throw last.error;
        scores.push(...(last.sampled.get(3)?.prompt ?? []).map((its) => its.chosen));
        start += count;
      }
      return { positions, scores, tokens: last?.ok && last.sampled.get(3)?.tokens };
    };
    const wide = await asked({}, [45]);
    expect(wide.positions).toEqual(Array.from({ length: 45 }, (_, index) => index));
    expect(wide.tokens).toHaveLength(1);
    const narrow = { blocks: 6, maxRows: 2, maxTokens: 5, maxContext: 16 };
    expect(await asked(narrow, [45])).toEqual(wide);
    expect(await asked(narrow, [9, 20, 16])).toEqual(wide);
  });

  it("refuses hidden states by naming the row", async () => {
    const clock = new VirtualClock();
    const device = await borrowWords(new TokenSampler(), async (shown) =>
      nullDevice(clock, shown, {}),
    );
    const result = await execute(device, clock, [{ ...row(5, [1, 2]), want: "hidden" }]);
    expect(result.ok === false && result.culprits).toEqual([5]);
  });

  it("are given the same buffer again and again: a step writes what is new", async () => {
    const clock = new VirtualClock();
    const buffers: ArrayBufferLike[] = [];
    const device = await borrowWords(new TokenSampler({}), async (sampler) => {
      const inner = nullDevice(clock, sampler, {});
      const { execute } = inner;
      inner.execute = (given, done) => {
        for (const { context } of given.rows) buffers.push(context.buffer);
        execute.call(inner, given, done);
      };
      return inner;
    });
    const context = Array.from({ length: 500 }, (_, at) => (at * 7) % 90); // some beyond the vocabulary
    for (let step = 0; step < 200; step++) {
      await execute(device, clock, [row(1, [...context, step % VOCAB, 3], 1)]);
      context.push(step % VOCAB);
    }
    expect(buffers.length).toBe(200);
    expect(new Set(buffers).size).toBeLessThanOrEqual(2);
  });
});

describe("a kept context", () => {
  it("is the context as it is now, whatever was guessed, pending or folded before", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            more: fc.array(fc.nat(120), { minLength: 1, maxLength: 9 }),
            guesses: fc.array(fc.nat(120), { maxLength: 3 }),
            pending: fc.boolean(),
            last: fc.nat(120),
          }),
          { minLength: 1, maxLength: 12 },
        ),
        (steps) => {
          const kept = new KeptContext(VOCAB);
          const known: number[] = [];
          for (const { more, guesses, pending, last } of steps) {
            known.push(...more);
            // With a step under way the last id is not known yet, and nothing is guessed.
            const given = pending ? [...known.slice(0, -1), PENDING_TOKEN] : [...known, ...guesses];
            const seen = pending ? [...known.slice(0, -1), last] : given;
            kept.update(row(1, given, pending ? 0 : guesses.length), last);
            expect([...kept.ids]).toEqual(seen);
            const origin = Math.floor(given.length / 2);
            expect([...kept.window(origin)]).toEqual(seen.slice(origin).map((id) => id % VOCAB));
          }
        },
      ),
      { numRuns: 100, seed: 4 },
    );
  });
});
