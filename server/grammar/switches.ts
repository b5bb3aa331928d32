/**
 * Alternatives that the next byte tells apart, as those of a character, of listed texts and of
 * products are: one leaf stands for all of them, and a step leads into the one that takes the
 * byte. A state inside a class of Unicode has one leaf, not sixty.
 */
import { entryAt } from "../entry-at.ts";
import type { ByteSet } from "./grammar.ts";
import { ALT, BYTES, SEQ, type Shape } from "./shape.ts";

export interface Switches {
  /** By node: where it stands in `switches`; 0: it is none. */
  readonly switchAt: Int32Array;
  /** Of each: the set of all that it takes, 1 if it may take nothing; then the set of each option and the option. */
  readonly switches: Int32Array;
}

/** Where the options of a switch begin. */
export const OPTIONS = 2;

/** `sets`: by number; `numberOf` gives a set a number. There is no recursion on the left. */
export function switchesOf(
  shape: Shape,
  productive: Uint8Array,
  sets: readonly ByteSet[],
  numberOf: (set: ByteSet) => number,
): Switches {
  const switchAt = new Int32Array(shape.kind.length);
  /** Begins as what is no switch: it never takes nothing. */
  const switches: number[] = [0, 0];
  for (let node = 0; node < shape.kind.length; node++) {
    if (shape.kind[node] !== ALT) continue;
    const found: Found = { options: [], union: new Uint32Array(8), empty: false };
    if (!gather(shape, productive, sets, node, found) || found.options.length < 4) continue;
    switchAt[node] = switches.length;
    switches.push(numberOf(found.union), found.empty ? 1 : 0, ...found.options);
  }
  return { switchAt, switches: Int32Array.from(switches) };
}

interface Found {
  /** Pairs of a set and the option that begins with it. */
  readonly options: number[];
  readonly union: ByteSet;
  empty: boolean;
}

/** False: the next byte does not tell. */
function gather(
  shape: Shape,
  productive: Uint8Array,
  sets: readonly ByteSet[],
  alternative: number,
  found: Found,
): boolean {
  const { kind, first, parts } = shape;
  for (let k = entryAt(first, alternative); k < entryAt(first, alternative + 1); k++) {
    const option = entryAt(parts, k);
    if (productive[option] !== 1) continue;
    if (kind[option] === ALT) {
      if (!gather(shape, productive, sets, option, found)) return false;
    } else if (kind[option] === SEQ && first[option] === first[option + 1]) {
      found.empty = true;
    } else {
      const set = firstSet(shape, option);
      if (set === undefined || !isApart(found.union, entryAt(sets, set))) return false;
      found.options.push(set, option);
    }
  }
  return true;
}

/** Of what begins with bytes. */
function firstSet({ kind, first, parts }: Shape, option: number): number | undefined {
  let node = option;
  while (kind[node] === SEQ && first[node] !== first[node + 1])
    node = entryAt(parts, entryAt(first, node));
  return kind[node] === BYTES ? entryAt(parts, entryAt(first, node)) : undefined;
}

/** Adds a set that has nothing in common with those before. */
function isApart(union: ByteSet, set: ByteSet): boolean {
  for (let word = 0; word < set.length; word++) {
    if ((entryAt(union, word) & entryAt(set, word)) !== 0) return false;
    union[word] = entryAt(union, word) | entryAt(set, word);
  }
  return true;
}
