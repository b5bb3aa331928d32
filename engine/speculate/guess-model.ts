/**
 * How long a guess pays. A row with acceptance p and k guesses yields
 * 1 + p + … + p^k ids a step; the step then takes longer. Lengths are chosen to
 * maximise ids per second over all rows: for a given rate ρ a guess is worth
 * having while p^j > ρ · (its cost), and ρ is what the plan itself yields
 * (Dinkelbach's iteration for a ratio).
 *
 * Costs are measured: step time over tokens, drafting time over the guess's length
 * at about that many rows.
 */
import type { Nanos } from "../../device/clock.ts";
import type { SequenceId } from "../../device/device.ts";
import { CostCurve } from "./cost-curve.ts";

/** Weight of what was known, at each new observation: of one sequence, of all. */
const OWN_MEMORY = 0.97;
const COMMON_MEMORY = 0.995;
/** And at each step without a guess: a stretch that was hard to guess ends some time. */
const AGEING = 0.95;
/** The common rate counts as so many guesses of a new sequence: a first guess that fails decides nothing. */
const PRIOR_WEIGHT = 8;

interface Rate {
  held: number;
  judged: number;
}

export class GuessModel {
  readonly #most: number;
  readonly #stepTime = new CostCurve();
  /** By the rows drafted for, in powers of two. */
  readonly draftTimes: CostCurve[] = [];
  readonly #common: Rate = { held: 0, judged: 0 };
  readonly #rates = new Map<SequenceId, Rate>();

  /** `most`: guesses a row may carry. */
  constructor(most: number) {
    this.#most = most;
  }

  /** A step of short rows only took so long. */
  observeStep(tokens: number, duration: Nanos): void {
    this.#stepTime.add(tokens, duration);
  }

  /** One call that drafted up to `length` ids for each of `rows` took so long. */
  observeDraft(rows: number, length: number, duration: Nanos): void {
    const size = sizeClass(rows);
    const known = this.draftTimes[size] ?? new CostCurve();
    this.draftTimes[size] = known;
    known.add(length, duration);
  }

  observeGuess(id: SequenceId, drafted: number, accepted: number): void {
    if (drafted === 0) return;
    const own = this.#rates.get(id) ?? { held: 0, judged: 0 };
    this.#rates.set(id, own);
    const judged = accepted + (accepted < drafted ? 1 : 0);
    age(own, OWN_MEMORY);
    age(this.#common, COMMON_MEMORY);
    for (const rate of [own, this.#common]) {
      rate.held += accepted;
      rate.judged += judged;
    }
  }

  /** A step without guesses for these. */
  observeNone(ids: readonly SequenceId[]): void {
    for (const id of ids) age(this.#rates.get(id), AGEING);
  }

  release(id: SequenceId): void {
    this.#rates.delete(id);
  }

  stepTime(tokens: number): Nanos {
    return this.#stepTime.at(tokens);
  }

  /** What one row's guess of this length adds to a step of so many rows. */
  priceOf(length: number, rows: number): Nanos {
    return this.draftTime(1, length) + this.stepTime(rows + length) - this.stepTime(rows);
  }

  /**
   * The lengths that promise most, if that is `worth` times what no guess promises;
   * `limits` is the most that each row can use.
   */
  best(
    ids: readonly SequenceId[],
    limits: readonly number[],
    worth: number,
  ): readonly number[] | undefined {
    const rates = ids.map((id) => this.#rateOf(id));
    let best: readonly number[] | undefined;
    let bestYield = worth * this.#yieldOf(new Array<number>(ids.length).fill(0), rates, 0);
    for (let longest = 1; longest <= this.#most; longest++) {
      const target = bestYield;
      // Cut where the next guess is not worth what a token costs on the whole; or, since costs
      // have steps, not at all.
      for (const slope of [this.#stepTime.slope, 0]) {
        const plan = planUpTo(longest, { rates, limits, least: target * slope });
        const planYield = this.#yieldOf(plan, rates, longest);
        if (planYield <= bestYield) continue;
        best = plan;
        bestYield = planYield;
      }
    }
    return best;
  }

  /** Expected ids a nanosecond. */
  #yieldOf(plan: readonly number[], rates: readonly number[], longest: number): number {
    let ids = 0;
    let tokens = 0;
    plan.forEach((length, row) => {
      const rate = rates[row] ?? 0;
      tokens += 1 + length;
      let chance = 1;
      for (let i = 0; i <= length; i++) {
        ids += chance;
        chance *= rate;
      }
    });
    const drafted = plan.reduce((rows, length) => rows + (length > 0 ? 1 : 0), 0);
    const drafting = drafted === 0 ? 0 : this.draftTime(drafted, longest);
    return ids / Math.max(1, this.stepTime(tokens) + drafting);
  }

  /** Of a call for rows that were drafted for before. Where nothing was measured for so many rows, the next fewer answer, else the next more. */
  draftTime(rows: number, length: number): number {
    const size = sizeClass(rows);
    const known =
      this.draftTimes.slice(0, size + 1).findLast((each) => each !== undefined) ??
      this.draftTimes.find((each) => each !== undefined);
    return known?.at(length) ?? 0;
  }

  #rateOf(id: SequenceId): number {
    const { held, judged } = this.#common;
    const prior = judged === 0 ? 0.5 : held / judged;
    const own = this.#rates.get(id) ?? { held: 0, judged: 0 };
    return Math.min(0.99, (own.held + PRIOR_WEIGHT * prior) / (own.judged + PRIOR_WEIGHT));
  }
}

function planUpTo(
  longest: number,
  of: {
    readonly rates: readonly number[];
    readonly limits: readonly number[];
    /** Chance below which a guess is not worth its cost. */
    readonly least: number;
  },
): number[] {
  return of.rates.map((rate, row) => {
    const most = Math.min(longest, of.limits[row] ?? 0);
    let length = 0;
    let chance = rate;
    while (length < most && chance > of.least) {
      length++;
      chance *= rate;
    }
    return length;
  });
}

function age(rate: Rate | undefined, memory: number): void {
  if (rate === undefined) return;
  rate.held *= memory;
  rate.judged *= memory;
}

const sizeClass = (rows: number): number => Math.ceil(Math.log2(Math.max(1, rows)));
