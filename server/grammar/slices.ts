/**
 * Slices of a vocabulary: tokens of plain text up to a length. Where a state takes all
 * plain text of that length, which a walk over a few states tells, these tokens are
 * allowed without a look at them, and only the others are scanned: of a free string
 * a tenth of the trie is left.
 */
import { entryAt } from "../entry-at.ts";
import { Automaton, type State } from "./automaton.ts";
import { ANY_CHAR, characters, minus } from "./characters.ts";
import { many } from "./grammar.ts";
import { layOutTrie, shared, type Trie } from "./trie.ts";

export interface Slice {
  /** Bytes of its longest token at most. */
  readonly longest: number;
  /** Bits of its ids. */
  readonly mask: Int32Array;
  /** Of all other tokens. */
  readonly rest: Trie;
}

/** Whole characters without controls, line ends, quotes and backslashes: what strings and lines take. */
const PLAIN = new Automaton(
  many(
    characters(
      minus(ANY_CHAR, [
        [0, 0x1f],
        [0x22, 0x22],
        [0x5c, 0x5c],
        [0x7f, 0x9f],
        [0x2028, 0x2029],
      ]),
    ),
  ),
);

/** The longest token of each slice, in bytes. */
const LENGTHS: readonly number[] = [Number.POSITIVE_INFINITY, 32, 16, 8];
const FURTHEST = 32;
/** Steps and ways that a walk may look at: less than the scan that it saves. */
const MAX_STEPS = 60_000;
const MAX_WORK = 6_000;

/** `order`: ids by their texts, none of them empty. */
export function slicesOf(texts: readonly Uint8Array[], order: readonly number[]): readonly Slice[] {
  const plain = texts.map(isPlain);
  return LENGTHS.map((longest) => {
    const inside = (id: number) => entryAt(plain, id) && entryAt(texts, id).length <= longest;
    const mask = new Int32Array((texts.length + 31) >> 5);
    for (const id of order) {
      if (inside(id)) mask[id >> 5] = entryAt(mask, id >> 5) | (1 << (id & 31));
    }
    return {
      longest,
      mask: shared(Int32Array, mask),
      rest: layOutTrie(
        texts,
        order.filter((id) => !inside(id)),
      ),
    };
  });
}

const isPlain = (text: Uint8Array): boolean => PLAIN.run(PLAIN.start, text)?.ends === true;

/** Bytes of plain text, one of all that neither it nor the automaton tells apart. */
export function bytesApart({ grammar: { classOf } }: Automaton): readonly number[] {
  const found = new Map<number, number>();
  for (let byte = 0; byte < 256; byte++)
    found.set(256 * entryAt(PLAIN.grammar.classOf, byte) + entryAt(classOf, byte), byte);
  return [...found.values()];
}

/**
 * So many bytes of any plain text are sure to be taken from `start` on; Infinity: all. A
 * lower bound: what takes too long to find out counts as refused. `apart`: as bytesApart.
 * Throws GrammarError where the automaton's own limit is met.
 */
export function plainBytes(automaton: Automaton, start: State, apart: readonly number[]): number {
  const seen = new Map<State, Set<State>>();
  const limit = automaton.work + MAX_WORK;
  let steps = 0;
  let level: (readonly [state: State, plain: State])[] = [[start, PLAIN.start]];
  for (let bytes = 0; bytes < FURTHEST; bytes++) {
    const next: (readonly [State, State])[] = [];
    for (const [state, plain] of level) {
      for (const byte of apart) {
        const further = PLAIN.step(plain, byte);
        if (further === undefined) continue;
        const after = automaton.step(state, byte);
        if (after === undefined || ++steps > MAX_STEPS || automaton.work > limit) return bytes;
        const known = seen.get(after) ?? new Set();
        if (known.has(further)) continue;
        seen.set(after, known.add(further));
        next.push([after, further]);
      }
    }
    if (next.length === 0) return Number.POSITIVE_INFINITY;
    level = next;
  }
  return FURTHEST;
}
