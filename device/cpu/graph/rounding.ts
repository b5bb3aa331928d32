/**
 * How far rounded weights are from those they were made of: the root of the mean square of the
 * differences over that of the weights. Every 16th row, or group, is looked at.
 */
import type { Moved } from "../../../models/weights/integer-rows.ts";
import type { BlockWeight, Int8Weight } from "./quantise.ts";

const EVERY = 16;

export class Rounding {
  #differences = 0;
  #squares = 0;

  /** Undefined: nothing was rounded. */
  get share(): number | undefined {
    return this.#squares === 0 ? undefined : Math.sqrt(this.#differences / this.#squares);
  }

  /** Of `exact` [out, in] in blocks. */
  blocks(exact: Float32Array, width: number, block: number, weight: BlockWeight): void {
    const { bits, codes, scales } = weight;
    const codeAt = (at: number): number =>
      bits === 8 ? (codes[at] as number) : ((codes[at >> 1] as number) >> (4 * (at & 1))) & 15;
    const half = 2 ** (bits - 1);
    this.#take(exact, width, (at) => {
      return (codeAt(at) - half) * (scales[Math.floor(at / block)] as number);
    });
  }

  /** As 8 bits with a scale a row. */
  rows(exact: Float32Array, width: number, { values, scales }: Int8Weight): void {
    const outs = scales.length;
    this.#take(exact, width, (at) => {
      const row = Math.floor(at / width);
      return (values[(at - row * width) * outs + row] as number) * (scales[row] as number);
    });
  }

  /** What was looked at elsewhere. */
  add({ differences, squares }: Moved): void {
    this.#differences += differences;
    this.#squares += squares;
  }

  #take(exact: Float32Array, width: number, rounded: (at: number) => number): void {
    for (let row = 0; row * width < exact.length; row += EVERY)
      for (let at = row * width; at < (row + 1) * width; at++) {
        const value = exact[at] as number;
        this.#differences += (value - rounded(at)) ** 2;
        this.#squares += value * value;
      }
  }
}
