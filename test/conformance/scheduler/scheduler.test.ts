/**
 * The scheduler, its own policies off, beside vLLM 0.32's: rows, blocks, what was found in the
 * cache, who was preempted, who ended and the names in the cache, in every step of seeded
 * arrivals. vLLM's steps were written down by scripts/maintain/proofs/scheduler/.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { digest, KEPT, type Kept } from "../../../scripts/maintain/proofs/scheduler/compare.ts";
import { ourSteps } from "../../../scripts/maintain/proofs/scheduler/ours.ts";
import { STEPS, scenario } from "../../../scripts/maintain/proofs/scheduler/scenario.ts";

const kept = JSON.parse(readFileSync(KEPT, "utf8")) as Kept[]; // written by its script

it("keeps scenarios of every kind", () => {
  const all = kept.map(({ seed }) => scenario(seed));
  const kinds = [
    all.some(({ drafts }) => drafts > 0),
    all.some(({ policy }) => policy === "priority"),
    all.some(({ chunked }) => !chunked),
    all.some(({ caching }) => !caching),
    all.some(({ stops }) => stops),
    all.some(({ aborts }) => aborts.length > 0),
  ];
  expect(kinds).toEqual(kinds.map(() => true));
  expect(kept.every(({ steps }) => steps.length === 8 * STEPS)).toBe(true);
});

describe("schedules as vLLM 0.32 does", () => {
  it.each(kept)("seed $seed", ({ seed, differsAt, steps }) => {
    const until = 8 * (differsAt ?? STEPS);
    const ours = ourSteps(scenario(seed)).map(digest).join("");
    expect(ours.slice(0, until)).toBe(steps.slice(0, until));
  });
});
