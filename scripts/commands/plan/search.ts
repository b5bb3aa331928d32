/**
 * From candidates to plans: for each, the fewest whole instances whose replicas
 * together take all users and keep the promise, found in virtual time.
 *
 * A replica with fewer users is taken to be no slower, within SLACK: instance counts
 * are bisected, and below the count found each is run until one misses the promise
 * by more than that. Candidates go in the order of their estimated cost. The first
 * pass asks each only for what would be cheaper than the cheapest so far, so that
 * its end proves the first rank; the second finds the others' own plans, until the
 * budget of seconds is spent. What neither reached is counted.
 */
import { INSTANCES } from "../../../device/trainium/instances.ts";
import type { SystemSpec } from "../../virtual/build.ts";
import type { Candidate } from "./candidates.ts";
import { byCost, type Cost, compareCost, costOf, type Prices, rank } from "./cost.ts";
import { type Load, loadsOf } from "./loads.ts";
import { type PlanWorkload, type ReplicaRun, runReplica, unbuildable } from "./replica.ts";
import { nearness, type Slo } from "./slo.ts";
import type { Workshop } from "./workshop.ts";

export interface PlanGoal {
  readonly users: number;
  readonly workload: PlanWorkload;
  readonly slo: Slo;
  readonly seed: number;
}

/** One way to serve all users. */
export interface ServingPlan extends Load, Cost {
  readonly candidate: Candidate;
  /** The most loaded replica, at its users. */
  readonly run: ReplicaRun;
  /** Output tokens a second, all replicas. */
  readonly outputThroughput: number;
}

/** A replica that breaks the promise even with the fewest users it was asked for. */
export interface Failure {
  readonly candidate: Candidate;
  readonly run: ReplicaRun;
}

/** Keeps the promise for this seed and breaks it for another. */
export interface Unsteady {
  readonly plan: ServingPlan;
  readonly why: string;
}

export interface SearchOutcome {
  /** Best first; see `rank`. */
  readonly plans: readonly ServingPlan[];
  readonly failures: readonly Failure[];
  readonly unsteady: readonly Unsteady[];
  readonly searched: number;
  /** Candidates that the budget of seconds left: any may be cheaper than the first. */
  readonly unsearched: number;
  /** Candidates that cannot be cheaper, and were not asked what they cost. */
  readonly dearer: number;
  /** What this many instances of a candidate do, whether they keep the promise or not. */
  planAt(candidate: Candidate, load: Load): Promise<ServingPlan>;
}

export interface SearchOptions {
  readonly prices: Prices;
  readonly seconds: number;
  /** Seeds for which the first must keep its promise too. */
  readonly otherSeeds?: readonly number[];
  /** Told after each candidate. */
  readonly onProgress?: (decided: number, of: number) => void;
}

/** A miss of more than this share is taken to grow with the users. */
const SLACK = 0.1;

export async function searchPlans(
  candidates: readonly Candidate[],
  shop: Workshop,
  goal: PlanGoal,
  options: SearchOptions,
): Promise<SearchOutcome> {
  return new Search(shop, goal, options).run(candidates);
}

/** A candidate on its way, with the loads that it may be given. */
interface Entry {
  readonly candidate: Candidate;
  readonly loads: readonly Load[];
}

class Search {
  readonly #runs: Runs;
  readonly #goal: PlanGoal;
  readonly #options: SearchOptions;
  readonly #started = performance.now();
  readonly #plans: ServingPlan[] = [];
  readonly #unsteady: Unsteady[] = [];
  readonly #failures: Failure[] = [];
  #entries: readonly Entry[] = [];

  constructor(shop: Workshop, goal: PlanGoal, options: SearchOptions) {
    this.#goal = goal;
    this.#options = options;
    this.#runs = new Runs(shop, goal);
  }

  async run(candidates: readonly Candidate[]): Promise<SearchOutcome> {
    this.#entries = this.#ordered(candidates);
    const { dearer, unsearched } = await this.#searchFirst();
    let leftOut = 0;
    for (const entry of dearer) {
      if (this.#spent()) leftOut++;
      else await this.#search(entry, entry.loads, () => false);
    }
    return {
      plans: rank(this.#plans),
      failures: this.#failures,
      unsteady: this.#unsteady,
      searched: this.#entries.length - unsearched - leftOut,
      unsearched,
      dearer: leftOut,
      planAt: async (candidate, load) =>
        this.#plan(
          candidate,
          load,
          await this.#runs.at(candidate, load.usersPerReplica, this.#goal.seed),
        ),
    };
  }

  /** The cheapest plan of all. Gives those that are dearer, if they keep the promise at all. */
  async #searchFirst(): Promise<{ readonly dearer: Entry[]; readonly unsearched: number }> {
    const dearer: Entry[] = [];
    let unsearched = 0;
    // Those with a price compete among themselves, those without by chips.
    const first = new Map<boolean, ServingPlan>();
    for (const entry of this.#entries) {
      const priced = this.#options.prices.has(entry.candidate.instance.name);
      const best = first.get(priced);
      const loads = entry.loads.filter(
        (load) => best === undefined || compareCost(this.#cost(entry.candidate, load), best) <= 0,
      );
      if (loads.length > 0 && this.#spent() && this.#plans.length + this.#failures.length > 0) {
        unsearched++;
        continue;
      }
      const found =
        loads.length === 0
          ? undefined
          : await this.#search(
              entry,
              loads,
              (plan) => best === undefined || byCost(plan, best) < 0,
            );
      if (found === undefined) {
        if (loads.length < entry.loads.length) dearer.push(entry);
      } else if (best === undefined || byCost(found, best) < 0) first.set(priced, found);
    }
    return { dearer, unsearched };
  }

  /** In the order of their estimated cost; where the estimate has hope for none, it may be wrong, but they come last. */
  #ordered(candidates: readonly Candidate[]): Entry[] {
    const dearest = Math.max(
      1,
      ...INSTANCES.map(({ name, chips }) => (this.#options.prices.get(name) ?? 0) / chips),
    );
    const guess = (entry: Entry): number => {
      const hoped = Math.max(1, entry.candidate.estimate);
      // The last load has the fewest users a replica.
      const load =
        entry.loads.find(({ usersPerReplica }) => usersPerReplica <= hoped) ?? entry.loads.at(-1);
      const { dollarsPerHour, chips } = costOf(
        entry.candidate,
        load?.instances ?? 1,
        this.#options.prices,
      );
      // Without a price: as if the dearest chip of all; orders the search, never printed.
      return dollarsPerHour ?? chips * dearest;
    };
    const hope = ({ candidate }: Entry): number => (candidate.estimate > 0 ? 0 : 1);
    return candidates
      .map((candidate) => ({ candidate, loads: loadsOf(candidate, this.#goal.users) }))
      .filter(({ loads }) => loads.length > 0)
      .sort((a, b) => hope(a) - hope(b) || guess(a) - guess(b));
  }

  /**
   * The cheapest of these loads that keeps the promise, and for every seed where
   * `asked` says so. Undefined, and a failure if all loads were asked for, when there is none.
   */
  async #search(
    entry: Entry,
    loads: readonly Load[],
    asked: (plan: ServingPlan) => boolean,
  ): Promise<ServingPlan | undefined> {
    const { candidate } = entry;
    let left = loads.filter(
      ({ instances }) =>
        !this.#unsteady.some(
          ({ plan }) => plan.candidate === candidate && plan.instances === instances,
        ),
    );
    for (;;) {
      const found = await this.#fewest(candidate, left);
      if (found === undefined) break;
      const plan = this.#plan(candidate, found.load, found.run);
      const why = asked(plan) ? await this.#broken(candidate, plan.usersPerReplica) : undefined;
      if (why === undefined) {
        this.#plans.push(plan);
        this.#tell();
        return plan;
      }
      this.#unsteady.push({ plan, why });
      left = left.filter(({ instances }) => instances > plan.instances);
    }
    if (loads.length === entry.loads.length) {
      const users = loads.at(-1)?.usersPerReplica ?? 1;
      const run = await this.#runs.at(candidate, users, this.#goal.seed);
      this.#failures.push({ candidate, run });
      this.#tell();
    }
    return undefined;
  }

  #tell(): void {
    this.#options.onProgress?.(this.#plans.length + this.#failures.length, this.#entries.length);
  }

  #cost(candidate: Candidate, load: Load): Cost {
    return costOf(candidate, load.instances, this.#options.prices);
  }

  /** What breaks the promise for the first of the other seeds for which it breaks. */
  async #broken(candidate: Candidate, users: number): Promise<string | undefined> {
    for (const seed of this.#options.otherSeeds ?? []) {
      const { kept } = await this.#runs.at(candidate, users, seed);
      if (!kept.ok) return kept.broken.join(", ");
    }
    return undefined;
  }

  async #fewest(
    candidate: Candidate,
    loads: readonly Load[],
  ): Promise<{ readonly load: Load; readonly run: ReplicaRun } | undefined> {
    const at = async (index: number): Promise<ReplicaRun> =>
      this.#runs.at(candidate, loads[index]?.usersPerReplica ?? 1, this.#goal.seed);
    let low = -1;
    let high = loads.length;
    const hoped = loads.findIndex(({ usersPerReplica }) => usersPerReplica <= candidate.estimate);
    let probe = hoped < 0 ? loads.length - 1 : hoped;
    while (high - low > 1) {
      if ((await at(probe)).kept.ok) high = probe;
      else low = probe;
      // Close by the estimate first; then by halves.
      probe = Math.floor((low + high) / 2);
    }
    let fewest = high;
    for (let index = Math.min(high, loads.length) - 1; index >= 0; index--) {
      const { kept } = await at(index);
      if (kept.ok) fewest = index;
      else if (nearness(kept, this.#goal.slo) < 1 - SLACK) break;
    }
    const load = loads[fewest];
    return load === undefined ? undefined : { load, run: await at(fewest) };
  }

  #plan(candidate: Candidate, load: Load, run: ReplicaRun): ServingPlan {
    return {
      ...load,
      ...this.#cost(candidate, load),
      candidate,
      run,
      // Users are spread evenly; a replica's tokens are its users' tokens.
      outputThroughput: (run.outputThroughput * this.#goal.users) / load.usersPerReplica,
    };
  }

  #spent(): boolean {
    return (performance.now() - this.#started) / 1000 > this.#options.seconds;
  }
}

/** Runs of replicas, each made once. */
class Runs {
  readonly #shop: Workshop;
  readonly #goal: PlanGoal;
  readonly #made = new Map<Candidate, Map<string, ReplicaRun>>();

  constructor(shop: Workshop, goal: PlanGoal) {
    this.#shop = shop;
    this.#goal = goal;
  }

  async at(candidate: Candidate, users: number, seed: number): Promise<ReplicaRun> {
    const own = this.#made.get(candidate) ?? new Map<string, ReplicaRun>();
    this.#made.set(candidate, own);
    const key = `${users}/${seed}`;
    const before = own.get(key);
    if (before !== undefined) return before;
    const run = await runAt(candidate, this.#shop, this.#goal, users, seed);
    own.set(key, run);
    return run;
  }
}

/** One replica with this many users; a system that cannot be built with as many rows keeps nothing. */
export async function runAt(
  candidate: Candidate,
  shop: Workshop,
  goal: PlanGoal,
  users: number,
  seed = goal.seed,
): Promise<ReplicaRun> {
  const { workload, slo } = goal;
  try {
    return await runReplica(specFor(candidate, users), shop, { users, workload, slo, seed });
  } catch (error) {
    return unbuildable(users, error);
  }
}

/** The spec that serves `users` on a replica: as many rows as users. */
export function specFor(candidate: Candidate, users: number): SystemSpec {
  return { ...candidate.spec, maxNumSeqs: users };
}
