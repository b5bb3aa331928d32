/** What a batch promises: lent until its step ends; a copy made then can be replayed. */
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../device/clocks/virtual.ts";
import type { Batch, Device, Sampled, SequenceId } from "../../../device/device.ts";
import { NullDevice } from "../../../device/null/device.ts";
import { Engine } from "../../../engine/engine.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import { NgramProposer } from "../../../engine/speculate/ngram.ts";
import { sha256 } from "../../../server/sha256.ts";
import { copyBatch } from "../../support/record.ts";

type Ids = readonly (readonly [SequenceId, readonly number[]])[];

const idsOf = (sampled: ReadonlyMap<SequenceId, Sampled>): Ids =>
  [...sampled].map(([id, { tokens }]) => [id, tokens] as const);

const LIMITS = {
  blockSize: 4,
  blocks: 40,
  maxRows: 8,
  maxTokens: 24,
  maxContext: 96,
  maxDrafted: 4,
} as const;

function nullDevice(clock: VirtualClock, sampler: TokenSampler, inFlight: 1 | 2): NullDevice {
  const limits = { ...LIMITS, inFlight };
  // Ids of its own, as the context says: equal contexts, equal ids.
  return new NullDevice({
    clock,
    sampler,
    limits,
    vocabSize: 97,
    seed: 3,
    values: "ids",
    price: () => 50,
  });
}

/** Runs some requests; batches as copied when they came, as copied when they ended, and what was sampled. */
function record(inFlight: 1 | 2, guesses: boolean) {
  const clock = new VirtualClock();
  const sampler = new TokenSampler();
  const inner = nullDevice(clock, sampler, inFlight);
  const taken: { readonly lent: Batch; readonly given: Batch; ended?: Batch; ids?: Ids }[] = [];
  const device: Device = {
    name: "recorder",
    limits: inner.limits,
    vocabSize: inner.vocabSize,
    can: inner.can,
    release: (ids) => inner.release(ids),
    close: () => inner.close(),
    execute: (batch, done) => {
      const entry: (typeof taken)[number] = { lent: batch, given: copyBatch(batch) };
      taken.push(entry);
      inner.execute(batch, (result) => {
        entry.ended = copyBatch(batch);
        if (result.ok) entry.ids = idsOf(result.sampled);
        done(result);
      });
    },
  };
  const proposer = new NgramProposer({ min: 1, max: 3 });
  const engine = new Engine(
    { device, clock, sampler, sha256 },
    {
      maxNumSeqs: 8,
      maxNumBatchedTokens: 24,
      ...(guesses && { speculative: { proposer, maxTokens: 3, adaptive: false } }),
    },
  );
  for (let i = 0; i < 12; i++) {
    clock.at(70 * i, () => {
      const prompt = Array.from({ length: 5 + ((i * 7) % 30) }, (_, at) => (i * at) % 97);
      engine.submit({ prompt, params: { ...DEFAULT_SAMPLING, maxTokens: 30, temperature: 0 } });
    });
  }
  clock.runReady();
  return taken;
}

describe("a batch", () => {
  it.each([
    [1, false],
    [2, false],
  ] as const)(
    "copied when it comes can be replayed on another device (%i in flight)",
    (inFlight, guesses) => {
      const taken = record(inFlight, guesses);
      const clock = new VirtualClock();
      const device = nullDevice(clock, new TokenSampler(), inFlight);
      const replayed: Ids[] = [];
      for (const { given } of taken) {
        device.execute(given, (result) => {
          if (result.ok) replayed.push(idsOf(result.sampled));
        });
      }
      clock.runReady();
      expect(replayed).toEqual(taken.map(({ ids }) => ids));
      expect(taken.length).toBeGreaterThan(40);
    },
  );

  it.each([
    [1, false],
    [1, true],
    [2, false],
  ] as const)(
    "keeps what its step reads until the step ends (%i in flight, guesses: %s)",
    (inFlight, guesses) => {
      for (const { given, ended } of record(inFlight, guesses)) {
        given.rows.forEach((row, index) => {
          const after = ended?.rows[index];
          const blocks = Math.ceil((row.start + row.count) / LIMITS.blockSize);
          expect(after?.blocks.slice(0, blocks)).toEqual(row.blocks.slice(0, blocks));
          // A pending id may be known by then, nothing else may change.
          const ids = [...row.context].map((id, at) => (id < 0 ? after?.context[at] : id));
          expect([...(after?.context ?? [])]).toEqual(ids);
        });
      }
    },
  );

  it("is not kept for longer: who holds on to it sees later ids", () => {
    const taken = record(1, true);
    const changed = taken.filter(({ lent, given }) =>
      lent.rows.some(({ context, blocks }, index) => {
        const then = given.rows[index];
        return blocks.length !== then?.blocks.length || context.join() !== then.context.join();
      }),
    );
    expect(changed.length).toBeGreaterThan(taken.length / 2);
  });
});
