/**
 * A compiled grammar over one vocabulary, and the constraint one sequence holds.
 * Masks belong to states: one met again costs a copy. Hot path.
 */
import type { Constraint } from "../../engine/sequence.ts";
import { Automaton, REFUSED, type State, UNKNOWN } from "./automaton.ts";
import { GrammarError, type Node } from "./grammar.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Bytes of masks kept for a grammar: some 200 at a vocabulary of 152k. */
const MAX_MASK_BYTES = 4 * 2 ** 20;
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
      if (this.#masks.size * mask.byteLength >= MAX_MASK_BYTES) this.#forgetOldest();
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
  /** State before each id, and the present one last; ENDED after the end, LOST after a refused id. */
  readonly #history: (State | typeof ENDED | typeof LOST)[];

  constructor(grammar: CompiledGrammar, endIds: readonly number[]) {
    this.#grammar = grammar;
    this.#endIds = endIds;
    this.#history = [grammar.automaton.start];
  }

  /** The text so far is complete. */
  get complete(): boolean {
    const state = this.#state;
    return state === ENDED || (state !== LOST && state.ends);
  }

  /**
   * Where nothing may follow, nothing is allowed: the engine then ends this
   * sequence with an error, and no other.
   */
  mask(mask: Int32Array): boolean {
    const state = this.#state;
    mask.fill(0);
    if (state !== ENDED && state !== LOST) {
      const allowed = this.#allowed(state);
      mask.set(allowed.length > mask.length ? allowed.subarray(0, mask.length) : allowed);
    }
    if (this.complete) {
      for (const id of this.#endIds) mask[id >> 5] = (mask[id >> 5] ?? 0) | (1 << (id & 31));
    }
    return true;
  }

  accept(id: number): boolean {
    const next = this.#after(id);
    this.#history.push(next);
    return next !== LOST;
  }

  rollback(count: number): void {
    this.#history.length = Math.max(1, this.#history.length - count);
  }

  get #state(): State | typeof ENDED | typeof LOST {
    return this.#history.at(-1) ?? LOST;
  }

  #allowed(state: State): Int32Array {
    try {
      return this.#grammar.mask(state);
    } catch (error) {
      if (!(error instanceof GrammarError)) throw error;
      this.#history[this.#history.length - 1] = LOST;
      return NOTHING;
    }
  }

  #after(id: number): State | typeof ENDED | typeof LOST {
    const state = this.#state;
    if (state === LOST) return LOST;
    if (this.#endIds.includes(id)) return this.complete ? ENDED : LOST;
    const text = this.#grammar.vocabulary.bytes(id);
    if (state === ENDED || text.length === 0) return LOST;
    try {
      return this.#grammar.automaton.run(state, text) ?? LOST;
    } catch (error) {
      if (error instanceof GrammarError) return LOST;
      throw error;
    }
  }
}

const ENDED = "ended";
const LOST = "lost";
const NOTHING = new Int32Array(0);
