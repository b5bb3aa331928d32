/** Time as a heap of callbacks: a day of traffic takes seconds, and every run repeats exactly. */
import { type Clock, checkTime, type Nanos, type Phase } from "../clock.ts";

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

function before(a: Entry, b: Entry): boolean {
  return a.when < b.when || (a.when === b.when && a.order < b.order);
}
