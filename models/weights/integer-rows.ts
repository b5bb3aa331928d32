/** Rows of a weight as integers, and what they are read with. */
import type { StoredTensor } from "../model.ts";

export interface IntegerRows {
  /** [rows, in] */
  readonly codes: Uint8Array<ArrayBuffer>;
  readonly bits: number;
  /** [rows, groups] */
  readonly scales: Float32Array;
  readonly zeros: Uint8Array<ArrayBuffer>;
  readonly groups: number;
  /** Group of every input; absent: in order, as many each. */
  readonly order?: Int32Array;
  /** Of codes that only come close to what was published; absent: they are it. */
  readonly moved?: Moved;
}

/** How far numbers were moved: sums of squares, of some of them. */
export interface Moved {
  differences: number;
  /** Of the numbers themselves. */
  squares: number;
}

/** Bytes `[offset, offset + length)` of a tensor, valid until the next call. */
export type Bytes = (tensor: StoredTensor, offset: number, length: number) => Uint8Array;
/** A whole small tensor as F32. */
export type Numbers = (tensor: StoredTensor) => Float32Array;
