/** Cosines and sines of the positions of a step: inputs of the rotary embedding. */
import { Tensor } from "onnxruntime-node";
import type { RopeOp } from "../../models/ops.ts";
import { rotaryTable } from "../../models/rope.ts";
import { KEPT_TOKENS } from "./buffers.ts";
import { ROTARY_INPUTS } from "./graph/lower.ts";
import type { Tensors } from "./session.ts";
import type { StepRow } from "./wire.ts";

interface Inputs {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  readonly tensors: Tensors;
}

export class RotaryTable {
  readonly #half: number;
  /** [positions, rotaryDim / 2] */
  readonly #cos: Float32Array;
  readonly #sin: Float32Array;
  readonly #inputs = new Map<number, Inputs>();

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

  /** Of the step's tokens, row after row. The same tensors serve every step of that size. */
  inputs(rows: readonly StepRow[], tokens: number): Tensors {
    const half = this.#half;
    const { cos, sin, tensors } = this.#sized(tokens);
    for (const { start, count, offset } of rows) {
      cos.set(this.#cos.subarray(start * half, (start + count) * half), offset * half);
      sin.set(this.#sin.subarray(start * half, (start + count) * half), offset * half);
    }
    return tensors;
  }

  #sized(tokens: number): Inputs {
    const known = this.#inputs.get(tokens);
    if (known !== undefined) return known;
    const cos = new Float32Array(tokens * this.#half);
    const sin = new Float32Array(tokens * this.#half);
    const numbers = BigInt64Array.from({ length: tokens }, (_, index) => BigInt(index));
    const tensors = {
      [ROTARY_INPUTS.cos]: new Tensor("float32", cos, [tokens, this.#half]),
      [ROTARY_INPUTS.sin]: new Tensor("float32", sin, [tokens, this.#half]),
      [ROTARY_INPUTS.rows]: new Tensor("int64", numbers, [1, tokens]),
    };
    const made = { cos, sin, tensors };
    if (tokens <= KEPT_TOKENS) this.#inputs.set(tokens, made);
    return made;
  }
}
