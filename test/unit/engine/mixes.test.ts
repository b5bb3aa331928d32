/** A few random request mixes; test/conformance/engine-mixes.test.ts runs many. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arrival, checkMixes, MAX_CONTEXT, run } from "../../support/engine-mixes.ts";
import { engineWorld } from "../../support/engine-world.ts";

describe("random mixes", () => {
  it("give each request its own ids, end it once and leak nothing", () => {
    const met = checkMixes(40);
    expect(Math.min(...Object.values(met))).toBeGreaterThan(5);
  });

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
