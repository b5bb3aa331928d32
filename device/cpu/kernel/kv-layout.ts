/**
 * How keys and values lie in the pool, which the kernel and whoever writes them agree on.
 *
 *     keys    [block, kv head, tile, headDim / fold, lanes, fold]   a tile is `lanes` positions
 *     values  [block, kv head, blockSize / fold, paddedDim, fold]
 *
 * `fold` neighbours of a sum are multiplied by one instruction: of keys two elements, of
 * values two positions; 1 where a product of floats is one of its own. Keys lie with
 * positions side by side, so that nothing is summed across a register. Eight-bit formats
 * have a scale for each position before a head's block: F32 [blockSize].
 */

/** Of an element in memory; products are F32 but for int8, whose queries and weights have 16 bits. */
export type KvFormat = "f32" | "bf16" | "int8";

export interface KernelShape {
  /** Query heads that share the KV head. */
  readonly group: number;
  /** Elements of a query and of a key. */
  readonly headDim: number;
  /** Elements of a value. */
  readonly valueDim: number;
  /** A multiple of 4. */
  readonly blockSize: number;
  /** On the rank. */
  readonly kvHeads: number;
  readonly format: KvFormat;
}

/**
 * Positions of a chunk, the unit in which sums are made: chunks begin at its multiples
 * whoever computes them. Sums of 512 products of 16 by 8 bits fit 32.
 */
export const CHUNK = 512;

/** Sizes in bytes but where said. */
export interface KernelLayout {
  readonly elementBytes: 4 | 2 | 1;
  readonly fold: 1 | 2;
  /** Positions in a tile. */
  readonly lanes: number;
  /** Elements from a query to the next. */
  readonly queryDim: number;
  /** Elements of a key, filled up to whole folds. */
  readonly keyDim: number;
  /** Elements of a value, filled up to whole registers. */
  readonly paddedDim: number;
  /** Of the scales before a head's block. */
  readonly scaleBytes: number;
  readonly keyHeadBytes: number;
  readonly valueHeadBytes: number;
  readonly keyBlockBytes: number;
  readonly valueBlockBytes: number;
  /** What a chunk comes to: sums [group, paddedDim], then the largest score and the sum of weights of each head. */
  readonly partialBytes: number;
  /** Scores [group, CHUNK]; of 8 bits also weights, queries and their scales. */
  readonly scratchBytes: number;
}

const ELEMENT_BYTES = { f32: 4, bf16: 2, int8: 1 } as const;

const upTo = (value: number, multiple: number): number => multiple * Math.ceil(value / multiple);

export function kernelLayout(shape: KernelShape): KernelLayout {
  const { group, headDim, valueDim, blockSize, kvHeads, format } = shape;
  const elementBytes = ELEMENT_BYTES[format];
  const fold = format === "int8" ? 2 : 1;
  const queryDim = upTo(headDim, 8);
  const keyDim = upTo(headDim, fold);
  const paddedDim = upTo(valueDim, 16);
  const scaleBytes = format === "int8" ? 4 * blockSize : 0;
  const keyHeadBytes = scaleBytes + blockSize * keyDim * elementBytes;
  const valueHeadBytes = scaleBytes + blockSize * paddedDim * elementBytes;
  const rounded = format === "int8" ? group * (2 * (CHUNK + queryDim) + 4) : 0;
  return {
    elementBytes,
    fold,
    lanes: blockSize % 16 === 0 ? 16 : blockSize % 8 === 0 ? 8 : 4,
    queryDim,
    keyDim,
    paddedDim,
    scaleBytes,
    keyHeadBytes,
    valueHeadBytes,
    keyBlockBytes: kvHeads * keyHeadBytes,
    valueBlockBytes: kvHeads * valueHeadBytes,
    partialBytes: upTo(4 * group * (paddedDim + 2), 16),
    // A register more: weights are rounded eight at a time, tiles may end at four.
    scratchBytes: 4 * group * CHUNK + rounded + 16,
  };
}
