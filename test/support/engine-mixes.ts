/** Random request mixes: whatever the shape of a step, each request gets the ids it gets alone. */
import fc from "fast-check";
import { expect } from "vitest";
import { VirtualClock } from "../../device/clocks/virtual.ts";
import { NullDevice } from "../../device/null/device.ts";
import { TokenSampler } from "../../engine/sample/sampler.ts";
import type { Constraint, GenerationRequest } from "../../engine/sequence.ts";
import { DraftModelProposer } from "../../engine/speculate/draft-model.ts";
import { NgramProposer } from "../../engine/speculate/ngram.ts";
import type { Proposer } from "../../engine/speculate/proposer.ts";
import { SuffixProposer } from "../../engine/speculate/suffix.ts";
import { engineWorld, finishes, outputs, request, VOCABULARY } from "./engine-world.ts";

export interface Arrival {
  readonly at: number;
  readonly request: GenerationRequest;
  /** Held by a grammar. */
  readonly constrained: boolean;
  /** The client leaves at this time. */
  readonly leaves: number | undefined;
}

/** A grammar whose next ids depend on all before: it finds out if an id is missed or told twice. */
class Residues implements Constraint {
  readonly #sums = [0];

  mask(mask: Int32Array): boolean {
    const residue = (this.#sums[this.#sums.length - 1] ?? 0) % 5;
    for (let id = residue; id < 32 * mask.length; id += 5) {
      mask[id >> 5] = (mask[id >> 5] ?? 0) | (1 << (id & 31));
    }
    return true;
  }

  accept(id: number): boolean {
    const sum = this.#sums[this.#sums.length - 1] ?? 0;
    if (id % 5 !== sum % 5) return false;
    this.#sums.push(sum + id + 1);
    return true;
  }

  rollback(count: number): void {
    if (count >= this.#sums.length) throw new Error("Taken back more than was told.");
    this.#sums.length -= count;
  }
}

const requestOf = (
  { request: plain, constrained }: Arrival,
  n = plain.n ?? 1,
): GenerationRequest =>
  constrained
    ? { ...plain, n, constraints: Array.from({ length: n }, () => new Residues()) }
    : { ...plain, n };

const sampling = fc.record({
  maxTokens: fc.integer({ min: 1, max: 24 }),
  temperature: fc.constantFrom(0, 0, 0.7, 1.3),
  seed: fc.integer({ min: 0, max: 1e6 }),
  topK: fc.constantFrom(0, 5),
  topP: fc.constantFrom(1, 0.8),
  minP: fc.constantFrom(0, 0.05),
  repetitionPenalty: fc.constantFrom(1, 1.2),
  frequencyPenalty: fc.constantFrom(0, 0.5),
  minTokens: fc.constantFrom(0, 3),
  eosTokenIds: fc.constantFrom([], [3, 4, 5, 6, 7]),
  stopTokenIds: fc.constantFrom([], [11, 12, 13]),
});

/** Few prefixes, so that the cache is hit. */
const prompt = fc
  .tuple(
    fc.constantFrom(0, 1, 2),
    fc.integer({ min: 0, max: 40 }),
    fc.array(fc.nat(90), { maxLength: 3 }),
  )
  .map(([stem, length, tail]) => [
    stem,
    ...Array.from({ length }, (_, i) => (stem * 31 + i * 7) % 97),
    ...tail,
  ]);

export const arrival: fc.Arbitrary<Arrival> = fc
  .record({
    at: fc.nat(20_000),
    prompt,
    params: sampling,
    n: fc.constantFrom(1, 1, 1, 3),
    priority: fc.constantFrom(0, 0, -1, 2),
    salt: fc.constantFrom(undefined, undefined, "a"),
    wantsLogprobs: fc.boolean(),
    wantsPrompt: fc.constantFrom(false, false, true),
    constrained: fc.constantFrom(false, false, true),
    leaves: fc.option(fc.nat(30_000), { nil: undefined, freq: 4 }),
  })
  .map((of) => ({
    at: of.at,
    leaves: of.leaves,
    constrained: of.constrained,
    request: request(
      of.prompt,
      {
        ...of.params,
        ...(of.wantsLogprobs ? { logprobs: 2 } : {}),
        ...(of.wantsPrompt ? { promptLogprobs: 1 } : {}),
      },
      { n: of.n, priority: of.priority, ...(of.salt === undefined ? {} : { salt: of.salt }) },
    ),
  }));

const shape = fc.record({
  blocks: fc.integer({ min: 20, max: 80 }),
  maxRows: fc.integer({ min: 1, max: 10 }),
  maxTokens: fc.integer({ min: 4, max: 64 }),
  inFlight: fc.constantFrom(1 as const, 2 as const),
  mixLong: fc.constantFrom(true, true, false),
  longRowsPerStep: fc.constantFrom(1, 2, 10),
  longRunsToEnd: fc.constantFrom(false, false, true),
});

const options = fc.record({
  enablePrefixCaching: fc.boolean(),
  enableChunkedPrefill: fc.boolean(),
  longPrefillTokenThreshold: fc.constantFrom(0, 7),
  schedulingPolicy: fc.constantFrom("fcfs" as const, "priority" as const),
  skipAhead: fc.constantFrom(0, 8),
  decodeShare: fc.constantFrom(0, 0.5),
  kvEvents: fc.boolean(),
});

const guesser = fc.constantFrom(undefined, undefined, "ngram", "suffix", "draft");

/** Which steps fail: every so many, with or without the cache. */
const trouble = fc.constantFrom(
  undefined,
  undefined,
  { every: 6, kvLost: false },
  { every: 9, kvLost: true },
);

/** Guesses from short matches, so that there are many, right and wrong. */
function proposerOf(kind: string | undefined, clock: VirtualClock): Proposer | undefined {
  if (kind === "ngram") return new NgramProposer({ min: 1, max: 3 });
  if (kind === "suffix") return new SuffixProposer({ maxDepth: 4 });
  if (kind !== "draft") return undefined;
  const limits = {
    blockSize: 8,
    blocks: 40,
    maxRows: 10,
    maxTokens: 20,
    maxContext: MAX_CONTEXT,
    maxDrafted: 0,
    inFlight: 1,
  } as const;
  const sampler = new TokenSampler();
  return new DraftModelProposer(
    new NullDevice({ clock, sampler, limits, vocabSize: VOCABULARY, seed: 7, price: () => 300 }),
  );
}

export const MAX_CONTEXT = 76;

export function run(
  arrivals: readonly Arrival[],
  world: ReturnType<typeof engineWorld<VirtualClock>>,
) {
  const { clock, engine } = world;
  const ids: (readonly number[])[] = [];
  engine.subscribe((event) => {
    if (event.type === "step-finished") engine.check();
  });
  arrivals.forEach((each, index) => {
    clock.at(each.at, () => {
      const group = engine.submit(requestOf(each));
      ids[index] = group;
      if (each.leaves !== undefined) {
        clock.at(each.at + each.leaves, () => {
          for (const id of group) engine.finish(id, "abort");
        });
      }
    });
  });
  clock.runReady();
  engine.check();
  return ids;
}

/** Ids that each completion gets when nobody else is there. */
function alone(each: Arrival): number[][] {
  const world = engineWorld({ limits: { maxContext: MAX_CONTEXT } });
  return Array.from({ length: each.request.n ?? 1 }, (_, index) => {
    const { params } = each.request;
    const seed = BigInt(params.seed ?? 0) + BigInt(index);
    const before = world.events.length;
    world.engine.submit({ ...requestOf(each, 1), params: { ...params, seed } });
    world.clock.runReady();
    return [...outputs(world.events.slice(before)).values()][0] ?? [];
  });
}

/** What the mixes met on their way: a property that never preempts says nothing of preemption. */
export type Met = Record<"preempted" | "failed" | "accepted" | "cached" | "forked", number>;

/** Each request gets its own ids, ends once and leaks nothing, in `numRuns` mixes. */
export function checkMixes(numRuns: number): Met {
  const seen = { preempted: 0, failed: 0, accepted: 0, cached: 0, forked: 0 };
  fc.assert(
    fc.property(
      fc.array(arrival, { minLength: 1, maxLength: 14 }),
      shape,
      options,
      fc.record({ kind: guesser, adaptive: fc.boolean(), fails: trouble }),
      (arrivals, limits, of, { kind, adaptive, fails }) => {
        const clock = new VirtualClock();
        const proposer = proposerOf(kind, clock);
        let failures = 0; // two are never taken for a culprit
        const world = engineWorld({
          clock,
          limits: { ...limits, maxContext: MAX_CONTEXT },
          options: {
            ...of,
            ...(proposer && { speculative: { proposer, maxTokens: 4, adaptive } }),
          },
          trouble: ({ step }) => {
            if (fails === undefined || step % fails.every !== 3 || failures++ >= 2)
              return undefined;
            return { ok: false, error: new Error("trouble"), kvLost: fails.kvLost };
          },
        });
        const groups = run(arrivals, world);
        for (const event of world.events) {
          seen.preempted += event.type === "request-preempted" ? 1 : 0;
          seen.failed += event.type === "step-failed" ? 1 : 0;
          seen.accepted += event.type === "tokens-emitted" ? event.accepted : 0;
          seen.cached += event.type === "request-scheduled" ? event.cachedTokens : 0;
          seen.forked += event.type === "step-finished" ? event.waitingDeferred : 0;
        }
        const got = outputs(world.events);
        const ends = finishes(world.events);
        const all = groups.flat().sort((a, b) => a - b);
        expect(ends.map((event) => event.id).sort((a, b) => a - b)).toEqual(all);
        expect([...world.device.released].sort((a, b) => a - b)).toEqual(all);
        expect(world.engine.running + world.engine.waiting).toBe(0);
        expect(world.engine.kvUsage).toBe(0);
        arrivals.forEach((each, index) => {
          const expected = alone(each);
          groups[index]?.forEach((id, choice) => {
            const ids = got.get(id) ?? [];
            const end = ends.find((event) => event.id === id);
            const whole = expected[choice] ?? [];
            if (end?.reason === "abort") expect(ids).toEqual(whole.slice(0, ids.length));
            else expect(ids).toEqual(whole);
            expect(end?.reason).not.toBe("error");
            expect(end?.outputTokens).toBe(ids.length);
          });
        });
      },
    ),
    { numRuns, seed: 20261123 },
  );
  return seen;
}
