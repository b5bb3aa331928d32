/** Rotary embedding of heads on their way into the pool: copied and rotated at once. */
import type { RopeOp } from "../../models/ops.ts";
import { rotaryTable } from "../../models/rope.ts";

/** One head's way: `headDim` elements from `source[from…]` to every `stride`-th of `target[to…]`. */
export interface HeadCopy {
  readonly source: Float32Array;
  readonly target: Float32Array;
  readonly headDim: number;
  from: number;
  to: number;
  stride: number;
}

/** What a table is made of. */
export type Turning = Pick<RopeOp, "rotaryDim" | "theta" | "scaling" | "interleaved">;

/** Cosines and sines of all positions. */
export class RotaryTable {
  readonly #half: number;
  /** Distance of the elements that turn together, and of a pair from the next. */
  readonly #apart: number;
  readonly #next: number;
  /** [positions, rotaryDim / 2] */
  readonly #cos: Float32Array;
  readonly #sin: Float32Array;

  constructor(rope: Turning, positions: number) {
    const { frequencies, amplitude } = rotaryTable(rope, positions);
    const half = rope.rotaryDim / 2;
    this.#half = half;
    this.#apart = rope.interleaved ? 1 : half;
    this.#next = rope.interleaved ? 2 : 1;
    this.#cos = new Float32Array(positions * half);
    this.#sin = new Float32Array(positions * half);
    for (let position = 0; position < positions; position++) {
      for (let pair = 0; pair < half; pair++) {
        // The angle is rounded as the models' own code rounds it.
        const angle = Math.fround(position * Math.fround(frequencies[pair] ?? 0));
        this.#cos[position * half + pair] = Math.cos(angle) * amplitude;
        this.#sin[position * half + pair] = Math.sin(angle) * amplitude;
      }
    }
  }

  /** Of the first `positions`: [positions, rotaryDim / 2] each. */
  upTo(positions: number): { readonly cos: Float32Array; readonly sin: Float32Array } {
    const size = positions * this.#half;
    return { cos: this.#cos.subarray(0, size), sin: this.#sin.subarray(0, size) };
  }

  /**
   * Element i turns with element i + rotaryDim / 2, interleaved 2i with 2i + 1; those from
   * rotaryDim on stay.
   */
  copy({ source, target, headDim, from, to, stride }: HeadCopy, position: number): void {
    const half = this.#half;
    const apart = this.#apart;
    const next = this.#next;
    const cos = this.#cos;
    const sin = this.#sin;
    const angles = position * half;
    for (let i = 0; i < half; i++) {
      const c = cos[angles + i] as number;
      const s = sin[angles + i] as number;
      const first = i * next;
      const x = source[from + first] as number;
      const y = source[from + first + apart] as number;
      target[to + first * stride] = x * c - y * s;
      target[to + (first + apart) * stride] = y * c + x * s;
    }
    for (let i = 2 * half; i < headDim; i++) {
      target[to + i * stride] = source[from + i] as number;
    }
  }
}

export function copyHead({ source, target, headDim, from, to, stride }: HeadCopy): void {
  for (let i = 0; i < headDim; i++) target[to + i * stride] = source[from + i] as number;
}
