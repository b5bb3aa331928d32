/** Random request mixes: whatever the shape of a step, each request gets the ids it gets alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { VirtualClock } from "../../../device/clock.ts";
import type { GenerationRequest } from "../../../engine/sequence.ts";
import { engineWorld, finishes, outputs, request } from "../../support/engine-world.ts";

interface Arrival {
  readonly at: number;
  readonly request: GenerationRequest;
  /** The client leaves at this time. */
  readonly leaves: number | undefined;
}

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

const arrival: fc.Arbitrary<Arrival> = fc
  .record({
    at: fc.nat(20_000),
    prompt,
    params: sampling,
    n: fc.constantFrom(1, 1, 1, 3),
    priority: fc.constantFrom(0, 0, -1, 2),
    salt: fc.constantFrom(undefined, undefined, "a"),
    wantsLogprobs: fc.boolean(),
    wantsPrompt: fc.constantFrom(false, false, true),
    leaves: fc.option(fc.nat(30_000), { nil: undefined, freq: 4 }),
  })
  .map((of) => ({
    at: of.at,
    leaves: of.leaves,
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

const MAX_CONTEXT = 76;

function run(arrivals: readonly Arrival[], world: ReturnType<typeof engineWorld<VirtualClock>>) {
  const { clock, engine } = world;
  const ids: (readonly number[])[] = [];
  engine.subscribe((event) => {
    if (event.type === "step-finished") engine.check();
  });
  arrivals.forEach((each, index) => {
    clock.at(each.at, () => {
      const group = engine.submit(each.request);
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
    const seed = (params.seed ?? 0) + index;
    const before = world.events.length;
    world.engine.submit({ ...each.request, n: 1, params: { ...params, seed } });
    world.clock.runReady();
    return [...outputs(world.events.slice(before)).values()][0] ?? [];
  });
}

describe("random mixes", () => {
  it("gives each request its own ids, ends it once and leaks nothing", () => {
    fc.assert(
      fc.property(
        fc.array(arrival, { minLength: 1, maxLength: 14 }),
        shape,
        options,
        (arrivals, limits, of) => {
          const world = engineWorld({
            limits: { ...limits, maxContext: MAX_CONTEXT },
            options: of,
          });
          const groups = run(arrivals, world);
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
              expect(end?.outputTokens).toBe(ids.length);
            });
          });
        },
      ),
      { numRuns: 500, seed: 20261123 },
    );
  }, 60_000);

  it("tells the same story twice", () => {
    const arrivals = fc.sample(arrival, { numRuns: 60, seed: 5 });
    const log = (): string => {
      const world = engineWorld({
        limits: { maxContext: MAX_CONTEXT, blocks: 40 },
        options: { kvEvents: true },
      });
      run(arrivals, world);
      return JSON.stringify(world.events, (_, value: unknown) =>
        value instanceof Uint8Array ? [...value] : value,
      );
    };
    const first = log();
    expect(first.length).toBeGreaterThan(10_000);
    expect(log()).toBe(first);
  });
});
