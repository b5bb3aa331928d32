/**
 * How long a guess pays. A row with acceptance p and k guesses yields
 * 1 + p + … + p^k ids a step; the step then takes longer. Lengths are chosen to
 * maximise ids per second over all rows: for a given rate ρ a guess is worth
 * having while p^j > ρ · (its cost), and ρ is what the plan itself yields
 * (Dinkelbach's iteration for a ratio). No guess at all is one of the plans, so
 * speculation ends by itself when the batch makes it a loss.
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
/**
 * Every so many steps the other way is tried, so that costs and rates stay known: soon
 * after a change of mind, since the first measurements are of cold code, then ever more
 * rarely. No guess while guessing is cheap; a guess while not is made for one row,
 * since a draft model has to catch up first.
 */
const PROBE_FIRST_AFTER = 8;
const PROBE_NONE_AT_MOST_EVERY = 64;
const PROBE_GUESS_AT_MOST_EVERY = 4096;
/** Guesses of the first steps, before costs and rates are known: two lengths fix a line. */
const LEARNING = [Number.POSITIVE_INFINITY, 0, 1, 0, Number.POSITIVE_INFINITY, 0];
/** Guessing has to promise so much more than not guessing: its cost is the less certain one. */
const WORTH_IT = 1.05;
/** To begin again more still, and for so many steps in a row: a draft model has to catch up, and noise pays that each time. */
const WORTH_RESUMING = 1.2;
const RESUME_AFTER_STEPS = 8;

interface Rate {
  held: number;
  judged: number;
}

export class AdaptiveLength {
  readonly #most: number;
  readonly #stepTime = new CostCurve();
  /** By the rows drafted for, in powers of two. */
  readonly #draftTimes: CostCurve[] = [];
  readonly #common: Rate = { held: 0, judged: 0 };
  readonly #rates = new Map<SequenceId, Rate>();
  #steps = 0;
  #guessing = true;
  /** Those of the step before. */
  #known: ReadonlySet<SequenceId> = new Set();
  /** Steps in a row that promised enough to begin again. */
  #promising = 0;
  #probeEvery = PROBE_FIRST_AFTER;
  #probeIn = PROBE_FIRST_AFTER;

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
    const known = this.#draftTimes[size] ?? new CostCurve();
    this.#draftTimes[size] = known;
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

  release(id: SequenceId): void {
    this.#rates.delete(id);
  }

  /** Guesses for each row of the next step; `limits` is the most that each can use. */
  choose(ids: readonly SequenceId[], limits: readonly number[]): readonly number[] {
    const none = ids.map(() => 0);
    const step = this.#steps++;
    const learning = LEARNING[step];
    if (learning !== undefined) {
      return limits.map((limit) => Math.min(limit, this.#most, learning));
    }
    // What was decided for others does not bind those that all begin now.
    if (!ids.some((id) => this.#known.has(id))) this.#guessing = true;
    this.#known = new Set(ids);
    const rates = ids.map((id) => this.#rateOf(id));
    let best: readonly number[] = none;
    const worth = this.#guessing ? WORTH_IT : WORTH_RESUMING;
    let bestYield = worth * this.#yieldOf(none, rates, 0);
    for (let longest = 1; longest <= this.#most; longest++) {
      const plan = this.#planUpTo(longest, { rates, limits, target: bestYield });
      const planYield = this.#yieldOf(plan, rates, longest);
      if (planYield > bestYield) {
        best = plan;
        bestYield = planYield;
      }
    }
    this.#promising = best === none ? 0 : this.#promising + 1;
    if (!this.#guessing && this.#promising < RESUME_AFTER_STEPS) best = none;
    const guessing = best !== none;
    if (guessing !== this.#guessing) this.#probeIn = this.#probeEvery = PROBE_FIRST_AFTER;
    this.#guessing = guessing;
    if (!guessing) for (const id of ids) age(this.#rates.get(id), AGEING);
    if (--this.#probeIn > 0) return best;
    const atMost = guessing ? PROBE_NONE_AT_MOST_EVERY : PROBE_GUESS_AT_MOST_EVERY;
    this.#probeIn = this.#probeEvery = Math.min(2 * this.#probeEvery, atMost);
    if (guessing) return none;
    // Of those that run, the last has the least to catch up with.
    return limits.map((limit, row) =>
      row === limits.length - 1 ? Math.min(limit, this.#most) : 0,
    );
  }

  #planUpTo(
    longest: number,
    of: {
      readonly rates: readonly number[];
      readonly limits: readonly number[];
      /** Ids a nanosecond that a guess has to beat. */
      readonly target: number;
    },
  ): number[] {
    const least = of.target * this.#stepTime.slope;
    return of.rates.map((rate, row) => {
      const most = Math.min(longest, of.limits[row] ?? 0);
      let length = 0;
      let chance = rate;
      while (length < most && chance > least) {
        length++;
        chance *= rate;
      }
      return length;
    });
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
    const drafting = drafted === 0 ? 0 : this.#draftTime(drafted, longest);
    return ids / Math.max(1, this.#stepTime.at(tokens) + drafting);
  }

  /** Where nothing was measured for so many rows, the next fewer answer, else the next more. */
  #draftTime(rows: number, length: number): number {
    const size = sizeClass(rows);
    const known =
      this.#draftTimes.slice(0, size + 1).findLast((each) => each !== undefined) ??
      this.#draftTimes.find((each) => each !== undefined);
    return known?.at(length) ?? 0;
  }

  #rateOf(id: SequenceId): number {
    const { held, judged } = this.#common;
    const prior = judged === 0 ? 0.5 : held / judged;
    const own = this.#rates.get(id) ?? { held: 0, judged: 0 };
    return Math.min(0.99, (own.held + PRIOR_WEIGHT * prior) / (own.judged + PRIOR_WEIGHT));
  }
}

function age(rate: Rate | undefined, memory: number): void {
  if (rate === undefined) return;
  rate.held *= memory;
  rate.judged *= memory;
}

const sizeClass = (rows: number): number => Math.ceil(Math.log2(Math.max(1, rows)));
