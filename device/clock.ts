/**
 * Time as a value that is passed in. Both clocks run the same callbacks; what
 * differs is who calls them back: the wall, or a heap. Times are integer
 * nanoseconds since the clock was made. At equal times arrivals run before
 * steps, then first come, first served, so every virtual run repeats exactly.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

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

/** Below this distance a timer is too coarse and the event loop is turned instead; more where timers prove later. */
const SPIN_NANOS = 1.5 * MILLISECOND;
const MOST_SPIN_NANOS = 4 * MILLISECOND;
/** Added to what a timer was late, to be in time when the next is as late. */
const SPARE_NANOS = 0.5 * MILLISECOND;
/** How fast a margin that is not needed is given up, a timer. */
const RELAX = 0.995;

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

/**
 * The wall's time. A deadline is reached by sleeping until shortly before it and
 * turning the event loop for the rest: a bare timer is up to 1 ms late, and later
 * on a busy machine, which the margin follows. Between steps the young generation
 * is collected: a millisecond then is one that does not fall on a deadline. When
 * the event loop is late for several, those of phase `step` still run in their order.
 */
export class RealClock implements Clock {
  readonly kind = "real";
  readonly #origin = process.hrtime.bigint();
  /** Callbacks of phase `step` to come, earliest first: a few at most. */
  readonly #steps: Due[] = [];
  /** Distance at which a sleep ends. */
  #margin: Nanos = SPIN_NANOS;
  #collectedAt: Nanos = 0;

  now(): Nanos {
    return Number(process.hrtime.bigint() - this.#origin);
  }

  at(when: Nanos, run: () => void, phase: Phase = "arrival"): () => void {
    checkTime(when);
    const due: Due = { when, run };
    const ordered = phase === "step";
    if (ordered) {
      const before = this.#steps.findLastIndex((each) => each.when <= when);
      this.#steps.splice(before + 1, 0, due);
    }
    let cancelled = false;
    let wakeAt: Nanos | undefined;
    const wait = (): void => {
      if (cancelled) return;
      const now = this.now();
      if (wakeAt !== undefined) this.#woke(now - wakeAt);
      wakeAt = undefined;
      const left = when - now;
      if (left <= 0) ordered ? this.#runSteps(due) : run();
      else if (ordered && left > QUIET_NANOS && now - this.#collectedAt > COLLECT_NANOS) {
        this.#collectedAt = now;
        this.settled(left, () => this.#collect(when, wait));
      } else if (left > this.#margin) {
        wakeAt = when - this.#margin;
        setTimeout(wait, (left - this.#margin) / MILLISECOND);
      } else setImmediate(wait);
    };
    setImmediate(wait);
    return () => {
      cancelled = true;
      if (ordered && this.#steps.includes(due)) this.#steps.splice(this.#steps.indexOf(due), 1);
    };
  }

  hold(): () => void {
    return () => {};
  }

  /** A bare timer: turning the event loop for it would take the core from the readers. */
  settled(step: Nanos, run: () => void): void {
    setTimeout(run, Math.min(MOST_SETTLED_NANOS, step * SETTLED_SHARE) / MILLISECOND);
  }

  /** A timer came `late`: the next sleep ends early enough for one as late. */
  #woke(late: Nanos): void {
    const needed = Math.min(MOST_SPIN_NANOS, late + SPARE_NANOS);
    this.#margin = Math.max(SPIN_NANOS, needed, this.#margin * RELAX);
  }

  #collect(when: Nanos, then: () => void): void {
    if (when - this.now() > QUIET_NANOS / 2) collectYoung?.({ type: "minor" });
    then();
  }

  /** All that were to run before `last`, and it; nothing when it has run with a later one. */
  #runSteps(last: Due): void {
    while (this.#steps.includes(last)) this.#steps.shift()?.run();
  }
}

/** The runtime's own collector, asked for by name; undefined where it has none. */
const collectYoung = ((): ((options: { readonly type: "minor" }) => void) | undefined => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("typeof gc === 'function' ? gc : undefined") as typeof collectYoung; // V8's, by its name
})();

interface Due {
  readonly when: Nanos;
  readonly run: () => void;
}

interface Entry {
  readonly when: Nanos;
  /** Phase and insertion in one number: arrivals (0) before steps (2^52). */
  readonly order: number;
  run: (() => void) | undefined;
}

const STEP_ORDER = 2 ** 52;

/** Runs callbacks in order of time, as fast as they run. */
export class VirtualClock implements Clock {
  readonly kind = "virtual";
  readonly #heap: Entry[] = [];
  #now: Nanos = 0;
  #inserted = 0;
  #held = 0;
  #resume: (() => void) | undefined;

  now(): Nanos {
    return this.#now;
  }

  at(when: Nanos, run: () => void, phase: Phase = "arrival"): () => void {
    checkTime(when);
    const entry: Entry = {
      when: Math.max(when, this.#now),
      order: this.#inserted++ + (phase === "step" ? STEP_ORDER : 0),
      run,
    };
    this.#push(entry);
    return () => {
      entry.run = undefined;
    };
  }

  hold(): () => void {
    let released = false;
    this.#held++;
    return () => {
      if (released) return;
      released = true;
      this.#held--;
      if (this.#held === 0) this.#resume?.();
    };
  }

  settled(_step: Nanos, run: () => void): void {
    run();
  }

  next(): Nanos | undefined {
    while (this.#heap[0] !== undefined && this.#heap[0].run === undefined) this.#pop();
    return this.#heap[0]?.when;
  }

  /** Runs until the heap is empty and nothing is held, or until `until` is passed. */
  async run(until: Nanos = Number.POSITIVE_INFINITY): Promise<void> {
    for (;;) {
      this.runReady(until);
      if (this.#held === 0) return;
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
      });
      this.#resume = undefined;
    }
  }

  /** Runs without waiting for anything held: all of it when nothing is. */
  runReady(until: Nanos = Number.POSITIVE_INFINITY): void {
    while (this.#held === 0) {
      const entry = this.#heap[0];
      if (entry === undefined || entry.when > until) return;
      this.#pop();
      if (entry.run === undefined) continue;
      this.#now = entry.when;
      entry.run();
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || before(above, entry)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      let below = heap[child];
      if (below === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, below)) {
        child++;
        below = right;
      }
      if (before(last, below)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}

/** A time that is no number would be waited for for ever. */
function checkTime(when: Nanos): void {
  if (Number.isNaN(when)) throw new RangeError("A clock was given a time that is not a number.");
}

function before(a: Entry, b: Entry): boolean {
  return a.when < b.when || (a.when === b.when && a.order < b.order);
}
