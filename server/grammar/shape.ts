/** What a grammar consists of, in numbers. */

export const BYTES = 0;
export const SEQ = 1;
export const ALT = 2;
export const REPEAT = 3;
export const RULE = 4;

/** Nodes are numbers, the root is 0. */
export interface Shape {
  readonly kind: Uint8Array;
  /** Parts of node n: `parts[first[n] .. first[n + 1])`. Of bytes: their set; of a repeat: its item, least and most. */
  readonly first: Int32Array;
  readonly parts: Int32Array;
}
