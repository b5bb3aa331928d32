/** Whom a failing step is blamed on: trials alone, failures elsewhere, and who goes free. */
import { expect, it } from "vitest";
import type { LiveSequence } from "../../../engine/live-sequence.ts";
import { Recovery } from "../../../engine/recovery.ts";

interface Standing {
  status: "running" | "ended";
  inFlight: number;
  computed: number;
}

const sequence = (its: Partial<Standing> = {}): LiveSequence & Standing =>
  ({ status: "running", inFlight: 0, computed: 0, ...its }) as LiveSequence & Standing; // no more is read

const row = (its: LiveSequence, start: number, target: number) => ({
  sequence: its,
  start,
  target,
});

/** Failures until a culprit is known, at most twenty. */
function failuresUntil(recovery: Recovery, rows: Parameters<Recovery["failed"]>[0]): number {
  for (let count = 1; count <= 20; count++) if (recovery.failed(rows) !== undefined) return count;
  return Number.POSITIVE_INFINITY;
}

it("one that fails alone is believed the third time, a quarter so where it had not come that far", () => {
  const [own, other] = [sequence(), sequence()];
  const there = new Recovery();
  expect(failuresUntil(there, [row(own, 10, 12)])).toBe(3);
  expect(there.active).toBe(false);
  const elsewhere = (rows: Parameters<Recovery["failed"]>[0]): number => {
    const recovery = new Recovery();
    expect(recovery.failed([row(own, 10, 12)])).toBeUndefined();
    return failuresUntil(recovery, rows);
  };
  // One counts whole, and eight a quarter each.
  expect(elsewhere([row(own, 0, 5)])).toBe(8);
  expect(elsewhere([row(own, 0, 10)])).toBe(8);
  expect(elsewhere([row(other, 0, 50)])).toBe(8);
  expect(elsewhere([row(other, 0, 50), row(own, 9, 11)])).toBe(2);
});

it("several are halved until one is left; who passes where it failed goes free", () => {
  const [a, b, c, d] = [sequence(), sequence(), sequence(), sequence()];
  const rows = [a, b, c, d].map((its) => row(its, 4, 5));
  const recovery = new Recovery();
  recovery.failed(rows);
  expect(new Set(recovery.trial)).toEqual(new Set([a, b, c, d]));
  recovery.failed(rows);
  recovery.failed(rows);
  expect(recovery.trial).toEqual([a, b]);
  expect([recovery.allows(a), recovery.allows(c)]).toEqual([true, false]);
  // Both go well past it: the others are tried.
  a.computed = 5;
  recovery.succeeded();
  expect(recovery.trial).toEqual([a, b]);
  b.computed = 5;
  recovery.succeeded();
  expect(recovery.trial).toEqual([c]);
  c.status = "ended";
  recovery.review();
  expect(recovery.trial).toEqual([d]);
  d.computed = 9;
  d.inFlight = 1;
  recovery.review();
  expect(recovery.active).toBe(true);
  d.inFlight = 0;
  recovery.review();
  expect([recovery.active, recovery.failures]).toEqual([false, 0]);
});
