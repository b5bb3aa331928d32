/**
 * Hidden states of a prompt on their way to one vector, in the order of positions: the same
 * sums however the prompt is cut and whoever else is in a step.
 */
import type { PoolingKind } from "../models/model.ts";

export class PooledState {
  readonly kind: PoolingKind;
  /** Of `mean`. */
  #sums: Float64Array | undefined;
  #state: Float32Array | undefined;
  #positions = 0;

  constructor(kind: PoolingKind) {
    this.kind = kind;
  }

  /** The next states, `[positions, hidden]`; of `last` those of the prompt's end are enough. */
  add(states: Float32Array, positions: number): void {
    const width = states.length / positions;
    if (this.kind === "mean") this.#sum(states, width);
    else if (this.kind === "last") this.#state = states.slice(-width);
    else this.#state ??= states.slice(0, width);
    this.#positions += positions;
  }

  /** All is computed again. */
  reset(): void {
    this.#sums = undefined;
    this.#state = undefined;
    this.#positions = 0;
  }

  /** `[hidden]`; undefined: the device gave no states. */
  get vector(): Float32Array | undefined {
    const positions = this.#positions;
    return this.#sums ? Float32Array.from(this.#sums, (sum) => sum / positions) : this.#state;
  }

  #sum(states: Float32Array, width: number): void {
    this.#sums ??= new Float64Array(width);
    const sums = this.#sums;
    for (let at = 0; at < states.length; at += width) {
      for (let i = 0; i < width; i++) sums[i] = (sums[i] ?? 0) + (states[at + i] ?? 0);
    }
  }
}
