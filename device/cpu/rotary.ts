/** Cosines and sines of the positions of a step: inputs of the rotary embedding. */
import { Tensor } from "onnxruntime-node";
import type { RopeOp } from "../../models/ops.ts";
import { rotaryTable } from "../../models/rope.ts";
import { ROTARY_INPUTS } from "./graph/lower.ts";
import type { Tensors } from "./session.ts";
import type { StepRow } from "./wire.ts";

export class RotaryTable {
  readonly #half: number;
  /** [positions, rotaryDim / 2] */
  readonly #cos: Float32Array;
  readonly #sin: Float32Array;

  constructor(rope: RopeOp, positions: number) {
    const { frequencies, amplitude } = rotaryTable(rope);
    const half = rope.rotaryDim / 2;
    this.#half = half;
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

  /** Of the step's tokens, row after row. */
  inputs(rows: readonly StepRow[], tokens: number): Tensors {
    const half = this.#half;
    const cos = new Float32Array(tokens * half);
    const sin = new Float32Array(tokens * half);
    for (const { start, count, offset } of rows) {
      cos.set(this.#cos.subarray(start * half, (start + count) * half), offset * half);
      sin.set(this.#sin.subarray(start * half, (start + count) * half), offset * half);
    }
    const numbers = BigInt64Array.from({ length: tokens }, (_, index) => BigInt(index));
    return {
      [ROTARY_INPUTS.cos]: new Tensor("float32", cos, [tokens, half]),
      [ROTARY_INPUTS.sin]: new Tensor("float32", sin, [tokens, half]),
      [ROTARY_INPUTS.rows]: new Tensor("int64", numbers, [1, tokens]),
    };
  }
}
