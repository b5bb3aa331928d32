/**
 * out += (x · Aᵀ) · Bᵀ for some rows of x: what an adapter adds to a product. A row's sums
 * are made in the same order whoever its neighbours are. Weights lie as they are read:
 *
 *     A   [ranks / 4, inputs / 4, 4 ranks, 4 inputs]     F32, padded with 0
 *     B   [outputs / 16, ranks, 16 outputs]
 *
 * Four ranks share the load of their inputs, sixteen outputs that of a rank's value, and two
 * rows share the load of the weights.
 */
import type { Code, Local } from "../../wasm.ts";
import {
  acrossLanes,
  FunctionBuilder,
  f32,
  f32x4,
  get,
  I32,
  i32,
  loop,
  sequence,
  set,
  V128,
  v128,
  when,
} from "../../wasm.ts";

export const RANKS_TOGETHER = 4;
export const OUTPUTS_TOGETHER = 16;
const INPUTS_TOGETHER = 4;

const upTo = (value: number, multiple: number): number => multiple * Math.ceil(value / multiple);

/** Elements that the matrices of one product take, and a row of each value. */
export interface LowRankShape {
  readonly ranks: number;
  readonly inputs: number;
  readonly outputs: number;
}

export function padded({ ranks, inputs, outputs }: LowRankShape): LowRankShape {
  return {
    ranks: upTo(ranks, RANKS_TOGETHER),
    inputs: upTo(inputs, INPUTS_TOGETHER),
    outputs: upTo(outputs, OUTPUTS_TOGETHER),
  };
}

/** `a` [ranks, inputs] as the kernel reads it. */
export function packDown(a: Float32Array, shape: LowRankShape, target: Float32Array): void {
  const { inputs } = padded(shape);
  for (let rank = 0; rank < shape.ranks; rank++) {
    const panel = (rank - (rank % RANKS_TOGETHER)) * inputs;
    const lane = (rank % RANKS_TOGETHER) * INPUTS_TOGETHER;
    for (let input = 0; input < shape.inputs; input++) {
      const quad = Math.floor(input / INPUTS_TOGETHER) * RANKS_TOGETHER * INPUTS_TOGETHER;
      const at = panel + quad + lane + (input % INPUTS_TOGETHER);
      target[at] = a[rank * shape.inputs + input] as number;
    }
  }
}

/** `b` [outputs, ranks] · `scale` as the kernel reads it. */
export function packUp(
  b: Float32Array,
  scale: number,
  shape: LowRankShape,
  target: Float32Array,
): void {
  const { ranks } = padded(shape);
  for (let output = 0; output < shape.outputs; output++) {
    const panel = (output - (output % OUTPUTS_TOGETHER)) * ranks;
    const lane = output % OUTPUTS_TOGETHER;
    for (let rank = 0; rank < shape.ranks; rank++) {
      const at = panel + rank * OUTPUTS_TOGETHER + lane;
      target[at] = (b[output * shape.ranks + rank] as number) * scale;
    }
  }
}

/** Byte addresses, and byte sizes of a row of each value. */
export type LowRank = (
  rows: number,
  x: number,
  xBytes: number,
  a: number,
  h: number,
  hBytes: number,
  b: number,
  y: number,
  yBytes: number,
) => void;

/** The module's bytes; its function `add` is a LowRank over a memory of `pages`. */
export function lowRankModule(pages: number): Uint8Array<ArrayBuffer> {
  const build = new FunctionBuilder(...new Array<typeof I32>(9).fill(I32));
  return build.module("add", new Kernel(build).body(), pages);
}

const [ROWS, X, X_BYTES, A, H, H_BYTES, B, Y, Y_BYTES] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;

class Kernel {
  readonly #row: Local;
  readonly #index: Local;
  readonly #panel: Local;
  readonly #weights: Local;
  readonly #sums: readonly Local[];
  readonly #weight: Local;
  /** Addresses of a row's x, h and y; of the row after it they are a row's bytes further. */
  readonly #x: Local;
  readonly #h: Local;
  readonly #y: Local;

  constructor(build: FunctionBuilder) {
    const [row = 0, index = 0, panel = 0, weights = 0, x = 0, h = 0, y = 0] = build.locals(I32, 7);
    this.#row = row;
    this.#index = index;
    this.#panel = panel;
    this.#weights = weights;
    this.#x = x;
    this.#h = h;
    this.#y = y;
    this.#sums = build.locals(V128, 8);
    this.#weight = build.local(V128);
  }

  /** Rows in pairs, then the last by itself. */
  body(): Code {
    const even = i32.and(get(ROWS), i32.const(-2));
    return sequence(
      loop(this.#row, i32.const(0), even, 2, this.#rows(2)),
      when(
        i32.and(get(ROWS), i32.const(1)),
        sequence(set(this.#row, i32.sub(get(ROWS), i32.const(1))), this.#rows(1)),
      ),
    );
  }

  #rows(count: 1 | 2): Code {
    const at = (base: number, bytes: number): Code =>
      i32.add(get(base), i32.mul(get(this.#row), get(bytes)));
    return sequence(
      set(this.#x, at(X, X_BYTES)),
      set(this.#h, at(H, H_BYTES)),
      set(this.#y, at(Y, Y_BYTES)),
      this.#down(count),
      this.#up(count),
    );
  }

  /** The address `offset` past one of a row's, of the row or of the one after it. */
  #of(base: Local, bytes: number, row: number, offset: Code): Code {
    const address = i32.add(get(base), offset);
    return row === 0 ? address : i32.add(address, get(bytes));
  }

  #sum(row: number, part: number): Local {
    return this.#sums[row * 4 + part] ?? 0;
  }

  #clear(count: number): Code {
    const zeros = this.#sums.slice(0, 4 * count).map((sum) => set(sum, f32x4.const(0)));
    return sequence(...zeros);
  }

  /** h = x · Aᵀ, four ranks at a time. */
  #down(count: 1 | 2): Code {
    const rows = Array.from({ length: count }, (_, row) => row);
    const four = [0, 1, 2, 3];
    const x = (row: number): Code => v128.load(this.#of(this.#x, X_BYTES, row, get(this.#index)));
    const inner = sequence(
      ...four.map((rank) =>
        sequence(
          set(this.#weight, v128.load(get(this.#weights), 16 * rank)),
          ...rows.map((row) => {
            const sum = this.#sum(row, rank);
            return set(sum, f32x4.add(get(sum), f32x4.mul(x(row), get(this.#weight))));
          }),
        ),
      ),
      set(this.#weights, i32.add(get(this.#weights), i32.const(64))),
    );
    const store = rows.flatMap((row) =>
      four.map((rank) =>
        f32.store(
          this.#of(this.#h, H_BYTES, row, get(this.#panel)),
          acrossLanes(this.#sum(row, rank), f32.add),
          4 * rank,
        ),
      ),
    );
    return sequence(
      set(this.#weights, get(A)),
      loop(
        this.#panel,
        i32.const(0),
        get(H_BYTES),
        4 * RANKS_TOGETHER,
        sequence(
          this.#clear(count),
          loop(this.#index, i32.const(0), get(X_BYTES), 4 * INPUTS_TOGETHER, inner),
          ...store,
        ),
      ),
    );
  }

  /** y += h · Bᵀ, sixteen outputs at a time; what is added is summed by itself first. */
  #up(count: 1 | 2): Code {
    const rows = Array.from({ length: count }, (_, row) => row);
    const four = [0, 1, 2, 3];
    const h = (row: number): Code =>
      v128.loadSplat(this.#of(this.#h, H_BYTES, row, get(this.#index)));
    const inner = sequence(
      ...four.map((part) =>
        sequence(
          set(this.#weight, v128.load(get(this.#weights), 16 * part)),
          ...rows.map((row) => {
            const sum = this.#sum(row, part);
            return set(sum, f32x4.add(get(sum), f32x4.mul(h(row), get(this.#weight))));
          }),
        ),
      ),
      set(this.#weights, i32.add(get(this.#weights), i32.const(64))),
    );
    const store = rows.flatMap((row) =>
      four.map((part) => {
        const at = this.#of(this.#y, Y_BYTES, row, get(this.#panel));
        const value = f32x4.add(v128.load(at, 16 * part), get(this.#sum(row, part)));
        return v128.store(at, value, 16 * part);
      }),
    );
    return sequence(
      set(this.#weights, get(B)),
      loop(
        this.#panel,
        i32.const(0),
        get(Y_BYTES),
        4 * OUTPUTS_TOGETHER,
        sequence(
          this.#clear(count),
          loop(this.#index, i32.const(0), get(H_BYTES), 4, inner),
          ...store,
        ),
      ),
    );
  }
}
