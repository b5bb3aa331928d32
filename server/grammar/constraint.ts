/**
 * A compiled grammar over one vocabulary, and the constraint one sequence holds.
 * Masks belong to states: one met again costs a copy. Hot path.
 */

import type { Constraint } from "../../engine/sequence.ts";
import { entryAt } from "../entry-at.ts";
import { Automaton, REFUSED, type State, UNKNOWN } from "./automaton.ts";
import { GRAMMAR_BYTES, SequenceBudget, ThreadBudget } from "./budget.ts";
import { GrammarError, type Node } from "./grammar.ts";
import { KindWalks, SLICE_WORK } from "./kind-walks.ts";
import { NONE, PLAIN } from "./kinds.ts";
import { type GrammarTable, tableArrays } from "./table.ts";
import type { Trie } from "./trie.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Bytes of masks kept for a grammar: some 200 at a vocabulary of 152k. */
const MAX_MASK_BYTES = 4 * 2 ** 20;
/** Nodes of a subtree that a walk over states may spare. */
const WORTH_A_WALK = 16;

export class CompiledGrammar {
  readonly vocabulary: Vocabulary;
  readonly automaton: Automaton;
  /** By index of the state. */
  readonly #masks = new Map<number, Int32Array>();
  readonly #thread: ThreadBudget;
  /** Index of the state after each byte of the token under scan. */
  readonly #path: Int32Array;
  readonly #walks: KindWalks;
  /** Of its table. */
  readonly tableBytes: number;
  /** Nodes of the vocabulary looked at so far. */
  scanned = 0;

  /** Throws GrammarError where the grammar can never be satisfied. `thread`: shared by all of it. */
  constructor(grammar: Node | GrammarTable, vocabulary: Vocabulary, thread = new ThreadBudget()) {
    this.vocabulary = vocabulary;
    this.automaton = new Automaton(grammar);
    this.#thread = thread;
    this.#path = new Int32Array(vocabulary.data.longest + 1);
    this.#walks = new KindWalks(this.automaton);
    const arrays = tableArrays(this.automaton.grammar);
    this.tableBytes = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Steps so far of walks over kinds of text. */
  get walked(): number {
    return this.#walks.steps;
  }

  /** All that it weighs, about. */
  get bytes(): number {
    return this.tableBytes + this.#foundBytes;
  }

  /** Of what `forget` drops. */
  get #foundBytes(): number {
    const masks = this.#masks.size * 4 * ((this.vocabulary.data.size + 31) >> 5);
    return this.automaton.bytes + this.#walks.bytes + masks;
  }

  /** A mask that another thread has found for the start. */
  seed(mask: Int32Array): void {
    this.#masks.set(this.#capped(this.automaton.start), mask);
  }

  /** Drops tables and masks; constraints go on. */
  forget(): void {
    this.#masks.clear();
    this.#walks.forget();
    this.automaton.forget();
  }

  /**
   * Bits of the ids that may come next; the end is not among them. Throws GrammarError
   * where finding them takes more than `budget` or one turn of the event loop has left.
   */
  mask(state: State, budget: SequenceBudget): Int32Array {
    return this.#within(budget, () => this.#mask(state));
  }

  /** The state after an id's bytes; undefined: refused. Throws as `mask`. */
  after(state: State, id: number, budget: SequenceBudget): State | undefined {
    return this.#within(budget, () => this.automaton.run(state, this.vocabulary.bytes(id)));
  }

  #within<T>(budget: SequenceBudget, work: () => T): T {
    const { automaton } = this;
    const before = automaton.work;
    automaton.workLimit = before + Math.min(this.#thread.mask, budget.left);
    try {
      return work();
    } finally {
      automaton.workLimit = Number.POSITIVE_INFINITY;
      this.#thread.spend(automaton.work - before);
      if (this.#foundBytes > GRAMMAR_BYTES) this.forget();
      this.#thread.used(this);
      budget.spend(automaton.work - before);
    }
  }

  #mask(state: State): Int32Array {
    const capped = this.#capped(state);
    let mask = this.#masks.get(capped);
    if (mask === undefined) {
      mask = this.#scan(capped);
      if (this.#masks.size * mask.byteLength >= MAX_MASK_BYTES) this.#forgetOldest();
    } else {
      this.#masks.delete(capped);
    }
    // The newest last: a Map keeps the order of insertion.
    this.#masks.set(capped, mask);
    return mask;
  }

  /** What the vocabulary can tell of a state. */
  #capped(state: State): number {
    return this.automaton.capped(this.automaton.indexOf(state), this.vocabulary.data.longest);
  }

  #scan(start: number): Int32Array {
    const { size, trie, slices } = this.vocabulary.data;
    this.#walks.begin();
    const slice = slices.find(({ longest }) =>
      this.#walks.takes(this.automaton.capped(start, longest), PLAIN, longest, SLICE_WORK),
    );
    const mask = slice?.mask.slice() ?? new Int32Array((size + 31) >> 5);
    this.#scanTrie(start, slice?.rest ?? trie, mask);
    return mask;
  }

  /** Every index below is within its array, which is what the casts rest on. */
  #scanTrie(start: number, trie: Trie, mask: Int32Array): void {
    const { byte, depth, end, first, here, kinds, below, tokens } = trie;
    const { automaton } = this;
    const { classOf } = automaton.grammar;
    const path = this.#path;
    path[0] = start;
    let { next, rows } = automaton;
    const count = byte.length;
    let looked = 0;
    for (let i = 1; i < count; ) {
      looked++;
      const level = depth[i] as number;
      const before = path[level - 1] as number;
      const of = classOf[byte[i] as number] as number;
      let after = next[(rows[before] as number) + of] as number;
      if (after === UNKNOWN) {
        after = automaton.find(before, of);
        ({ next, rows } = automaton);
      }
      const behind = end[i] as number;
      if (after === REFUSED) {
        i = behind;
        continue;
      }
      const from = first[i] as number;
      let to = from + (here[i] as number);
      if (behind - i >= WORTH_A_WALK) {
        const [kind, bytes] = [kinds[i] as number, below[i] as number];
        after = automaton.capped(after, bytes);
        if (kind !== NONE && this.#walks.takes(after, kind, bytes)) {
          to = first[behind] as number;
          i = behind - 1;
        }
        ({ next, rows } = automaton);
      }
      path[level] = after;
      for (let k = from; k < to; k++) {
        const id = tokens[k] as number;
        mask[id >> 5] = (mask[id >> 5] as number) | (1 << (id & 31));
      }
      i++;
    }
    this.scanned += looked;
  }

  #forgetOldest(): void {
    const [oldest] = this.#masks.keys();
    if (oldest !== undefined) this.#masks.delete(oldest);
  }
}

type Place = State | typeof ENDED | typeof LOST;

/** Places kept, for ids that are taken back; further back the ids are run again. */
const KEPT = 32;

/** Holds one sequence to a grammar. At its end only `endIds` are left. */
export class GrammarConstraint implements Constraint {
  /** Why nothing is allowed any more, where the grammar has not ended: its budget is spent. */
  failure: Error | undefined;
  readonly #grammar: CompiledGrammar;
  readonly #endIds: readonly number[];
  readonly #refusal: (error: GrammarError) => Error;
  readonly #budget = new SequenceBudget();
  readonly #ids: number[] = [];
  /** Places before the last ids, and the present one last. */
  readonly #history: Place[];

  /** `refusal`: what the client is told of a budget that is spent. */
  constructor(
    grammar: CompiledGrammar,
    endIds: readonly number[],
    refusal: (error: GrammarError) => Error = (error) => error,
  ) {
    this.#grammar = grammar;
    this.#endIds = endIds;
    this.#refusal = refusal;
    this.#history = [grammar.automaton.start];
  }

  /** The text so far is complete. */
  get complete(): boolean {
    const place = this.#place;
    return place === ENDED || (place !== LOST && place.ends);
  }

  /**
   * Where nothing may follow, nothing is allowed: the engine then ends this
   * sequence with an error, and no other.
   */
  mask(mask: Int32Array): boolean {
    const place = this.#place;
    mask.fill(0);
    if (place !== ENDED && place !== LOST) {
      const allowed = this.#allowed(place);
      mask.set(allowed.length > mask.length ? allowed.subarray(0, mask.length) : allowed);
    }
    if (this.complete) {
      for (const id of this.#endIds) mask[id >> 5] = entryAt(mask, id >> 5) | (1 << (id & 31));
    }
    return true;
  }

  accept(id: number): boolean {
    const next = this.#after(id);
    this.#ids.push(id);
    this.#history.push(next);
    if (this.#history.length > 2 * KEPT) this.#history.splice(0, KEPT);
    this.#budget.earn();
    return next !== LOST;
  }

  rollback(count: number): void {
    const left = Math.max(0, this.#ids.length - count);
    const places = this.#history.length - (this.#ids.length - left);
    this.#ids.length = left;
    this.failure = undefined;
    if (places >= 1) {
      this.#history.length = places;
      return;
    }
    this.#history.splice(0, this.#history.length, this.#grammar.automaton.start);
    for (const id of this.#ids.splice(0)) this.accept(id);
  }

  get #place(): Place {
    return this.#history.at(-1) ?? LOST;
  }

  #allowed(state: State): Int32Array {
    try {
      return this.#grammar.mask(state, this.#budget);
    } catch (error) {
      this.#fail(error);
      this.#history[this.#history.length - 1] = LOST;
      return NOTHING;
    }
  }

  #after(id: number): Place {
    const place = this.#place;
    if (place === LOST) return LOST;
    if (this.#endIds.includes(id)) return this.complete ? ENDED : LOST;
    if (place === ENDED || this.#grammar.vocabulary.bytes(id).length === 0) return LOST;
    try {
      return this.#grammar.after(place, id, this.#budget) ?? LOST;
    } catch (error) {
      this.#fail(error);
      return LOST;
    }
  }

  /** Throws what is no grammar's fault. */
  #fail(error: unknown): void {
    if (!(error instanceof GrammarError)) throw error;
    this.failure = this.#refusal(error);
  }
}

const ENDED = "ended";
const LOST = "lost";
const NOTHING = new Int32Array(0);
