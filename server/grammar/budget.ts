/**
 * What grammars may take of the engine's thread and of memory. Work is counted in
 * ways looked at (automaton.ts), some four to eight million of them a second: counts refuse the
 * same grammar on every machine, however busy.
 */
import { GrammarError } from "./grammar.ts";

/** One mask: twice what the dearest of scripts/maintain/check/masks.ts needs at a vocabulary of 150k. */
export const MASK_WORK = 50_000;
/** Where all masks since the event loop last turned took `TURN_WORK` together, one more may take this. */
export const CROWDED_MASK_WORK = 20_000;
export const TURN_WORK = 1_000_000;
/** One sequence over its life, and more for each id of it. */
export const SEQUENCE_WORK = 4_000_000;
const WORK_PER_ID = 2_000;
/** What one grammar has found out before it is dropped and found again. */
export const GRAMMAR_BYTES = 24 * 2 ** 20;
/** Of all grammars, with their tables; of one that had to give its memory back, not until it is used again. */
export const ALL_BYTES = 96 * 2 ** 20;

/** Calls back once the event loop has turned. */
export type Turn = (done: () => void) => void;

/** Something whose memory can be taken back, all or most of it. */
export interface Holder {
  /** Held now, about. */
  readonly bytes: number;
  forget(): void;
}

/** All grammars of one thread: what they take of a turn of the event loop, and of memory. */
export class ThreadBudget {
  readonly #turn: Turn;
  readonly #allBytes: number;
  /** The longest unused first. */
  readonly #held = new Map<Holder, number>();
  #bytes = 0;
  #spent = 0;

  constructor(turn: Turn = (done) => setImmediate(done).unref(), allBytes = ALL_BYTES) {
    this.#turn = turn;
    this.#allBytes = allBytes;
  }

  /** What the next mask may take. */
  get mask(): number {
    return this.#spent < TURN_WORK ? MASK_WORK : CROWDED_MASK_WORK;
  }

  /** Bytes held by all. */
  get bytes(): number {
    return this.#bytes;
  }

  spend(work: number): void {
    if (this.#spent === 0 && work > 0) {
      this.#turn(() => {
        this.#spent = 0;
      });
    }
    this.#spent += work;
  }

  /** The grammar was used and may have grown: others give their memory back where all is too much. */
  used(grammar: Holder): void {
    const { bytes } = grammar;
    if (this.#held.get(grammar) === bytes) return;
    this.#note(grammar, bytes);
    for (const [oldest] of this.#held) {
      if (this.#bytes <= this.#allBytes || oldest === grammar) break;
      oldest.forget();
      // Its table is left to who keeps the grammar: held here, what nobody uses again would stay.
      this.#note(oldest, 0);
    }
  }

  #note(grammar: Holder, bytes: number): void {
    this.#bytes += bytes - (this.#held.get(grammar) ?? 0);
    this.#held.delete(grammar);
    if (bytes > 0) this.#held.set(grammar, bytes);
  }
}

/** Work of one sequence. */
export class SequenceBudget {
  #left = SEQUENCE_WORK;

  get left(): number {
    return this.#left;
  }

  /** An id was taken. */
  earn(): void {
    this.#left = Math.min(this.#left + WORK_PER_ID, SEQUENCE_WORK);
  }

  /** Throws GrammarError once nothing is left. */
  spend(work: number): void {
    this.#left -= work;
    if (this.#left < 0) throw new GrammarError("it needs too much work for one answer");
  }
}
