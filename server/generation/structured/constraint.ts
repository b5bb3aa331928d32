/**
 * A compiled grammar over one vocabulary, and the constraint one sequence holds.
 * Masks belong to states: one met again costs a copy. Hot path.
 */
import type { Constraint } from "../../../engine/sequence.ts";
import { Automaton, REFUSED, type State, UNKNOWN } from "./automaton.ts";
import { GrammarError, type Node } from "./grammar.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Masks kept for a grammar: 512 of them are 10 MB at a vocabulary of 152k. */
const MAX_MASKS = 512;
/** New steps of the automaton that one mask may ask for. */
const MAX_STEPS = 300_000;

export class CompiledGrammar {
  readonly vocabulary: Vocabulary;
  readonly automaton: Automaton;
  readonly #masks = new Map<State, Int32Array>();
  /** State after each byte of the token under scan. */
  readonly #path: State[];

  /** Throws GrammarError where the grammar can never be satisfied. */
  constructor(root: Node, vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
    this.automaton = new Automaton(root);
    this.#path = new Array(vocabulary.longest + 1).fill(this.automaton.start);
  }

  /** Bits of the ids that may come next; the end is not among them. */
  mask(state: State): Int32Array {
    const capped = this.automaton.capped(state, this.vocabulary.longest);
    let mask = this.#masks.get(capped);
    if (mask === undefined) {
      mask = this.#scan(capped);
      if (this.#masks.size >= MAX_MASKS) this.#forgetOldest();
    } else {
      this.#masks.delete(capped);
    }
    // The newest last: a Map keeps the order of insertion.
    this.#masks.set(capped, mask);
    return mask;
  }

  /** Every index below is within its array, which is what the casts rest on. */
  #scan(from: State): Int32Array {
    const { byte, depth, end, first, here, tokens, size } = this.vocabulary;
    const mask = new Int32Array((size + 31) >> 5);
    const path = this.#path;
    const count = byte.length;
    path[0] = from;
    let steps = 0;
    for (let i = 1; i < count; ) {
      const level = depth[i] as number;
      const before = path[level - 1] as State;
      let after = before.next[byte[i] as number] as State;
      if (after === UNKNOWN) {
        if (steps++ > MAX_STEPS) throw new GrammarError("it needs too much work at one place");
        after = this.automaton.find(before, byte[i] as number);
      }
      if (after === REFUSED) {
        i = end[i] as number;
        continue;
      }
      path[level] = after;
      const start = first[i] as number;
      const to = start + (here[i] as number);
      for (let k = start; k < to; k++) {
        const id = tokens[k] as number;
        mask[id >> 5] = (mask[id >> 5] as number) | (1 << (id & 31));
      }
      i++;
    }
    return mask;
  }

  #forgetOldest(): void {
    const [oldest] = this.#masks.keys();
    if (oldest !== undefined) this.#masks.delete(oldest);
    this.automaton.trim();
  }
}

/** Holds one sequence to a grammar. At its end only `endIds` are left. */
export class GrammarConstraint implements Constraint {
  readonly #grammar: CompiledGrammar;
  readonly #endIds: readonly number[];
  /** States before each accepted id, and the present one last; undefined: ended. */
  readonly #history: (State | undefined)[];

  constructor(grammar: CompiledGrammar, endIds: readonly number[]) {
    this.#grammar = grammar;
    this.#endIds = endIds;
    this.#history = [grammar.automaton.start];
  }

  /** The text so far is complete. */
  get complete(): boolean {
    const state = this.#history.at(-1);
    return state === undefined || state.ends;
  }

  mask(mask: Int32Array): boolean {
    const state = this.#history.at(-1);
    mask.fill(0);
    let any = false;
    if (state !== undefined) {
      const allowed = this.#grammar.mask(state);
      mask.set(allowed.length > mask.length ? allowed.subarray(0, mask.length) : allowed);
      any = allowed.some((word) => word !== 0);
    }
    if (state === undefined || state.ends) {
      for (const id of this.#endIds) mask[id >> 5] = (mask[id >> 5] ?? 0) | (1 << (id & 31));
    } else if (!any) {
      throw new GrammarError("the vocabulary cannot spell what the grammar needs next");
    }
    return true;
  }

  accept(id: number): boolean {
    const state = this.#history.at(-1);
    if (this.#endIds.includes(id)) {
      if (state !== undefined && !state.ends) return false;
      this.#history.push(undefined);
      return true;
    }
    const text = this.#grammar.vocabulary.bytes(id);
    if (state === undefined || text.length === 0) return false;
    const next = this.#grammar.automaton.run(state, text);
    if (next === undefined) return false;
    this.#history.push(next);
    return true;
  }

  rollback(count: number): void {
    this.#history.length = Math.max(1, this.#history.length - count);
  }
}
