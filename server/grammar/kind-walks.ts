/** What states of a grammar take of kinds of text, as a walk along one of their ways tells. */
import { entryAt } from "../entry-at.ts";
import { type Automaton, REFUSED } from "./automaton.ts";
import { KINDS } from "./kinds.ts";
import type { Way } from "./ways.ts";

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
