/**
 * Time as a value that is passed in. Both clocks run the same callbacks; what
 * differs is who calls them back: the wall, or a heap. Times are integer
 * nanoseconds since the clock was made. At equal times arrivals run before
 * steps, then first come, first served, so every virtual run repeats exactly.
 */

/** Integer nanoseconds; 2^53 ns is 104 days. */
export type Nanos = number;

export const MILLISECOND: Nanos = 1_000_000;
export const SECOND: Nanos = 1_000_000_000;

export type Phase = "arrival" | "step";

export interface Clock {
  readonly kind: "real" | "virtual";
  now(): Nanos;
  /** Calls `run` at `when` (at once when that is past, but never inside `at`). Returns its cancellation. */
  at(when: Nanos, run: () => void, phase?: Phase): () => void;
  /** Something outside the clock is under way: virtual time waits until the returned release is called. */
  hold(): () => void;
  /**
   * Calls `run` when the host has likely written what ended just now, and whoever
   * reads it has: early in a step of this length. At once in virtual time.
   */
  settled(step: Nanos, run: () => void): void;
  /** (optional) When the earliest callback is due, where that is known: virtual time. */
  next?(): Nanos | undefined;
}

/** A time that is no number would be waited for for ever. */
export function checkTime(when: Nanos): void {
  if (Number.isNaN(when)) throw new RangeError("A clock was given a time that is not a number.");
}
