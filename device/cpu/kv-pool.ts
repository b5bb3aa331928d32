/**
 * A rank's paged KV cache and the attention over it. Keys and values of a token
 * are written to its block before anyone reads them; attention walks a row's
 * block table, position by position, so a row's result depends on nothing else.
 */
import type { CacheShape } from "./graph/program.ts";
import type { StepRow } from "./wire.ts";

export interface PoolShape extends CacheShape {
  readonly blockSize: number;
  readonly blocks: number;
}

export interface AttentionOptions {
  readonly scale: number;
  readonly window?: number;
  /** One logit per head that joins the softmax and is dropped. */
  readonly sinks?: Float32Array;
}

export class KvPool {
  readonly #shape: PoolShape;
  readonly #keys: readonly Float32Array[];
  readonly #values: readonly Float32Array[];
  #scores = new Float32Array(1024);

  constructor(shape: PoolShape) {
    this.#shape = shape;
    const size = shape.blocks * shape.blockSize * shape.kvHeads * shape.headDim;
    this.#keys = Array.from({ length: shape.layers }, () => new Float32Array(size));
    this.#values = Array.from({ length: shape.layers }, () => new Float32Array(size));
  }

  /** Copies every layer's K and V of block `from` to block `to`. */
  copy(from: number, to: number): void {
    const { blockSize, kvHeads, headDim } = this.#shape;
    const size = blockSize * kvHeads * headDim;
    for (const pool of [...this.#keys, ...this.#values]) {
      pool.copyWithin(to * size, from * size, (from + 1) * size);
    }
  }

  /** `k` and `v` are [tokens, kvHeads · headDim]. */
  write(layer: number, rows: readonly StepRow[], k: Float32Array, v: Float32Array): void {
    const { blockSize, kvHeads, headDim } = this.#shape;
    const width = kvHeads * headDim;
    const keys = this.#keys[layer];
    const values = this.#values[layer];
    for (const row of rows) {
      for (let i = 0; i < row.count; i++) {
        const position = row.start + i;
        const block = row.blocks[Math.floor(position / blockSize)] ?? 0;
        const slot = (block * blockSize + (position % blockSize)) * width;
        const token = (row.offset + i) * width;
        keys?.set(k.subarray(token, token + width), slot);
        values?.set(v.subarray(token, token + width), slot);
      }
    }
  }

  /** `q` and `out` are [tokens, heads · headDim]. */
  attend(
    layer: number,
    rows: readonly StepRow[],
    q: Float32Array,
    out: Float32Array,
    options: AttentionOptions,
  ): void {
    const { heads } = this.#shape;
    for (const row of rows) {
      for (let i = 0; i < row.count; i++) {
        for (let head = 0; head < heads; head++) {
          this.#attendOne(layer, row, i, head, q, out, options);
        }
      }
    }
  }

  #attendOne(
    layer: number,
    row: StepRow,
    index: number,
    head: number,
    q: Float32Array,
    out: Float32Array,
    options: AttentionOptions,
  ): void {
    const { heads, kvHeads, headDim, blockSize } = this.#shape;
    const keys = this.#keys[layer] as Float32Array;
    const values = this.#values[layer] as Float32Array;
    const kvHead = Math.floor((head * kvHeads) / heads);
    const query = ((row.offset + index) * heads + head) * headDim;
    const end = row.start + index + 1;
    const begin = options.window === undefined ? 0 : Math.max(0, end - options.window);
    if (this.#scores.length < end) this.#scores = new Float32Array(2 * end);
    const scores = this.#scores;
    const slotOf = (position: number): number => {
      const block = row.blocks[Math.floor(position / blockSize)] as number;
      return ((block * blockSize + (position % blockSize)) * kvHeads + kvHead) * headDim;
    };
    let largest = options.sinks?.[head] ?? Number.NEGATIVE_INFINITY;
    for (let position = begin; position < end; position++) {
      const slot = slotOf(position);
      let sum = 0;
      for (let d = 0; d < headDim; d++) {
        sum += (q[query + d] as number) * (keys[slot + d] as number);
      }
      sum *= options.scale;
      scores[position] = sum;
      if (sum > largest) largest = sum;
    }
    let total = options.sinks ? Math.exp((options.sinks[head] as number) - largest) : 0;
    const sums = new Float64Array(headDim);
    for (let position = begin; position < end; position++) {
      const weight = Math.exp((scores[position] as number) - largest);
      total += weight;
      const slot = slotOf(position);
      for (let d = 0; d < headDim; d++) {
        sums[d] = (sums[d] as number) + weight * (values[slot + d] as number);
      }
    }
    for (let d = 0; d < headDim; d++) out[query + d] = (sums[d] as number) / total;
  }
}

/** Bytes of one block on a rank, all layers. */
export function poolBytesPerBlock(shape: CacheShape & { readonly blockSize: number }): number {
  return shape.layers * shape.kvHeads * shape.blockSize * 2 * shape.headDim * 4;
}
