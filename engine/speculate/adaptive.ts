/**
 * Whether to guess, and how long: what the model of costs promises (guess-model.ts),
 * as far as what was measured allows it (ledger.ts). Two states:
 *
 *     guessing   lengths that pay; now and then a few plain steps, to know their pace
 *     resting    plain steps; now and then one row tries, ever more rarely, as far as
 *                the ledger affords it. Several promises in a row end the rest.
 *
 * While it rests the engine need not ask, and may keep two steps under way.
 */
import type { Nanos } from "../../device/clock.ts";
import type { SequenceId } from "../../device/device.ts";
import { GuessModel } from "./guess-model.ts";
import { Ledger } from "./ledger.ts";

/** Plain steps in a row, so that some of them follow others; how often while guessing: soon, then more rarely. */
const PLAIN_STEPS = 4;
const PLAIN_FIRST_AFTER = 16;
const PLAIN_AT_MOST_EVERY = 256;
/** Steps between two tries while resting: soon after a change of mind, since first measurements are of cold code. */
const TRY_FIRST_AFTER = 8;
const TRY_AT_MOST_EVERY = 2048;
/** Guesses of the first rounds, of one row: it is caught up with, then two lengths fix a line and a rate. */
const LEARNING = [1, 1, ...new Array<number>(4).fill(Number.POSITIVE_INFINITY)];
/** What so many rounds have shown is believed; what fewer did, when half of what is lent is spent. */
const ENOUGH_ROUNDS = 16;
/** Guessing has to promise so much more than not guessing: its cost is the less certain one. */
const WORTH_IT = 1.05;
/** To begin again more still, and so many tries in a row: a draft model has to catch up with all. */
const WORTH_RESUMING = 1.2;
const RESUME_AFTER_TRIES = 4;

/** Guesses of a step, by those of any before it: costs have cliffs that no line foretells. */
const WIDENING = 2;

/** A step that ended. */
export interface Observed {
  readonly ids: readonly SequenceId[];
  /** Tokens computed, guesses included; the guesses among them, and how many held. */
  readonly tokens: number;
  readonly drafted: number;
  readonly accepted: number;
  /** Short rows only. */
  readonly short: boolean;
  /** What it took, and from the end of the step before to its own. */
  readonly duration: Nanos;
  readonly interval: Nanos;
  readonly drafting: Drafting | undefined;
}

/** Drafting before a step, when there was any. */
export interface Drafting {
  readonly duration: Nanos;
  readonly rows: number;
  /** Ids drafted for a row at most. */
  readonly longest: number;
  /** Rows of which more than the last few ids had to be taken in first. */
  readonly behind: number;
}

export class AdaptiveLength {
  readonly #most: number;
  readonly #model: GuessModel;
  readonly #ledger = new Ledger();
  /** Plain steps to come before anyone is asked. */
  #rest = PLAIN_STEPS;
  #guessing = true;
  #learned = 0;
  /** With guesses, until now. */
  #rounds = 0;
  /** The step before: after a plain one a plain step has its usual pace, after guesses the host's work is not hidden yet. */
  #before: "plain" | "guesses" | "prompts" = "prompts";
  /** The last guesses were a try's. */
  #tried = false;
  /** Those of the step before. */
  #known: ReadonlySet<SequenceId> = new Set();
  #plainEvery = PLAIN_FIRST_AFTER;
  #plainIn = PLAIN_FIRST_AFTER;
  #tryEvery = TRY_FIRST_AFTER;
  /** A try is under way; promising ones in a row. */
  #trying = false;
  #promises = 0;
  /** Guesses in one step at most so far. */
  #widest = 1;
  /** What catching up with a row costs; undefined while it was never done. */
  #catchUp: Nanos | undefined;

  constructor(most: number) {
    this.#most = most;
    this.#model = new GuessModel(most);
  }

  /** Nobody needs to be asked for guesses before the next steps. */
  get resting(): boolean {
    return this.#rest > 0;
  }

  observeGuess(id: SequenceId, drafted: number, accepted: number): void {
    this.#model.observeGuess(id, drafted, accepted);
  }

  observe(step: Observed): void {
    const { ids, short, drafting } = step;
    if (drafting !== undefined) {
      this.#rounds++;
      this.#observeDraft(drafting);
    }
    this.#widest = Math.max(this.#widest, step.drafted);
    if (short) this.#model.observeStep(step.tokens, step.duration);
    this.#settle(step);
    this.#before = !short ? "prompts" : drafting === undefined ? "plain" : "guesses";
    if (drafting === undefined) this.#model.observeNone(ids);
    // What was decided for others does not bind those that all begin now.
    if (!ids.some((id) => this.#known.has(id)) && ids.length > 0) this.#beginAnew();
    this.#known = new Set(ids);
    if (drafting === undefined && this.#rest > 0) this.#rest--;
  }

  release(id: SequenceId): void {
    this.#model.release(id);
  }

  /**
   * Guesses for each row of the next step. `limits` is the most that each can use;
   * `caughtUp`: drafting for it costs no more than usual.
   */
  choose(
    ids: readonly SequenceId[],
    limits: readonly number[],
    caughtUp: (row: number) => boolean = () => true,
  ): readonly number[] {
    const none = ids.map(() => 0);
    if (this.resting) return none;
    if (!this.#ledger.knows(ids.length)) {
      this.#rest = PLAIN_STEPS;
      return none;
    }
    const learning = LEARNING[this.#learned];
    if (learning === undefined) {
      return (
        (this.#guessing ? this.#goOn(ids, limits, caughtUp) : this.#try(ids, limits, caughtUp)) ??
        none
      );
    }
    this.#learned++;
    return this.#one(limits, learning);
  }

  #goOn(
    ids: readonly SequenceId[],
    limits: readonly number[],
    caughtUp: (row: number) => boolean,
  ): readonly number[] | undefined {
    const { solvent, gaining, proven } = this.#ledger;
    // In debt only those go on that pay for it: the others are caught up with as can be paid.
    let budget = this.#ledger.budget;
    const affordable = limits.map((limit, row) => {
      if (caughtUp(row)) return limit;
      if (budget <= 0) return 0;
      budget -= this.#catchUp ?? budget;
      return limit;
    });
    // What rounds have brought counts more than what a model of their costs says.
    const worth = proven ? 0 : WORTH_IT;
    const best = solvent || gaining ? this.#model.best(ids, affordable, worth) : undefined;
    if (best === undefined) {
      const findsOut = this.#rounds < ENOUGH_ROUNDS && this.#ledger.ample;
      if (findsOut && caughtUp(ids.length - 1)) return this.#one(limits, this.#most);
      this.#guessing = false;
      this.#tryEvery = TRY_FIRST_AFTER;
      this.#rest = this.#tryEvery;
      return undefined;
    }
    if (--this.#plainIn > 0) return this.#widened(best);
    this.#plainEvery = Math.min(2 * this.#plainEvery, PLAIN_AT_MOST_EVERY);
    this.#plainIn = this.#plainEvery;
    this.#rest = PLAIN_STEPS;
    return undefined;
  }

  /** As many of these guesses as are not far more than any step had before. */
  #widened(lengths: readonly number[]): readonly number[] {
    let left = WIDENING * this.#widest;
    return lengths.map((length) => {
      const taken = Math.min(length, left);
      left -= taken;
      return taken;
    });
  }

  #try(
    ids: readonly SequenceId[],
    limits: readonly number[],
    caughtUp: (row: number) => boolean,
  ): readonly number[] | undefined {
    const { solvent, gaining, budgetOfTries } = this.#ledger;
    const promising = this.#model.best(ids, limits, WORTH_RESUMING) !== undefined;
    if (this.#trying) this.#promises = promising ? this.#promises + 1 : 0;
    if (promising && this.#promises >= RESUME_AFTER_TRIES && (solvent || gaining)) {
      this.#resume();
      return this.#goOn(ids, limits, caughtUp);
    }
    const length = Math.min(limits.at(-1) ?? 0, this.#most);
    const done = this.#trying && this.#promises === 0;
    const price = this.#model.priceOf(length, ids.length);
    const behind = caughtUp(ids.length - 1) ? 0 : (this.#catchUp ?? 0);
    if (done || budgetOfTries < price || (behind > 0 && this.#ledger.budget < behind)) {
      this.#trying = false;
      this.#rest = this.#tryEvery;
      this.#tryEvery = Math.min(2 * this.#tryEvery, TRY_AT_MOST_EVERY);
      return undefined;
    }
    this.#trying = true;
    return this.#one(limits, length);
  }

  /** Guesses of one row alone: of those that run the last has the least to catch up with. */
  #one(limits: readonly number[], length: number): readonly number[] {
    const most = Math.min(length, this.#most);
    return limits.map((limit, row) => (row === limits.length - 1 ? Math.min(limit, most) : 0));
  }

  #observeDraft({ rows, longest, behind, duration }: Drafting): void {
    if (behind === 0) {
      this.#model.observeDraft(rows, longest, duration);
      return;
    }
    const each = Math.max(0, duration - this.#model.draftTime(rows, longest)) / behind;
    this.#catchUp = Math.max(each, ((this.#catchUp ?? each) + each) / 2);
  }

  #resume(): void {
    this.#guessing = true;
    this.#trying = false;
    this.#promises = 0;
    this.#plainEvery = this.#plainIn = PLAIN_FIRST_AFTER;
  }

  #beginAnew(): void {
    if (this.#learned < LEARNING.length) return;
    this.#resume();
    this.#ledger.forgetLosses();
    this.#rest = 0;
  }

  #settle(step: Observed): void {
    const { ids, tokens, drafted, accepted, short, interval, drafting } = step;
    const ledger = this.#ledger;
    const rows = ids.length;
    if (!short) {
      const verifying = this.#model.stepTime(rows + drafted) - this.#model.stepTime(rows);
      const gained = rows === 0 ? 0 : (accepted / rows) * ledger.pace(rows);
      ledger.other(interval, gained - verifying - (drafting?.duration ?? 0));
    } else if (drafting !== undefined) {
      const usual = this.#model.stepTime(tokens);
      const { duration, behind } = drafting;
      const typical = behind === 0;
      const gained = rows + accepted;
      this.#tried = this.#trying;
      const took = { interval, drafting: duration, step: usual };
      ledger.round({ rows, ids: gained, ...took, typical, tried: this.#tried });
    } else if (this.#before === "plain") ledger.plain(rows, interval);
    else if (this.#before === "guesses") {
      const step = this.#model.stepTime(tokens);
      const took = { interval, drafting: 0, step };
      ledger.round({ rows, ids: rows, ...took, typical: false, tried: this.#tried });
    }
  }
}
