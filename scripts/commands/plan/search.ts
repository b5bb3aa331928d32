/**
 * From candidates to plans. A replica's largest number of users is found by
 * bisection in virtual time; a plan is the fewest whole instances whose replicas
 * then take all users. Cheapest estimates are searched first, until the budget
 * of seconds is spent.
 */
import { performance } from "node:perf_hooks";
import type { Model } from "../../../models/model.ts";
import type { SystemSpec } from "../../virtual/system.ts";
import type { Candidate } from "./candidates.ts";
import { type PlanWorkload, type ReplicaRun, runReplica } from "./replica.ts";
import type { Slo } from "./slo.ts";

export interface PlanGoal {
  readonly users: number;
  readonly workload: PlanWorkload;
  readonly slo: Slo;
  readonly seed: number;
}

/** One way to serve all users. */
export interface ServingPlan {
  readonly candidate: Candidate;
  readonly instances: number;
  readonly replicas: number;
  readonly usersPerReplica: number;
  /** The most loaded replica, at its users. */
  readonly run: ReplicaRun;
  /** Most users a replica took and kept the promise, at this rows limit. */
  readonly mostUsers: number;
  readonly chips: number;
  /** Output tokens a second, all replicas. */
  readonly outputThroughput: number;
  /** Dollars an hour; undefined when no price is listed or given. */
  readonly dollarsPerHour: number | undefined;
}

export type Prices = ReadonlyMap<string, number>;

/** A replica that breaks the promise even for a single user, which is the best it can do. */
export interface Failure {
  readonly candidate: Candidate;
  readonly run: ReplicaRun;
}

export interface SearchOutcome {
  /** Cheapest first; those without a price after them, by chips. */
  readonly plans: readonly ServingPlan[];
  readonly failures: readonly Failure[];
  readonly searched: number;
  /** Candidates that the budget of seconds left unsearched. */
  readonly unsearched: number;
}

export async function searchPlans(
  candidates: readonly Candidate[],
  model: Model,
  goal: PlanGoal,
  options: { readonly prices: Prices; readonly seconds: number },
): Promise<SearchOutcome> {
  const started = performance.now();
  // Where the estimate has hope for none, it may be the estimate that is wrong.
  const some = candidates.filter((candidate) => candidate.estimate > 0);
  const hopeful = (some.length > 0 ? some : candidates)
    .map((candidate) => ({ candidate, guess: guessCost(candidate, goal.users, options.prices) }))
    .sort((a, b) => a.guess - b.guess);
  const plans: ServingPlan[] = [];
  const failures: Failure[] = [];
  let searched = 0;
  for (const { candidate } of hopeful) {
    if ((performance.now() - started) / 1000 > options.seconds) break;
    searched++;
    const found = await planOf(candidate, model, goal, options.prices);
    if ("instances" in found) plans.push(found);
    else failures.push(found);
  }
  plans.sort(byCost);
  return { plans, failures, searched, unsearched: hopeful.length - searched };
}

/** Orders plans: dollars, then chips; plans without a price come last. */
export function byCost(a: ServingPlan, b: ServingPlan): number {
  const dollars =
    (a.dollarsPerHour ?? Number.POSITIVE_INFINITY) - (b.dollarsPerHour ?? Number.POSITIVE_INFINITY);
  if (!Number.isNaN(dollars) && dollars !== 0) return dollars;
  return a.chips - b.chips || b.outputThroughput - a.outputThroughput;
}

/** Unpriced instances are guessed at by their chips, so that they are searched too. */
function guessCost(candidate: Candidate, users: number, prices: Prices): number {
  const replicas = Math.ceil(users / Math.max(1, candidate.estimate));
  const instances = instancesFor(candidate, replicas);
  const price = prices.get(candidate.instance.name);
  const PER_CHIP_HOUR = 1.3; // trn1.32xlarge's listed price by chip; orders the search, never printed
  return instances * (price ?? candidate.instance.chips * PER_CHIP_HOUR);
}

export function instancesFor(candidate: Candidate, replicas: number): number {
  const each = Math.floor(candidate.instance.chips / candidate.chips);
  return each === 0 ? Number.POSITIVE_INFINITY : Math.ceil(replicas / each);
}

async function planOf(
  candidate: Candidate,
  model: Model,
  goal: PlanGoal,
  prices: Prices,
): Promise<ServingPlan | Failure> {
  const most = await mostUsers(candidate, model, goal);
  if (typeof most !== "number") return { candidate, run: most };
  const instances = instancesFor(candidate, Math.ceil(goal.users / most));
  return planAt(candidate, model, goal, { prices, instances, mostUsers: most });
}

/** The plan of this many instances, all replicas used; judged as it is, kept or not. */
export async function planAt(
  candidate: Candidate,
  model: Model,
  goal: PlanGoal,
  at: { readonly prices: Prices; readonly instances: number; readonly mostUsers: number },
): Promise<ServingPlan> {
  const each = Math.floor(candidate.instance.chips / candidate.chips);
  const replicas = Math.min(at.instances * each, goal.users);
  const usersPerReplica = Math.ceil(goal.users / replicas);
  const run = await runAt(candidate, model, goal, usersPerReplica);
  const price = prices(at.prices, candidate);
  return {
    candidate,
    instances: at.instances,
    replicas,
    usersPerReplica,
    run,
    mostUsers: Math.max(at.mostUsers, run.kept.ok ? usersPerReplica : 0),
    chips: at.instances * candidate.instance.chips,
    // Users are spread evenly; a replica's tokens are its users' tokens.
    outputThroughput: (run.outputThroughput * goal.users) / usersPerReplica,
    dollarsPerHour: price === undefined ? undefined : price * at.instances,
  };
}

function prices(given: Prices, candidate: Candidate): number | undefined {
  return given.get(candidate.instance.name);
}

/** The spec that serves `users` on a replica: as many rows as users. */
export function specFor(candidate: Candidate, users: number): SystemSpec {
  return { ...candidate.spec, maxNumSeqs: users };
}

async function runAt(
  candidate: Candidate,
  model: Model,
  goal: PlanGoal,
  users: number,
): Promise<ReplicaRun> {
  return runReplica(specFor(candidate, users), model, {
    users,
    workload: goal.workload,
    slo: goal.slo,
    seed: goal.seed,
  });
}

/** Bisection between the estimate's half and its double; the run of one user when not even that is kept. */
async function mostUsers(
  candidate: Candidate,
  model: Model,
  goal: PlanGoal,
): Promise<number | ReplicaRun> {
  // Past the goal as well, for the headroom of a replica that takes all users.
  const limit = Math.min(2 * goal.users, Math.max(1, candidate.capacity));
  let low = 0;
  let high = limit + 1;
  let probe = Math.min(limit, Math.max(1, candidate.estimate));
  while (high - low > 1 && high - low > low * 0.04) {
    const run = await runAt(candidate, model, goal, probe);
    if (run.kept.ok) low = probe;
    else if (probe === 1) return run;
    else high = probe;
    // Estimates are seldom off by more than a quarter: try close by first.
    const near = low === probe ? Math.ceil(low * 1.25) : Math.floor(high * 0.8);
    const middle = Math.floor((low + high) / 2);
    probe = Math.max(low + 1, Math.min(high - 1, low === 0 || high > limit ? near : middle));
    if (probe <= low || probe >= high) break;
  }
  return low;
}
