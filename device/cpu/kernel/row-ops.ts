/**
 * Ops of one row as WebAssembly, at fixed addresses: F32 but for products, which are in
 * integers (int8 weights, int16 inputs, 32-bit sums: exact in any order).
 *
 *     weights  [outputs / 16, width / 2, 16 outputs, 2 inputs]   int8
 *
 * Two neighbouring inputs of four outputs are one instruction (`i32x4.dot_i16x8_s`);
 * sixteen outputs share the load of their inputs: 23 multiply-adds a nanosecond on Zen 4.
 * (Tried and dropped: four rows that share the load of their weights. No quicker a row.)
 */
import type { Activation } from "../../../models/ops.ts";
import { exponential } from "../../exponential.ts";
import type { Code, FunctionBuilder, Local } from "../../wasm.ts";
import {
  acrossLanes,
  F32,
  f32,
  f32x4,
  get,
  I32,
  i16x8,
  i32,
  i32x4,
  loop,
  sequence,
  set,
  V128,
  v128,
} from "../../wasm.ts";

/** Outputs of a product computed side by side: four registers of four. */
export const OUTPUTS_TOGETHER = 16;
/** Pairs of inputs in a round of the product's inner loop. */
const UNROLLED = 8;

/** F32 `[width]` at a byte offset; padding up to a multiple of 16 elements is 0. */
export interface Area {
  readonly at: number;
  readonly width: number;
}

/** A row as integers, and the F32 that turns them back: value = integer · scale. */
export interface Integers {
  readonly at: number;
  readonly scaleAt: number;
}

export interface ProductWeights {
  readonly codes: number;
  readonly scales: number;
}

/** Largest input magnitude for which a sum over `width` products with int8 weights fits 32 bits. */
const largestInput = (width: number): number =>
  Math.min(32_767, Math.floor((2 ** 31 - 1) / (127 * width)));

const bytesOf = ({ width }: Area): number => 16 * Math.ceil(width / 4);

/** Codes of the ops; they share the function's locals. */
export class RowOps {
  readonly #index: Local;
  readonly #pointer: Local;
  readonly #outputs: Local;
  readonly #sums: readonly Local[];
  readonly #x: Local;
  readonly #scratch: readonly Local[];
  readonly #factor: Local;

  constructor(build: FunctionBuilder) {
    this.#index = build.local(I32);
    this.#pointer = build.local(I32);
    this.#outputs = build.local(I32);
    this.#sums = build.locals(V128, OUTPUTS_TOGETHER / 4);
    this.#x = build.local(V128);
    this.#scratch = build.locals(V128, 3);
    this.#factor = build.local(F32);
  }

  add(a: Area, b: Area, out: Area): Code {
    return this.#map(out, (load) => f32x4.add(load(a), load(b)));
  }

  /** Each `weight.width` elements of the input are one head. */
  norm(input: Area, weight: Area, eps: number, out: Area): Code {
    const size = weight.width;
    const [sum = 0] = this.#sums;
    const squares = acrossLanes(sum, f32.add);
    const mean = f32.div(squares, f32.const(size));
    const square = f32x4.mul(get(this.#x), get(this.#x));
    const head = (index: number): Code => {
      const part = ({ at }: Area): Area => ({ at: at + 4 * index * size, width: size });
      const from = part(input);
      const add = sequence(
        set(this.#x, v128.load(get(this.#index), from.at)),
        set(sum, f32x4.add(get(sum), square)),
      );
      return sequence(
        set(sum, f32x4.const(0)),
        this.#loop(from, add),
        set(this.#factor, f32.div(f32.const(1), f32.sqrt(f32.add(mean, f32.const(eps))))),
        this.#map(part(out), (load) =>
          f32x4.mul(f32x4.mul(load(from), f32x4.splat(get(this.#factor))), load(weight)),
        ),
      );
    };
    return sequence(...Array.from({ length: input.width / size }, (_, index) => head(index)));
  }

  /** out = activation(gate) · up; both activations are x · σ(z), GELU by tanh. */
  gate(activation: Activation, gate: Area, up: Area, out: Area): Code {
    const [minus = 0] = this.#sums;
    const x = v128.load(get(this.#index), gate.at);
    const one = f32x4.const(1);
    // σ(z) from e = exp(−|z|) ≤ 1: 1 / (1 + e), or e / (1 + e) where z is below 0.
    const sigmoid = f32x4.div(
      v128.select(get(this.#x), one, get(minus)),
      f32x4.add(one, get(this.#x)),
    );
    const value = f32x4.mul(f32x4.mul(x, sigmoid), v128.load(get(this.#index), up.at));
    const body = sequence(
      set(this.#x, this.#exponent(activation, x)),
      set(minus, f32x4.less(get(this.#x), f32x4.const(0))),
      set(this.#x, f32x4.negate(f32x4.abs(get(this.#x)))),
      exponential(this.#x, this.#scratch),
      v128.store(get(this.#index), value, out.at),
    );
    return this.#loop(out, body);
  }

  /** To nearest. A row of zeros has scale 0. */
  integers(input: Area, out: Integers): Code {
    const [peak = 0] = this.#sums;
    const x = (offset: number): Code => v128.load(get(this.#index), input.at + offset);
    const largest = f32.const(largestInput(input.width));
    const whole = (offset: number): Code =>
      f32x4.toInt(f32x4.nearest(f32x4.mul(x(offset), f32x4.splat(get(this.#factor)))));
    // Half as far in the integers as in the floats.
    const target = i32.shr(get(this.#index), i32.const(1));
    const store = v128.store(target, i16x8.narrow(whole(0), whole(16)), out.at);
    return sequence(
      set(peak, f32x4.const(0)),
      this.#loop(input, set(peak, f32x4.max(get(peak), f32x4.abs(x(0))))),
      set(this.#factor, acrossLanes(peak, f32.max)),
      f32.store(i32.const(0), f32.div(get(this.#factor), largest), out.scaleAt),
      // The least keeps a row of zeros from dividing by zero.
      set(this.#factor, f32.div(largest, f32.max(get(this.#factor), f32.const(1e-30)))),
      loop(this.#index, i32.const(0), i32.const(bytesOf(input)), 32, store),
    );
  }

  /** `input` holds the integers of a row of `width` elements, a multiple of 4. */
  product(input: Integers, width: number, weights: ProductWeights, out: Area): Code {
    const pairs = width / 2;
    const unrolled = pairs % UNROLLED === 0 ? UNROLLED : 1;
    const pairBytes = OUTPUTS_TOGETHER * 2;
    const step = (index: number): Code =>
      sequence(
        set(this.#x, v128.loadSplat(get(this.#index), input.at + index * 4)),
        ...this.#sums.map((sum, register) => {
          const row = i16x8.loadBytes(get(this.#pointer), index * pairBytes + register * 8);
          return set(sum, i32x4.add(get(sum), i32x4.dot(row, get(this.#x))));
        }),
      );
    const inner = sequence(
      ...Array.from({ length: unrolled }, (_, index) => step(index)),
      set(this.#pointer, i32.add(get(this.#pointer), i32.const(unrolled * pairBytes))),
    );
    const scale = f32x4.splat(f32.load(i32.const(0), input.scaleAt));
    const store = this.#sums.map((sum, register) => {
      const scales = v128.load(get(this.#outputs), weights.scales + register * 16);
      const value = f32x4.mul(f32x4.fromInt(get(sum)), f32x4.mul(scales, scale));
      return v128.store(get(this.#outputs), value, out.at + register * 16);
    });
    const group = sequence(
      ...this.#sums.map((sum) => set(sum, i32x4.splat(i32.const(0)))),
      loop(this.#index, i32.const(0), i32.const(width * 2), unrolled * 4, inner),
      ...store,
    );
    const bytes = 4 * OUTPUTS_TOGETHER;
    const end = bytes * Math.ceil(out.width / OUTPUTS_TOGETHER);
    return sequence(
      set(this.#pointer, i32.const(weights.codes)),
      loop(this.#outputs, i32.const(0), i32.const(end), bytes, group),
    );
  }

  /** z of x · σ(z). */
  #exponent({ kind }: Activation, x: Code): Code {
    switch (kind) {
      case "silu":
        return x;
      case "gelu":
      case "gelu-tanh": {
        const cubic = f32x4.mul(f32x4.mul(x, x), f32x4.mul(x, f32x4.const(0.044715)));
        return f32x4.mul(f32x4.add(x, cubic), f32x4.const(2 * Math.sqrt(2 / Math.PI)));
      }
      case "sigmoid":
      case "swiglu-oai":
        throw new Error(`cpu: w8a16 has no activation "${kind}".`);
    }
  }

  /** Four elements at a time; the index is their byte offset in the area. */
  #loop(area: Area, body: Code): Code {
    return loop(this.#index, i32.const(0), i32.const(bytesOf(area)), 16, body);
  }

  #map(out: Area, value: (load: (area: Area) => Code) => Code): Code {
    const load = ({ at }: Area): Code => v128.load(get(this.#index), at);
    return this.#loop(out, v128.store(get(this.#index), value(load), out.at));
  }
}
