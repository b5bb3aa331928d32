/**
 * Kinds of text: some characters, any number of times. Where all that goes on from a node of the
 * trie is of one kind, and a state takes all text of that kind of such a length, which a walk
 * along one of its ways tells, the node's whole subtree is taken without a look at it.
 */
import { entryAt } from "../entry-at.ts";
import { Automaton, REFUSED, type State } from "./automaton.ts";
import { ANY_CHAR, type CharSet, characters, minus } from "./characters.ts";
import { many } from "./grammar.ts";
import type { Way } from "./ways.ts";

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

/** How far walks go, in bytes: where no state comes that did not before, text of any length is taken. */
const FURTHEST = 32;
/**
 * In `#known`: 0, not asked; below CUT, at least so many bytes; from CUT on, so many, as far as WALK_WORK
 * could tell; from EXACT on, just so many.
 */
const CUT = 64;
const EXACT = 128;
const ALL = 255;
/** Steps of one walk (moves and leaves looked at) and ways of the grammar that it may look at; and of all for one mask, which the last may go over. */
const WALK_STEPS = 2_000;
const WALK_WORK = 150;
const MASK_STEPS = 20_000;
const MASK_WORK = 6_000;
/** Ways, where a slice of the whole vocabulary hangs on it. */
export const SLICE_WORK = 1_000;
const FIRST_STATES = 64;

/** What may come in a state of a kind, for one automaton. */
interface Moves {
  /** Pairs of a class of bytes and the kind's next state. */
  readonly moves: Int32Array;
  /** Bits of the classes. */
  readonly classes: Int32Array;
  /** By set of classes, 1: it holds them all; 0; or UNASKED. */
  readonly takers: Uint8Array;
}

const UNASKED = 2;

/** Bytes that are sure to be taken. */
function lengthOf(known: number): number {
  if (known === ALL) return Number.POSITIVE_INFINITY;
  return known < CUT ? known : known - (known < EXACT ? CUT : EXACT);
}

/** What states of one automaton take of kinds of text. */
export class KindWalks {
  readonly #automaton: Automaton;
  /** By state's index and kind. */
  #known = new Uint8Array(FIRST_STATES * KINDS.length);
  /** By kind and its state. */
  readonly #moves: Moves[][] = KINDS.map(() => []);
  #stepsLeft = 0;
  #workLeft = 0;
  /** Steps so far. */
  steps = 0;

  constructor(automaton: Automaton) {
    this.#automaton = automaton;
  }

  get bytes(): number {
    return this.#known.byteLength;
  }

  /** A mask is begun: it has so many walks. */
  begin(): void {
    this.#stepsLeft = MASK_STEPS;
    this.#workLeft = MASK_WORK;
  }

  forget(): void {
    this.#known = new Uint8Array(FIRST_STATES * KINDS.length);
  }

  /**
   * Is all text of the kind of up to so many bytes sure to be taken? What takes too long to find
   * out counts as refused. Throws GrammarError where the automaton's own limit is met.
   */
  takes(index: number, kind: number, bytes: number, work = WALK_WORK): boolean {
    const place = index * KINDS.length + kind;
    let known = this.#known[place] ?? 0;
    const open = known < (work > WALK_WORK ? EXACT : CUT);
    if (open && lengthOf(known) < bytes && this.#stepsLeft > 0 && this.#workLeft > 0) {
      const [steps, ways] = [this.steps, this.#automaton.work];
      known = this.#walk(index, kind, bytes > 8 ? FURTHEST : 8, work);
      this.#stepsLeft -= this.steps - steps;
      this.#workLeft -= this.#automaton.work - ways;
      while (place >= this.#known.length) this.#grow();
      this.#known[place] = known;
    }
    return lengthOf(known) >= bytes;
  }

  #grow(): void {
    const known = new Uint8Array(2 * this.#known.length);
    known.set(this.#known);
    this.#known = known;
  }

  /** As it stands in `#known`: of the best of the leaves that take what may come first. */
  #walk(index: number, kind: number, furthest: number, work: number): number {
    const lastStep = this.steps + WALK_STEPS;
    const mostWork = this.#automaton.work + work;
    const isSpent = () => this.steps > lastStep || this.#automaton.work > mostWork;
    let longest = 0;
    for (const leaf of this.#automaton.leavesOf(index)) {
      this.steps++;
      if (longest === Number.POSITIVE_INFINITY || isSpent()) break;
      if (!this.#takesAll(leaf, kind, 0)) continue;
      longest = Math.max(longest, this.#along(leaf, kind, furthest, isSpent));
    }
    if (longest === Number.POSITIVE_INFINITY) return ALL;
    if (longest > furthest && furthest < FURTHEST) return longest;
    return longest + (isSpent() && work <= WALK_WORK ? CUT : EXACT);
  }

  /**
   * Bytes that one leaf takes, and behind it always one that takes all that may come: a lower bound.
   * Past `furthest` where no end was met that far.
   */
  #along(start: Way, kind: number, furthest: number, isSpent: () => boolean): number {
    const automaton = this.#automaton;
    const { states } = entryAt(KINDS, kind);
    const seen = new Set<number>();
    let level: (readonly [leaf: Way, state: number])[] = [[start, 0]];
    for (let bytes = 1; bytes <= furthest; bytes++) {
      const next: (readonly [Way, number])[] = [];
      for (const [leaf, state] of level) {
        const { moves } = this.#movesOf(kind, state);
        for (let move = 0; move < moves.length; move += 2) {
          const after = automaton.behind(leaf, entryAt(moves, move));
          const then = entryAt(moves, move + 1);
          const key = after.id * states + then;
          this.steps++;
          if (seen.has(key)) continue;
          seen.add(key);
          const further = this.#thatTakesAll(automaton.leavesAlong(after), kind, then);
          if (further === undefined || isSpent()) return bytes;
          next.push([further, then]);
        }
      }
      if (next.length === 0) return Number.POSITIVE_INFINITY;
      level = next;
    }
    return furthest + 1;
  }

  #thatTakesAll(leaves: readonly Way[], kind: number, state: number): Way | undefined {
    for (const leaf of leaves) {
      this.steps++;
      if (this.#takesAll(leaf, kind, state)) return leaf;
    }
    return undefined;
  }

  /** Does the leaf take all bytes that may come in a state of the kind? */
  #takesAll({ set }: Way, kind: number, state: number): boolean {
    const { classes, takers } = this.#movesOf(kind, state);
    if (takers[set] === UNASKED) {
      const { sets, words } = this.#automaton.grammar;
      const missed = classes.some(
        (bits, word) => (bits & ~entryAt(sets, set * words + word)) !== 0,
      );
      takers[set] = missed ? 0 : 1;
    }
    return takers[set] === 1;
  }

  #movesOf(kind: number, state: number): Moves {
    const ofKind = entryAt(this.#moves, kind);
    const known = ofKind[state];
    if (known !== undefined) return known;
    const { next, states } = entryAt(KINDS, kind);
    const { classOf, words, sets } = this.#automaton.grammar;
    const pairs = new Set<number>();
    const classes = new Int32Array(words);
    for (let byte = 0; byte < 256; byte++) {
      const after = entryAt(next, 256 * state + byte);
      if (after === REFUSED) continue;
      const of = entryAt(classOf, byte);
      pairs.add(of * states + after);
      classes[of >> 5] = entryAt(classes, of >> 5) | (1 << (of & 31));
    }
    const list = [...pairs].flatMap((pair) => [Math.floor(pair / states), pair % states]);
    const takers = new Uint8Array(sets.length / words).fill(UNASKED);
    const moves = { moves: Int32Array.from(list), classes, takers };
    ofKind[state] = moves;
    return moves;
  }
}
