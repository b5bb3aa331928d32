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

/**
 * Options and alternatives within them that are looked at for one switch: 256 options are apart at
 * most, and alternatives that hold nothing may be nested at will.
 */
const MOST_LOOKS = 1_024;

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
  const unclear = new Uint8Array(shape.kind.length);
  const begins = new Int32Array(shape.kind.length);
  // From the last back: most parts come before what they are part of.
  for (let node = shape.kind.length - 1; node >= 0; node--) {
    if (shape.kind[node] !== ALT) continue;
    const found: Found = { options: [], union: new Uint32Array(8), empty: false };
    if (!gather(shape, { productive, sets, unclear, begins }, node, found)) unclear[node] = 1;
    if (unclear[node] === 1 || found.options.length < 4) continue;
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

interface Known {
  readonly productive: Uint8Array;
  readonly sets: readonly ByteSet[];
  /** By node, 1: an alternative whose options the next byte does not tell apart; so it is in none around it. */
  readonly unclear: Uint8Array;
  /** By node, what `firstSet` found: a set's number, counted from FIRST; 0: it was not looked at. */
  readonly begins: Int32Array;
}

/** Begins with no bytes. */
const NO_SET = 1;
const FIRST = 2;

/** False: the next byte does not tell, or too much would have to be looked at. */
function gather(
  shape: Shape,
  { productive, sets, unclear, begins }: Known,
  alternative: number,
  found: Found,
): boolean {
  const { kind, first, parts } = shape;
  const open = [alternative];
  let looks = 0;
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (++looks > MOST_LOOKS || unclear[node] === 1) return false;
    if (kind[node] === ALT) {
      const from = entryAt(first, node);
      // The first is the next to be looked at.
      for (let k = entryAt(first, node + 1) - 1; k >= from; k--) {
        const option = entryAt(parts, k);
        if (productive[option] === 1) open.push(option);
      }
      if (open.length > MOST_LOOKS) return false;
    } else if (kind[node] === SEQ && first[node] === first[node + 1]) {
      found.empty = true;
    } else {
      const set = firstSet(shape, begins, node);
      if (set === undefined || !isApart(found.union, entryAt(sets, set))) return false;
      found.options.push(set, node);
    }
  }
  return true;
}

/** Of what begins with bytes; what one sequence in another begins with is found once. */
function firstSet(
  { kind, first, parts }: Shape,
  begins: Int32Array,
  option: number,
): number | undefined {
  const firstPart = (node: number): number => entryAt(parts, entryAt(first, node));
  let end = option;
  while (begins[end] === 0 && kind[end] === SEQ && first[end] !== first[end + 1])
    end = firstPart(end);
  const known = entryAt(begins, end);
  const found = known !== 0 ? known : kind[end] === BYTES ? FIRST + firstPart(end) : NO_SET;
  begins[end] = found;
  for (let node = option; node !== end; node = firstPart(node)) begins[node] = found;
  return found === NO_SET ? undefined : found - FIRST;
}

/** Adds a set that has nothing in common with those before. */
function isApart(union: ByteSet, set: ByteSet): boolean {
  for (let word = 0; word < set.length; word++) {
    if ((entryAt(union, word) & entryAt(set, word)) !== 0) return false;
    union[word] = entryAt(union, word) | entryAt(set, word);
  }
  return true;
}
