/**
 * The quiet between two steps: when what a step's end wrote has likely been read,
 * and the host may be used for something else. The young generation is collected
 * there: a millisecond then is one that does not fall on a deadline.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { MILLISECOND, type Nanos } from "../clock.ts";

/**
 * What a step's end wrote is taken to be read after this share of the next step,
 * and after so many ns at most. One client reads 32 streams within 2 ms; what used
 * the second of two cores after 1 ms already made the last of them 4 ms late (p99).
 */
const SETTLED_SHARE = 1 / 6;
const MOST_SETTLED_NANOS = 4 * MILLISECOND;

/** A step further away than this leaves room to collect garbage; not more often than every so many ns. */
const QUIET_NANOS = 4 * MILLISECOND;
const COLLECT_NANOS = 100 * MILLISECOND;

/** How far into a step of this length its readers are taken to have read what the one before wrote. */
export function settledAfter(step: Nanos): Nanos {
  return Math.min(MOST_SETTLED_NANOS, step * SETTLED_SHARE);
}

/** Decides when to collect, and collects. */
export class YoungCollector {
  #collectedAt: Nanos = 0;

  /** Is a step `left` ns away far enough to collect before it? Said yes once in a while only. */
  due(now: Nanos, left: Nanos): boolean {
    if (left <= QUIET_NANOS || now - this.#collectedAt <= COLLECT_NANOS) return false;
    this.#collectedAt = now;
    return true;
  }

  /** Collects, unless the step has come near meanwhile. */
  collect(left: Nanos): void {
    if (left > QUIET_NANOS / 2) collectYoung?.({ type: "minor" });
  }
}

/** The runtime's own collector, asked for by name; undefined where it has none. */
const collectYoung = ((): ((options: { readonly type: "minor" }) => void) | undefined => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("typeof gc === 'function' ? gc : undefined") as typeof collectYoung; // V8's, by its name
})();
