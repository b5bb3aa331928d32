/**
 * Who waits, most urgent first: a binary heap. Entries whose sequence no longer
 * waits are passed over when they surface, so leaving the queue costs nothing.
 */
import type { LiveSequence } from "./live-sequence.ts";
import { comesBefore } from "./policy.ts";

export class WaitingQueue {
  readonly #heap: LiveSequence[] = [];

  push(sequence: LiveSequence): void {
    if (sequence.queued) return;
    sequence.queued = true;
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || comesBefore(above, sequence)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = sequence;
  }

  /** The most urgent one that still waits. */
  peek(): LiveSequence | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.status === "waiting") return first;
      this.pop();
    }
  }

  /** Removes what `peek` showed. */
  pop(): LiveSequence | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return undefined;
    first.queued = false;
    let index = 0;
    while (heap.length > 0) {
      let child = 2 * index + 1;
      let below = heap[child];
      const right = heap[child + 1];
      if (below !== undefined && right !== undefined && comesBefore(right, below)) {
        child++;
        below = right;
      }
      if (below === undefined || comesBefore(last, below)) {
        heap[index] = last;
        break;
      }
      heap[index] = below;
      index = child;
    }
    return first;
  }
}
