/**
 * What guessing has brought and cost in time, as measured: the guard above all that
 * is believed. A round of `rows` rows that gained `ids` ids would have taken plain
 * steps `ids / rows` intervals; what it took less is its gain, drafting, catching up
 * and the host's work included. Losses are paid from an allowance that a small share
 * of all time fills and gains refill, to a few steps at most:
 *
 *     time lost by guessing  ≤  1.5 % of all time  +  some twenty steps, once
 *
 * whatever the costs are and however wrong a model of them. Plain steps are measured
 * as they run when nobody guesses, two under way at once where the device can.
 */
import type { Nanos } from "../../device/clock.ts";
import { CostCurve } from "./cost-curve.ts";

/** Of all time, what may be lost; and by tries of one row, which go on while larger losses are paid back. */
const ALLOWED_SHARE = 0.01;
const TRIES_SHARE = 0.005;
/** Gains are kept for so many steps' worth of later losses; as much is lent at the start. */
const MOST_STEPS_SAVED = 16;
/** What the host adds to a step beyond so many times its usual is its own noise, not the guess's cost. */
const NOISE = 3;
const MOST_STEPS_TRIED = 4;
/** Rounds whose mean says whether guessing pays now; fewer than some say nothing. */
const ROUNDS = 16;
const LEAST_ROUNDS = 4;
/** Plain intervals of a size that are kept: few, since contexts grow. */
const KEPT = 5;

/** Paces of sizes that differ by no more than this factor stand for each other. */
const NEAR = 1.5;

/** A step with guesses, or after an attempt to make some; and the one that follows, whose host's work nothing hides. */
export interface Round {
  readonly rows: number;
  /** Ids gained, all rows together. */
  readonly ids: number;
  /** From the end of the step before to this one's. */
  readonly interval: Nanos;
  /** Of it, what drafting took. */
  readonly drafting: Nanos;
  /** What a step of so many tokens usually takes. */
  readonly step: Nanos;
  /** Nobody had to be caught up with. */
  readonly typical: boolean;
  /** A try of one row. */
  readonly tried: boolean;
}

export class Ledger {
  /** Intervals of plain steps by their rows. */
  readonly #pace = new CostCurve({ kept: KEPT, share: 1 / 2 });
  readonly #gains: number[] = [];
  #allowance: Nanos | undefined;
  #forTries: Nanos = 0;
  /** A plain step of late. */
  #step: Nanos = 0;

  /** What a plain step of so many rows takes, the host's work included; 0 while unknown. */
  pace(rows: number): Nanos {
    return this.#pace.at(rows);
  }

  /** Is the pace of about so many rows known? */
  knows(rows: number): boolean {
    return this.#pace.nearest(rows) <= NEAR;
  }

  /** What may be lost now; below 0: debt. */
  get budget(): Nanos {
    return this.#allowance ?? 0;
  }

  /** Losses can be paid for. */
  get solvent(): boolean {
    return this.budget > 0;
  }

  /** Half of the most that is saved is there: some of it may be spent on finding out. */
  get ample(): boolean {
    return this.budget > (MOST_STEPS_SAVED / 2) * this.#step;
  }

  /** What a try of one row may cost now. */
  get budgetOfTries(): Nanos {
    return this.#forTries;
  }

  /**
   * The latest rounds were gains, so that going on pays even for what was spent
   * before; or there were too few of them to know.
   */
  get gaining(): boolean {
    const sum = this.#gains.reduce((all, gain) => all + gain, 0);
    return this.#gains.length < LEAST_ROUNDS || sum > 0;
  }

  /** The latest rounds gained on average more than twice what chance moves their mean by. */
  get proven(): boolean {
    if (this.#gains.length < ROUNDS) return false;
    const mean = this.#gains.reduce((all, gain) => all + gain, 0) / ROUNDS;
    const squares = this.#gains.reduce((all, gain) => all + (gain - mean) ** 2, 0);
    return mean > 2 * Math.sqrt(squares / (ROUNDS - 1) / ROUNDS);
  }

  /** A plain step of short rows, after another. */
  plain(rows: number, interval: Nanos): void {
    this.#pace.add(rows, interval);
    this.#step = this.pace(rows);
    this.#allowance ??= MOST_STEPS_SAVED * this.#step;
    this.#earn(interval);
  }

  /** Any step with prompts in it; `gain` is what guesses in it are thought to have brought. */
  other(interval: Nanos, gain: Nanos): void {
    this.#earn(interval);
    this.#add(gain);
  }

  round({ rows, ids, interval, drafting, step, typical, tried }: Round): void {
    const pace = this.pace(rows);
    // A step that verifies takes more than a plain one, but not many times as long.
    const most = drafting + NOISE * Math.max(pace, step);
    const gain = (ids / rows) * pace - Math.min(interval, most);
    this.#earn(interval);
    if (tried && gain < 0) this.#forTries += gain;
    else this.#add(gain);
    if (!typical) return;
    this.#gains.push(gain);
    if (this.#gains.length > ROUNDS) this.#gains.shift();
  }

  /** Others than those whose rounds were judged: they may gain where these lost. */
  forgetLosses(): void {
    if (!this.gaining) this.#gains.length = 0;
  }

  #earn(interval: Nanos): void {
    this.#add(ALLOWED_SHARE * interval);
    const most = MOST_STEPS_TRIED * this.#step;
    this.#forTries = Math.min(most, this.#forTries + TRIES_SHARE * interval);
  }

  #add(time: Nanos): void {
    if (this.#allowance === undefined) return;
    this.#allowance = Math.min(MOST_STEPS_SAVED * this.#step, this.#allowance + time);
  }
}
