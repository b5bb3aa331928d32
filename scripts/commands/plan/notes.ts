/** What a plan tells below its table: the slow end, what is next cheaper, prices not known. */
import { INSTANCES } from "../../../device/trainium/instances.ts";
import type { Model } from "../../../models/model.ts";
import { bandOf } from "../../virtual/facts.ts";
import { byCost, type PlanGoal, type Prices, planAt, type ServingPlan, specFor } from "./search.ts";
import { nearness } from "./slo.ts";

/** Which row keeps the promise even where the device is as slow as its band allows. */
export async function slowEnd(
  ranked: readonly ServingPlan[],
  model: Model,
  goal: PlanGoal,
): Promise<string> {
  for (const [index, its] of ranked.entries()) {
    const { ttft, tokensPerUser } = its.run.kept;
    const high = (await bandOf(specFor(its.candidate, its.usersPerReplica), model))?.high ?? 1;
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
    readonly plans: readonly ServingPlan[];
    readonly model: Model;
    readonly goal: PlanGoal;
    readonly prices: Prices;
  },
): Promise<string> {
  const { plans, model, goal, prices } = of;
  const cheaper: ServingPlan[] = [];
  for (const { candidate, mostUsers, instances } of plans) {
    const priced = prices.has(candidate.instance.name);
    if (priced !== (first.dollarsPerHour !== undefined)) continue;
    for (let fewer = instances - 1; fewer >= 1; fewer--) {
      const price = (prices.get(candidate.instance.name) ?? 0) * fewer;
      const below = priced
        ? price < (first.dollarsPerHour ?? 0)
        : fewer * candidate.instance.chips < first.chips;
      if (!below) continue;
      cheaper.push(
        await planAt(candidate, model, goal, {
          prices,
          instances: fewer,
          mostUsers,
        }),
      );
      break;
    }
  }
  const dearest = cheaper.sort(byCost).at(-1);
  // Of equal cost: the one that comes nearest to the promise.
  const next = cheaper
    .filter((its) => dearest !== undefined && its.dollarsPerHour === dearest.dollarsPerHour)
    .filter((its) => its.dollarsPerHour !== undefined || its.chips === dearest?.chips)
    .sort((a, b) => nearness(b.run.kept, goal.slo) - nearness(a.run.kept, goal.slo))[0];
  if (next === undefined) {
    return "Nothing cheaper could be built from the systems searched.";
  }
  const cost =
    next.dollarsPerHour === undefined
      ? `${next.chips} chips`
      : `$${next.dollarsPerHour.toFixed(2)}/h`;
  const kept = next.run.kept.ok
    ? "also keeps it for this seed"
    : `breaks it: ${next.run.kept.broken.join(", ")}`;
  return `Next cheaper: ${systemName(next)} (${cost}) ${kept}.`;
}

/**
 * Systems without a price are ranked after those with one, whatever they cost: what
 * the smallest of them may cost to be the cheaper one is said, so that nobody takes
 * a missing price for a high one.
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
  const first = ranked[0];
  const unpriced = ranked.find((its) => its.dollarsPerHour === undefined);
  const lines = [
    `No price is listed for ${without.join(", ")}: give --price-per-hour NAME=DOLLARS.`,
  ];
  if (first?.dollarsPerHour !== undefined && unpriced !== undefined) {
    const most = first.dollarsPerHour / unpriced.instances;
    lines.push(
      `${ranked.indexOf(unpriced) + 1}, ${systemName(unpriced)}, is the cheaper one where an hour of ${unpriced.candidate.instance.name} costs less than $${most.toFixed(2)}.`,
    );
  }
  return lines;
}

export function systemName({ instances, candidate: { spec, format } }: ServingPlan): string {
  return `${instances} × ${spec.instance} TP ${spec.tensorParallel} ${format}`;
}
