/**
 * Which sequence makes steps fail. After a failure only the sequences of that
 * step run, the same ones twice more; if it still fails they are bisected, and
 * the one that fails alone three times is the culprit. Everyone else waits, loses
 * nothing, and goes on. A sequence is cleared when it has passed the position at
 * which its step failed (it may have to recompute up to there first).
 */
import type { LiveSequence } from "./live-sequence.ts";

/** Failures of one and the same trial before it is believed to hold a culprit. */
const ATTEMPTS = 3;

/**
 * A failure on the way to the place where the first one happened, while what was
 * lost is computed again, says little about the suspects: devices also fail by
 * themselves. It counts a quarter, so that a dead device is still given up.
 */
const ELSEWHERE = 0.25;

/** A row of a failed step. */
export interface Suspect {
  readonly sequence: LiveSequence;
  /** Tokens [start, target) were to be computed; with `target` computed it is cleared. */
  readonly start: number;
  readonly target: number;
}

export class Recovery {
  /** One of these is at fault, if anyone is. */
  #suspects: readonly Suspect[] = [];
  /** Those that run now. */
  #trial: readonly Suspect[] = [];
  #allowed: ReadonlySet<LiveSequence> | undefined;
  /** Failures of the present trial. */
  #attempts = 0;
  #failures = 0;

  /** Failures since the last step that went well. */
  get failures(): number {
    return this.#failures;
  }

  get active(): boolean {
    return this.#allowed !== undefined;
  }

  allows(sequence: LiveSequence): boolean {
    return this.#allowed === undefined || this.#allowed.has(sequence);
  }

  /** Sequences on trial, in no order. */
  get trial(): readonly LiveSequence[] {
    return this.#trial.map((suspect) => suspect.sequence);
  }

  /** A step of these failed. Returns the culprit once it is known. */
  failed(rows: readonly Suspect[]): LiveSequence | undefined {
    this.#failures++;
    if (!this.active) {
      this.#suspects = rows;
      this.#try(rows);
    }
    this.#attempts += this.#trial.some((suspect) => meets(suspect, rows)) ? 1 : ELSEWHERE;
    const alone = this.#trial.length === 1;
    const whole = this.#trial.length === this.#suspects.length;
    if ((alone || whole) && this.#attempts < ATTEMPTS) return undefined;
    if (!alone) {
      this.#suspects = this.#trial;
      this.#try(firstHalf(this.#suspects));
      return undefined;
    }
    const culprit = this.#trial[0]?.sequence;
    this.#try([]);
    return culprit;
  }

  /** A step went well. */
  succeeded(): void {
    this.#failures = 0;
    this.review();
  }

  /** Clears those that passed or ended and goes on to the rest. */
  review(): void {
    if (!this.active || !this.#trial.every(passed)) return;
    this.#suspects = this.#suspects.filter((suspect) => !passed(suspect));
    this.#try(firstHalf(this.#suspects));
  }

  #try(trial: readonly Suspect[]): void {
    this.#trial = trial;
    this.#attempts = 0;
    this.#allowed = trial.length === 0 ? undefined : new Set(trial.map((each) => each.sequence));
  }
}

function firstHalf(suspects: readonly Suspect[]): readonly Suspect[] {
  return suspects.slice(0, Math.ceil(suspects.length / 2));
}

/** One of the rows came to where this suspect's step failed first. */
function meets(suspect: Suspect, rows: readonly Suspect[]): boolean {
  return rows.some((row) => row.sequence === suspect.sequence && row.target > suspect.start);
}

function passed({ sequence, target }: Suspect): boolean {
  return sequence.status === "ended" || (sequence.inFlight === 0 && sequence.computed >= target);
}
