/** Random request mixes, many of them: whatever the shape of a step, each request gets the ids it gets alone. */
import { describe, expect, it } from "vitest";
import { checkMixes } from "../support/engine-mixes.ts";

describe("random mixes", () => {
  it("give each request its own ids, end it once and leak nothing", () => {
    const met = checkMixes(500);
    // The mixes do reach what they are for.
    expect(Math.min(...Object.values(met))).toBeGreaterThan(100);
  }, 120_000);
});
