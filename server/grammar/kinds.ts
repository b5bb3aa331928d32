/**
 * Kinds of text: some characters, any number of times. Where all that goes on from a node of the
 * trie is of one kind, and a state takes all text of that kind of such a length (kind-walks.ts),
 * the node's whole subtree is taken without a look at it.
 */
import { entryAt } from "../entry-at.ts";
import { Automaton, REFUSED, type State } from "./automaton.ts";
import { ANY_CHAR, type CharSet, characters, minus } from "./characters.ts";
import { many } from "./grammar.ts";

const LOWER: CharSet = [[0x61, 0x7a]];
const ASCII: CharSet = [[0x41, 0x5a], ...LOWER];
const HAN: CharSet = [[0x4e00, 0x9fff]];
/** And backslashes. */
const QUOTES: CharSet = [
  [0x22, 0x22],
  [0x5c, 0x5c],
];

/** The narrower first: what is refused of one is of all behind that hold it. Of scripts: blocks of letters without a gap. */
const SETS: readonly CharSet[] = [
  LOWER,
  ASCII,
  [[0x30, 0x39], ...ASCII, [0x5f, 0x5f]],
  minus([[0x21, 0x7e]], QUOTES),
  // Latin
  [...ASCII, [0xaa, 0xaa], [0xb5, 0xb5], [0xba, 0xba], [0xc0, 0xd6], [0xd8, 0xf6], [0xf8, 0x24f]],
  // Greek
  [
    [0x388, 0x38a],
    [0x38e, 0x3a1],
    [0x3a3, 0x3f5],
  ],
  // Cyrillic
  [
    [0x400, 0x481],
    [0x48a, 0x52f],
  ],
  // Hebrew
  [[0x5d0, 0x5ea]],
  // Arabic
  [[0x620, 0x64a]],
  HAN,
  // Japanese
  [[0x3041, 0x3096], [0x309d, 0x309f], [0x30a1, 0x30fa], [0x30fc, 0x30ff], ...HAN],
  // Hangul
  [[0xac00, 0xd7a3]],
  // Without controls and line ends: what strings and lines take.
  minus(ANY_CHAR, [[0, 0x1f], ...QUOTES, [0x7f, 0x9f], [0x2028, 0x2029]]),
];

/** Its automaton as a table; state 0 is that between characters. */
interface Kind {
  readonly states: number;
  /** The next state, or REFUSED: at `256 * state + byte`. */
  readonly next: Int8Array;
}

export const KINDS: readonly Kind[] = SETS.map((set) => kindOf(set));
/** The widest. */
export const PLAIN = SETS.length - 1;
/** In place of a kind. */
export const NONE = 255;

function kindOf(set: CharSet): Kind {
  const automaton = new Automaton(many(characters(set)));
  const numbers = new Map<State, number>([[automaton.start, 0]]);
  const next: number[] = [];
  // A Map yields what is added while it is walked.
  for (const state of numbers.keys()) {
    for (let byte = 0; byte < 256; byte++) {
      const after = automaton.step(state, byte);
      if (after === undefined) next.push(REFUSED);
      else {
        const number = numbers.get(after) ?? numbers.size;
        numbers.set(after, number);
        next.push(number);
      }
    }
  }
  return { states: numbers.size, next: Int8Array.from(next) };
}

/** Whole characters of the kind and nothing else. */
export function isOfKind(kind: number, text: Uint8Array): boolean {
  const { next } = entryAt(KINDS, kind);
  let state = 0;
  for (let at = 0; at < text.length && state !== REFUSED; at++)
    state = entryAt(next, 256 * state + entryAt(text, at));
  return state === 0;
}

/**
 * By node of a trie: the first kind whose texts, cut anywhere, are all that goes on from it; NONE.
 * `parent`: by node, and before it. The casts rest on nodes and bytes being within their lists.
 */
export function kindsBeneath(byte: ArrayLike<number>, parent: ArrayLike<number>): Uint8Array {
  const found = new Uint8Array(byte.length).fill(NONE);
  /** Bits of the kind's states from which it takes all that goes on from a node. */
  const from = new Uint32Array(byte.length);
  for (const [kind, { states, next }] of KINDS.entries()) {
    from.fill(2 ** states - 1);
    // From the last node back: each has heard of all its children when its parent does.
    for (let node = byte.length - 1; node > 0; node--) {
      const after = from[node] as number;
      if ((after & 1) === 1 && found[node] === NONE) found[node] = kind;
      let before = 0;
      for (let state = 0; after !== 0 && state < states; state++) {
        const to = next[256 * state + (byte[node] as number)] as number;
        if (to !== REFUSED && (after >>> to) & 1) before |= 1 << state;
      }
      const above = parent[node] as number;
      from[above] = (from[above] as number) & before;
    }
  }
  return found;
}
