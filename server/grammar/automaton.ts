/**
 * Runs a grammar byte by byte. A state is the set of all ways the grammar may go
 * on; a way is a linked list of what is still to match (a stack, shared by
 * structure). Lists and states are kept once, so a state met again is the same
 * object and its steps are look-ups in one table: a DFA built only where text goes.
 * Hot: arrays are indexed within their bounds, which is what the casts rest on.
 *
 * Nothing is compiled ahead, therefore a bound such as maxLength 4,000 costs
 * nothing until reached. Work is counted, in ways looked at, and so are the bytes
 * that the tables hold; past what a caller allows, a GrammarError is thrown.
 */
import { withoutCovered } from "./covered.ts";
import { GrammarError, type Node } from "./grammar.ts";
import { ALT, RULE, SEQ } from "./shape.ts";
import { OPTIONS } from "./switches.ts";
import { type GrammarTable, layOutGrammar } from "./table.ts";
import { type State, type Way, Ways } from "./ways.ts";

export type { State } from "./ways.ts";

/** In `next`: not asked yet, and refused. */
export const UNKNOWN = 0;
export const REFUSED = -1;

/** Ways in one state, and steps of one closure. */
const MAX_WAYS = 20_000;
const MAX_CLOSURE = 100_000;

/** What things weigh, in bytes: measured over heaps full of them, rounded up. */
const STATE_BYTES = 200;
const LEAF_BYTES = 16;
/** A new state costs as much time as so many ways looked at; so many leaves asked for a byte as one, and so many classes told. */
const STATE_WORK = 10;
const LEAVES_A_WORK = 8;
const CLASSES_A_WORK = 256;

const FIRST_ROWS = 16;

export class Automaton {
  readonly grammar: GrammarTable;
  /** Steps: of the row at `rows[state's index]`, by class of bytes: the index of the next state, REFUSED or UNKNOWN. */
  next: Int32Array<ArrayBuffer>;
  /** By a state's index; 0: nothing was asked of it, and row 0 knows nothing. */
  rows = new Int32Array(FIRST_ROWS);
  #rowsEnd: number;
  /** By length, what `capped` found of each index; 0: not asked yet. */
  #caps: Int32Array<ArrayBuffer>[] = [];
  #states: (State | undefined)[] = [undefined];
  #byHash = new Map<number, State>();
  #ways = new Ways();
  #epoch = 0;
  readonly #alike: Int32Array;
  /** Marks what one look has seen. */
  #stamp = 0;
  /** Of the closure that is being found: ways still to look at, and how many there were. */
  readonly #open: Way[] = [];
  #visits = 0;
  start: State;
  /** Ways looked at so far. */
  work = 0;
  /** `work` at which a GrammarError is thrown. */
  workLimit = Number.POSITIVE_INFINITY;
  #stateBytes = 0;

  /** Throws GrammarError where no finite text satisfies the grammar. */
  constructor(grammar: Node | GrammarTable) {
    this.grammar = "classOf" in grammar ? grammar : layOutGrammar(grammar);
    const { classes, words } = this.grammar;
    this.next = new Int32Array(FIRST_ROWS * classes);
    this.#rowsEnd = classes;
    this.#alike = new Int32Array(words);
    this.start = this.#state([this.#ways.of(0, this.#ways.end, this.grammar)]);
  }

  /** Bytes that the tables hold, about. */
  get bytes(): number {
    const tables = [this.next, this.rows, ...this.#caps];
    const inTables = tables.reduce((sum, table) => sum + (table?.byteLength ?? 0), 0);
    return this.#stateBytes + this.#ways.bytes + inTables;
  }

  /** Undefined: the grammar refuses the byte. */
  step(state: State, byte: number): State | undefined {
    const index = this.indexOf(state);
    const after = this.after(index, this.grammar.classOf[byte] as number);
    return after === REFUSED ? undefined : this.#states[after];
  }

  /** The same by index, of a class of bytes: an index, or REFUSED. */
  after(index: number, of: number): number {
    const known = this.next[(this.rows[index] as number) + of] as number;
    return known === UNKNOWN ? this.find(index, of) : known;
  }

  /** Of a state, in the tables as they are now. */
  indexOf(state: State): number {
    return state.epoch === this.#epoch ? state.index : this.#keep(state).index;
  }

  /** A step not asked before: an index, or REFUSED. It is known then for all classes that no leaf tells apart. */
  find(index: number, of: number): number {
    const { leaves } = this.#states[index] as State; // an index that this has given
    const { sets, words, classes, switches } = this.grammar;
    this.#spend(1 + Math.floor(leaves.length / LEAVES_A_WORK + classes / CLASSES_A_WORK));
    const alike = this.#alike.fill(-1);
    const ways: Way[] = [];
    for (const leaf of leaves) {
      let at = leaf.set * words;
      const takes = (((sets[at + (of >> 5)] as number) >>> (of & 31)) & 1) === 1;
      if (takes) {
        ways.push(this.behind(leaf, of));
        const option = this.#option(leaf, of);
        if (option !== 0) at = (switches[option] as number) * words;
      }
      for (let word = 0; word < words; word++) {
        const bits = sets[at + word] as number;
        alike[word] = (alike[word] as number) & (takes ? bits : ~bits);
      }
    }
    const after = ways.length === 0 ? REFUSED : this.indexOf(this.#state(ways));
    const row = this.#row(index);
    const { next } = this;
    for (let other = 0; other < classes; other++) {
      if (((alike[other >> 5] as number) >>> (other & 31)) & 1) next[row + other] = after;
    }
    return after;
  }

  /** What follows a leaf that takes the class. */
  behind(leaf: Way, of: number): Way {
    const next = leaf.next as Way; // a leaf has one
    const option = this.#option(leaf, of);
    if (option === 0) return next;
    return this.#ways.within(this.grammar.switches[option + 1] as number, next, this.grammar);
  }

  leavesOf(index: number): readonly Way[] {
    return (this.#states[index] as State).leaves; // an index that this has given
  }

  /** What can come first along a way. */
  leavesAlong(way: Way): readonly Way[] {
    this.#close(way);
    return way.leaves ?? [];
  }

  /** Of a switch that takes the class: where the option that does stands; 0: the leaf is none. */
  #option({ node }: Way, of: number): number {
    const { switchAt, switches, sets, words } = this.grammar;
    const from = switchAt[node] as number;
    if (from === 0) return 0;
    let option = from + OPTIONS;
    while (
      !(((sets[(switches[option] as number) * words + (of >> 5)] as number) >>> (of & 31)) & 1)
    )
      option += 2;
    return option;
  }

  run(state: State, text: Uint8Array): State | undefined {
    let at: State | undefined = state;
    for (let i = 0; i < text.length && at !== undefined; i++) at = this.step(at, text[i] as number);
    return at;
  }

  accepts(text: string): boolean {
    return this.run(this.start, new TextEncoder().encode(text))?.ends ?? false;
  }

  /** Does the leaf take the byte? */
  takes({ set }: Way, byte: number): boolean {
    const { sets, words, classOf } = this.grammar;
    const of = classOf[byte] as number;
    return (((sets[set * words + (of >> 5)] as number) >>> (of & 31)) & 1) === 1;
  }

  /**
   * By index: a state that takes the same texts of up to `length` bytes as this one: counts
   * that no such text can exhaust have no end. States inside a long bounded string thereby
   * share one, which is that of an unbounded one.
   */
  capped(index: number, length: number): number {
    // Of powers of two, from 4 on.
    const level = length <= 4 ? 0 : 30 - Math.clz32(length - 1);
    const known = this.#caps[level]?.[index];
    if (known !== undefined && known !== 0) return known;
    const { leaves, ends } = this.#states[index] as State; // an index that this has given
    let capped = index;
    if (leaves.some(({ counted }) => counted)) {
      const ways = leaves.map((way) => this.#ways.capped(way, 4 << level, this.grammar));
      capped = this.indexOf(this.#state(ways, ends));
    }
    let caps = this.#caps[level];
    if (caps === undefined || caps.length < this.rows.length) {
      const larger = new Int32Array(this.rows.length);
      if (caps !== undefined) larger.set(caps);
      this.#caps[level] = caps = larger;
    }
    caps[index] = capped;
    return capped;
  }

  /**
   * Drops the tables, which are filled again as text needs them; states in use stay valid, and
   * hold on to no others.
   */
  forget(): void {
    const { classes } = this.grammar;
    for (const state of this.#states) if (state !== undefined) state.twin = undefined;
    this.#epoch++;
    this.#stateBytes = 0;
    this.next = new Int32Array(FIRST_ROWS * classes);
    this.rows = new Int32Array(FIRST_ROWS);
    this.#rowsEnd = classes;
    this.#caps = [];
    this.#states = [undefined];
    this.#byHash = new Map();
    this.#ways.forget();
    this.start = this.#state([this.#ways.of(0, this.#ways.end, this.grammar)]);
  }

  /** Where a state's steps stand. */
  #row(index: number): number {
    const known = this.rows[index] as number;
    if (known !== 0) return known;
    const row = this.#rowsEnd;
    this.#rowsEnd += this.grammar.classes;
    if (this.#rowsEnd > this.next.length) this.next = grown(this.next);
    this.rows[index] = row;
    return row;
  }

  #spend(ways: number): void {
    this.work += ways;
    if (this.work > this.workLimit) {
      throw new GrammarError("it needs too much work at one place: it is too ambiguous");
    }
  }

  #state(from: readonly Way[], ends = false): State {
    const [only] = from;
    // Most steps lead one way on, and that to a state that is known.
    if (
      from.length === 1 &&
      only?.state?.epoch === this.#epoch &&
      only.state.ends === (ends || only.ends)
    )
      return only.state;
    const leaves: Way[] = [];
    let mayEnd = ends;
    for (const way of from) this.#close(way);
    const stamp = ++this.#stamp;
    for (const way of from) {
      const closed = way.leaves ?? [];
      this.#spend(1 + closed.length);
      mayEnd ||= way.ends;
      for (const leaf of closed) {
        if (leaf.seen === stamp) continue;
        leaf.seen = stamp;
        leaves.push(leaf);
      }
    }
    const kept = withoutCovered(leaves, (others) => this.#spend(others >> 3));
    if (kept.length > MAX_WAYS) throw new GrammarError("it is too ambiguous");
    const state = this.#keep({
      leaves: sorted(kept),
      ends: mayEnd,
      index: 0,
      epoch: -1,
      twin: undefined,
    });
    if (from.length === 1 && only !== undefined && only.ends === mayEnd) only.state = state;
    return state;
  }

  /** The one that is kept of states that are equal. */
  #keep(state: State): State {
    const { leaves, ends } = state;
    let hash = ends ? 1 : 0;
    for (const { id } of leaves) hash = (Math.imul(hash, 0x9e3779b1) + id) | 0;
    const first = this.#byHash.get(hash);
    for (let known = first; known !== undefined; known = known.twin) {
      if (known.ends === ends && same(known.leaves, leaves)) return known;
    }
    state.index = this.#states.length;
    state.epoch = this.#epoch;
    state.twin = first;
    this.#byHash.set(hash, state);
    this.#states.push(state);
    if (state.index >= this.rows.length) this.rows = grown(this.rows);
    this.#stateBytes += STATE_BYTES + LEAF_BYTES * leaves.length;
    this.#spend(STATE_WORK);
    return state;
  }

  /** Finds what can come first along a way: leaves, and whether the text may end. */
  #close(start: Way): void {
    if (start.leaves !== undefined) return;
    const { kind, first, parts, switchAt, switches } = this.grammar;
    const leaves: Way[] = [];
    const open = this.#open;
    open.length = 0;
    this.#visits = 0;
    this.#stamp++;
    this.#visit(start);
    let ends = false;
    for (let way = open.pop(); way !== undefined; way = open.pop()) {
      const { node, next } = way;
      if (next === undefined) {
        ends = true;
        continue;
      }
      const at = first[node] as number;
      const end = first[node + 1] as number;
      const of = kind[node];
      if (way.set >= 0) {
        leaves.push(way);
        if (switches[(switchAt[node] as number) + 1] === 1) this.#visit(next);
      } else if (of === RULE || of === ALT) {
        for (let k = at; k < end; k++) this.#enter(parts[k] as number, next);
      } else if (of === SEQ) {
        const after = this.#ways.following(node, way.low, next, this.grammar);
        if (at + way.low < end) this.#enter(parts[at + way.low] as number, after);
        else this.#visit(next);
      } else {
        if (way.low === 0) this.#visit(next);
        if (way.high > 0) this.#enter(parts[at] as number, this.#ways.once(way, next));
      }
    }
    start.ends = ends;
    start.leaves = leaves;
    this.#ways.bytes += LEAF_BYTES * leaves.length;
  }

  #enter(part: number, next: Way): void {
    if (this.grammar.productive[part] === 1) this.#visit(this.#ways.of(part, next, this.grammar));
  }

  #visit(way: Way): void {
    if (way.seen === this.#stamp) return;
    this.#spend(1);
    if (++this.#visits > MAX_CLOSURE) throw new GrammarError("it is too ambiguous");
    way.seen = this.#stamp;
    this.#open.push(way);
  }
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}

function same(a: readonly Way[], b: readonly Way[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** By their ids; most are few. */
function sorted(ways: Way[]): Way[] {
  if (ways.length > 24) return ways.sort((a, b) => a.id - b.id);
  for (let i = 1; i < ways.length; i++) {
    const way = ways[i] as Way; // within its bounds
    let at = i;
    for (; at > 0 && (ways[at - 1] as Way).id > way.id; at--) ways[at] = ways[at - 1] as Way;
    ways[at] = way;
  }
  return ways;
}
