/**
 * A rank's paged KV cache: one WebAssembly memory that holds every layer's keys
 * and values, and the scratch of the attention kernel that reads them in place
 * (layouts: kernel/attention.ts). Keys and values of a step's tokens are written
 * before anyone reads them.
 *
 *     [ tables | sinks | queries | outputs | scores ][ layer 0: keys, values ][ layer 1 … ]
 */
import type { CacheShape } from "./graph/program.ts";
import type { Attend, KernelLayout } from "./kernel/attention.ts";
import { kernelLayout, linkAttention } from "./kernel/attention.ts";
import type { StepRow } from "./wire.ts";

export interface PoolShape extends CacheShape {
  readonly blockSize: number;
  readonly blocks: number;
  readonly maxContext: number;
  /** Tokens in a step. */
  readonly maxTokens: number;
}

export interface AttentionOptions {
  readonly scale: number;
  /** A query at position p sees (p − window, p]; absent: all before it. */
  readonly window?: number;
  /** One logit per head that joins the softmax and is dropped. */
  readonly sinks?: Float32Array;
}

const PAGE_BYTES = 65_536;

/** Bytes of one block on a rank, all layers. */
export function poolBytesPerBlock(
  shape: CacheShape & { readonly blockSize: number; readonly maxContext: number },
): number {
  const { keyBlockBytes, valueBlockBytes } = layoutOf(shape);
  return shape.layers * (keyBlockBytes + valueBlockBytes);
}

function layoutOf(
  shape: CacheShape & { readonly blockSize: number; readonly maxContext: number },
): KernelLayout {
  return kernelLayout({ ...shape, group: shape.heads / shape.kvHeads });
}

export class KvPool {
  readonly #shape: PoolShape;
  readonly #layout: KernelLayout;
  readonly #attend: Attend;
  readonly #floats: Float32Array;
  readonly #ints: Int32Array;
  /** Bytes from the start of the memory. */
  readonly #at: {
    readonly tables: number;
    readonly sinks: number;
    readonly queries: number;
    readonly outputs: number;
    readonly scratch: number;
    readonly layers: number;
  };

  constructor(shape: PoolShape) {
    this.#shape = shape;
    this.#layout = layoutOf(shape);
    const { heads, kvHeads, headDim, layers, blocks, maxTokens } = shape;
    const { paddedDim, scratchBytes } = this.#layout;
    let end = 0;
    const room = (bytes: number): number => {
      const begin = end;
      end = Math.ceil((end + bytes) / 64) * 64;
      return begin;
    };
    // One table at a time: a row's.
    const tables = room(4 * Math.ceil(shape.maxContext / shape.blockSize));
    const sinks = room(4 * heads);
    // A query head more than there are: heads are read in pairs.
    const queries = room(4 * (maxTokens * heads + 1) * headDim);
    const outputs = room(4 * maxTokens * heads * paddedDim);
    const scratch = room(scratchBytes);
    const layersAt = room(layers * blocks * this.#layerBlockBytes());
    this.#at = { tables, sinks, queries, outputs, scratch, layers: layersAt };
    const pages = Math.ceil(end / PAGE_BYTES);
    const { buffer, attend } = linkAttention({ ...shape, group: heads / kvHeads }, pages);
    this.#attend = attend;
    this.#floats = new Float32Array(buffer);
    this.#ints = new Int32Array(buffer);
  }

  /** Copies every layer's K and V of block `from` to block `to`. */
  copy(from: number, to: number): void {
    const { layers } = this.#shape;
    const { keyBlockBytes, valueBlockBytes } = this.#layout;
    for (let layer = 0; layer < layers; layer++) {
      for (const [area, bytes] of [
        [this.#keysOf(layer), keyBlockBytes],
        [this.#valuesOf(layer), valueBlockBytes],
      ] as const) {
        const begin = (area + from * bytes) / 4;
        this.#floats.copyWithin((area + to * bytes) / 4, begin, begin + bytes / 4);
      }
    }
  }

  /** `k` and `v` are [tokens, kvHeads · headDim]. */
  write(layer: number, rows: readonly StepRow[], k: Float32Array, v: Float32Array): void {
    const { blockSize, kvHeads, headDim } = this.#shape;
    const { lanes, paddedDim, keyBlockBytes, valueBlockBytes, keyHeadBytes, valueHeadBytes } =
      this.#layout;
    const floats = this.#floats;
    const keys = this.#keysOf(layer) / 4;
    const values = this.#valuesOf(layer) / 4;
    for (const row of rows) {
      for (let i = 0; i < row.count; i++) {
        const position = row.start + i;
        const block = row.blocks[Math.floor(position / blockSize)] as number;
        const within = position % blockSize;
        const lane = within % lanes;
        for (let head = 0; head < kvHeads; head++) {
          const token = ((row.offset + i) * kvHeads + head) * headDim;
          const key =
            keys +
            (block * keyBlockBytes + head * keyHeadBytes) / 4 +
            (within - lane) * headDim +
            lane;
          for (let d = 0; d < headDim; d++) floats[key + d * lanes] = k[token + d] as number;
          const value =
            values + (block * valueBlockBytes + head * valueHeadBytes) / 4 + within * paddedDim;
          for (let d = 0; d < headDim; d++) floats[value + d] = v[token + d] as number;
        }
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
    const { heads, kvHeads, headDim } = this.#shape;
    const { paddedDim, keyHeadBytes, valueHeadBytes } = this.#layout;
    const at = this.#at;
    const group = heads / kvHeads;
    const keys = this.#keysOf(layer);
    const values = this.#valuesOf(layer);
    const sinks = this.#floats.subarray(at.sinks / 4, at.sinks / 4 + heads);
    if (options.sinks) sinks.set(options.sinks);
    else sinks.fill(Number.NEGATIVE_INFINITY);
    this.#floats.set(q, at.queries / 4);
    for (const row of rows) {
      this.#ints.set(row.blocks, at.tables / 4);
      for (let i = 0; i < row.count; i++) {
        const end = row.start + i + 1;
        const begin = options.window === undefined ? 0 : Math.max(0, end - options.window);
        for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
          const head = (row.offset + i) * heads + kvHead * group;
          this.#attend(
            at.queries + head * headDim * 4,
            at.outputs + head * paddedDim * 4,
            at.tables,
            begin,
            end,
            keys + kvHead * keyHeadBytes,
            values + kvHead * valueHeadBytes,
            at.scratch,
            at.sinks + kvHead * group * 4,
            options.scale,
          );
        }
      }
    }
    this.#readOutputs(out);
  }

  #readOutputs(out: Float32Array): void {
    const { headDim } = this.#shape;
    const { paddedDim } = this.#layout;
    const begin = this.#at.outputs / 4;
    if (paddedDim === headDim) {
      out.set(this.#floats.subarray(begin, begin + out.length));
      return;
    }
    for (let head = 0; head < out.length / headDim; head++) {
      const from = begin + head * paddedDim;
      out.set(this.#floats.subarray(from, from + headDim), head * headDim);
    }
  }

  #layerBlockBytes(): number {
    return this.#layout.keyBlockBytes + this.#layout.valueBlockBytes;
  }

  #keysOf(layer: number): number {
    return this.#at.layers + layer * this.#shape.blocks * this.#layerBlockBytes();
  }

  #valuesOf(layer: number): number {
    return this.#keysOf(layer) + this.#shape.blocks * this.#layout.keyBlockBytes;
  }
}
