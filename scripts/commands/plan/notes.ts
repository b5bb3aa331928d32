/** What a plan tells below its table: the slow end, what is next cheaper, prices not known. */
import { INSTANCES } from "../../../device/trainium/instances.ts";
import type { Band } from "../../report/point.ts";
import type { SystemSpec } from "../../virtual/build.ts";
import { factsOf } from "../../virtual/facts.ts";
import type { Candidate, Space } from "./candidates.ts";
import { compareCost, costOf, type Prices } from "./cost.ts";
import { loadsOf } from "./loads.ts";
import { type PlanGoal, runAt, type SearchOutcome, type ServingPlan, specFor } from "./search.ts";
import { nearness } from "./slo.ts";
import type { Workshop } from "./workshop.ts";

/** Which row keeps the promise even where the device is as slow as its band allows. */
export async function slowEnd(
  ranked: readonly ServingPlan[],
  shop: Workshop,
  goal: PlanGoal,
): Promise<string> {
  for (const [index, its] of ranked.entries()) {
    const { ttft, tokensPerUser } = its.run.kept;
    const high = (await bandOf(specFor(its.candidate, its.usersPerReplica), shop))?.high ?? 1;
    if (tokensPerUser / high < goal.slo.tokensPerUser || ttft * high > goal.slo.ttft) continue;
    return index === 0
      ? "It keeps it at the slow end of its 80 % band too."
      : `At the slow end of its 80 % band it does not: the first that then does is ${index + 1}, ${systemName(its)}.`;
  }
  return "At the slow end of its 80 % band neither it nor any other system found does.";
}

/** The dearest configuration that costs less than the first row, and what it breaks. */
export async function nextCheaper(
  first: ServingPlan,
  of: {
    readonly candidates: readonly Candidate[];
    readonly found: SearchOutcome;
    readonly goal: PlanGoal;
    readonly prices: Prices;
  },
): Promise<string> {
  const { candidates, found, goal, prices } = of;
  const cheaper = candidates
    .filter(({ instance }) => prices.has(instance.name) === (first.dollarsPerHour !== undefined))
    .flatMap((candidate) =>
      loadsOf(candidate, goal.users).map((load) => {
        const cost = costOf(candidate, load.instances, prices);
        return { candidate, load, cost, less: compareCost(cost, first) };
      }),
    )
    .filter(({ less }) => less < 0);
  const most = Math.max(...cheaper.map(({ less }) => less));
  const tied: ServingPlan[] = [];
  for (const { candidate, load, less } of cheaper) {
    if (less === most) tied.push(await found.planAt(candidate, load));
  }
  // Of equal cost: the one that comes nearest to the promise.
  const [next] = tied.sort(
    (a, b) => nearness(b.run.kept, goal.slo) - nearness(a.run.kept, goal.slo),
  );
  if (next === undefined) return "Nothing cheaper can be built from these systems.";
  const cost =
    next.dollarsPerHour === undefined
      ? `${next.chips} chips`
      : `$${next.dollarsPerHour.toFixed(2)}/h`;
  const kept = next.run.kept.ok
    ? "keeps it for this seed, not for the others"
    : `breaks it: ${next.run.kept.broken.join(", ")}`;
  return `Next cheaper: ${systemName(next)} (${cost}) ${kept}.`;
}

/**
 * Most users that a replica of this plan takes and keeps the promise, for this seed,
 * to 4 %: what is between it and the users it has is headroom.
 */
export async function mostUsers(
  { candidate, usersPerReplica }: ServingPlan,
  shop: Workshop,
  goal: PlanGoal,
): Promise<number> {
  let low = usersPerReplica;
  let high = Math.min(2 * goal.users, Math.max(1, candidate.capacity)) + 1;
  while (high - low > 1 && high - low > low * 0.04) {
    const middle = Math.floor((low + high) / 2);
    // Headroom is seldom more than a quarter: close by first.
    const probe = Math.max(low + 1, Math.min(high - 1, middle, Math.ceil(low * 1.25)));
    if ((await runAt(candidate, shop, goal, probe)).kept.ok) low = probe;
    else high = probe;
  }
  return low;
}

/**
 * Prices that are not known: what those systems may cost at most to be the cheaper
 * ones is said, so that nobody takes a missing price for a high one, or for a low one.
 */
export function priceNotes(
  ranked: readonly ServingPlan[],
  prices: Prices,
  asked: readonly string[],
): string[] {
  const without = INSTANCES.filter(({ name }) => !prices.has(name))
    .map(({ name }) => name)
    .filter((name) => asked.length === 0 || asked.includes(name));
  if (without.length === 0) return [];
  const lines = [
    `No price is listed for ${without.join(", ")}: give --price-per-hour NAME=DOLLARS.`,
  ];
  const priced = ranked.find((its) => its.dollarsPerHour !== undefined);
  const unpriced = ranked.find((its) => its.dollarsPerHour === undefined);
  if (priced?.dollarsPerHour === undefined || unpriced === undefined) return lines;
  const most = (priced.dollarsPerHour / unpriced.instances).toFixed(2);
  const place = (plan: ServingPlan): string => `${ranked.indexOf(plan) + 1}, ${systemName(plan)},`;
  const name = unpriced.candidate.instance.name;
  lines.push(
    unpriced === ranked[0]
      ? `${place(unpriced)} is first for its ${unpriced.chips} chips, whatever it costs: ${place(priced)} is the cheaper one where an hour of ${name} costs more than $${most}.`
      : `${place(unpriced)} is the cheaper one where an hour of ${name} costs less than $${most}.`,
  );
  return lines;
}

/** What was looked at and what was not: nothing is left out in silence. */
export function searchNotes(space: Space, found: SearchOutcome): string[] {
  const { candidates, refused } = space;
  const { searched, unsearched, dearer } = found;
  const small = candidates.length - searched - unsearched - dearer;
  return [
    ...(unsearched > 0
      ? [
          `Not proven the cheapest: --seconds left out ${unsearched} systems that may cost less. Give more.`,
        ]
      : []),
    `${candidates.length} systems considered (${refused} combinations cannot be built${small > 0 ? `, ${small} need more chips than their instance has` : ""}), ${searched} simulated${dearer > 0 ? `; ${dearer} cannot be cheaper and were left out by --seconds` : ""}.`,
  ];
}

export function systemName({ instances, candidate: { spec, format } }: ServingPlan): string {
  return `${instances} × ${spec.instance} TP ${spec.tensorParallel} ${format}`;
}

/** The band of a system that is not running. */
async function bandOf(spec: SystemSpec, shop: Workshop): Promise<Band | undefined> {
  const system = await shop.build(spec);
  const { band } = factsOf(system);
  await system.close();
  return band;
}
