/** `trainyard plan`: which system serves this load within its promises, and at what price. */
import { writeFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { INSTANCES } from "../../device/trainium/instances.ts";
import { loadModel } from "../../models/load.ts";
import type { Model } from "../../models/model.ts";
import { bandOf } from "../sweep/facts.ts";
import { UsageError } from "../sweep/flags.ts";
import { candidatesOf } from "./candidates.ts";
import { type PlanOptions, parsePlan } from "./flags.ts";
import { commandLine, planJson, planTable } from "./print.ts";
import { runReplica } from "./replica.ts";
import {
  byCost,
  type PlanGoal,
  type Prices,
  planAt,
  type ServingPlan,
  searchPlans,
  specFor,
} from "./search.ts";

const OTHER_SEEDS = 5;

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(text);
  try {
    return await plan(parsePlan(argv, print), print);
  } catch (error) {
    if (error instanceof UsageError && error.code === 0) return 0;
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof UsageError ? error.code : 1;
  }
}

async function plan(options: PlanOptions, print: (text: string) => void): Promise<number> {
  const started = performance.now();
  const { goal } = options;
  const { workload, slo } = goal;
  const model = await loadModel(options.model);
  const space = await candidatesOf({ ...options, seed: goal.seed }, model, goal);
  const { plans, searched, unsearched } = await searchPlans(space.candidates, model, goal, options);
  print(
    `${options.model}: ${goal.users} users, ${workload.inputLen} in / ${workload.outputLen} out (±${Math.round(100 * workload.spread)} %), ` +
      `TTFT p${slo.percentile} ≤ ${slo.ttft} s, p${slo.percentile} ≥ ${slo.tokensPerUser} tokens/s/user; simulated.\n`,
  );
  const standing = await firstThatStands(plans, model, goal, print);
  if (standing === undefined) {
    print(`No system keeps this promise (${searched} searched).\n`);
    for (const reason of space.reasons.slice(0, 5)) print(`  ${reason}\n`);
    return 1;
  }
  const ranked = plans.slice(plans.indexOf(standing));
  const rows = await Promise.all(
    ranked.slice(0, options.rows).map(async (its) => {
      const band = await bandOf(specFor(its.candidate, its.usersPerReplica), model);
      return { plan: its, ...(band === undefined ? {} : { band }) };
    }),
  );
  print(`\n${planTable(rows, goal)}\n\n`);
  print(
    `1 keeps its promise for ${OTHER_SEEDS} other seeds. To serve it:\n  ${commandLine(standing)}\n`,
  );
  print(`${await slowEnd(ranked, model, goal)}\n`);
  if (options.json !== undefined) {
    await writeFile(
      options.json,
      `${JSON.stringify({ goal, plans: ranked.map(planJson) }, null, 1)}\n`,
    );
  }
  await nextCheaper(standing, { plans, model, goal, options, print });
  for (const line of priceNotes(options.prices)) print(`${line}\n`);
  print(
    `${space.candidates.length} systems considered (${space.refused} combinations cannot be built), ${searched} simulated${unsearched > 0 ? `, ${unsearched} left out by --seconds` : ""}; ${((performance.now() - started) / 1000).toFixed(1)} s.\n`,
  );
  return 0;
}

/** Which row keeps the promise even where the device is as slow as its band allows. */
async function slowEnd(
  ranked: readonly ServingPlan[],
  model: Model,
  goal: PlanGoal,
): Promise<string> {
  for (const [index, its] of ranked.entries()) {
    const { ttft, tokensPerUser } = its.run.kept;
    const high = (await bandOf(specFor(its.candidate, its.usersPerReplica), model))?.high ?? 1;
    if (tokensPerUser / high < goal.slo.tokensPerUser || ttft * high > goal.slo.ttft) continue;
    const { instance, tensorParallel } = its.candidate.spec;
    return index === 0
      ? "It keeps it at the slow end of its 80 % band too."
      : `At the slow end of its 80 % band it does not: the first that then does is ${index + 1}, ${its.instances} × ${instance} TP ${tensorParallel} ${its.candidate.format}.`;
  }
  return "At the slow end of its 80 % band neither it nor any other system found does.";
}

/** The cheapest plan that keeps its promise for other seeds too. */
async function firstThatStands(
  plans: readonly ServingPlan[],
  model: Model,
  goal: PlanGoal,
  print: (text: string) => void,
): Promise<ServingPlan | undefined> {
  for (const its of plans) {
    const broken = await brokenSeeds(its, model, goal);
    if (its.run.kept.ok && broken.length === 0) return its;
    print(
      `Left out: ${its.instances} × ${its.candidate.spec.instance} TP ${its.candidate.spec.tensorParallel} keeps its promise for some seeds only (${broken[0] ?? its.run.kept.broken.join(", ")}).\n`,
    );
  }
  return undefined;
}

async function brokenSeeds(its: ServingPlan, model: Model, goal: PlanGoal): Promise<string[]> {
  const broken: string[] = [];
  for (let offset = 1; offset <= OTHER_SEEDS && broken.length === 0; offset++) {
    const users = its.usersPerReplica;
    const again = await runReplica(specFor(its.candidate, users), model, {
      users,
      workload: goal.workload,
      slo: goal.slo,
      seed: goal.seed + 1000 * offset,
    });
    if (!again.kept.ok) broken.push(again.kept.broken.join(", "));
  }
  return broken;
}

/** The dearest configuration that costs less than the first row, and what it breaks. */
async function nextCheaper(
  first: ServingPlan,
  of: {
    readonly plans: readonly ServingPlan[];
    readonly model: Model;
    readonly goal: PlanGoal;
    readonly options: PlanOptions;
    readonly print: (text: string) => void;
  },
): Promise<void> {
  const { plans, model, goal, options, print } = of;
  const cheaper: ServingPlan[] = [];
  for (const { candidate, mostUsers, instances } of plans) {
    const priced = options.prices.has(candidate.instance.name);
    if (priced !== (first.dollarsPerHour !== undefined)) continue;
    for (let fewer = instances - 1; fewer >= 1; fewer--) {
      const price = (options.prices.get(candidate.instance.name) ?? 0) * fewer;
      const below = priced
        ? price < (first.dollarsPerHour ?? 0)
        : fewer * candidate.instance.chips < first.chips;
      if (!below) continue;
      cheaper.push(
        await planAt(candidate, model, goal, {
          prices: options.prices,
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
    .sort((a, b) => nearness(b, goal) - nearness(a, goal))[0];
  if (next === undefined) {
    print("Nothing cheaper could be built from the systems searched.\n");
    return;
  }
  const { spec } = next.candidate;
  const cost =
    next.dollarsPerHour === undefined
      ? `${next.chips} chips`
      : `$${next.dollarsPerHour.toFixed(2)}/h`;
  print(
    `Next cheaper: ${next.instances} × ${spec.instance} TP ${spec.tensorParallel} ${next.candidate.format} (${cost}) ${next.run.kept.ok ? "also keeps it for this seed" : `breaks it: ${next.run.kept.broken.join(", ")}`}.\n`,
  );
}

/** 1 or more: both promises kept. */
function nearness(its: ServingPlan, goal: PlanGoal): number {
  const { ttft, tokensPerUser } = its.run.kept;
  return Math.min(tokensPerUser / goal.slo.tokensPerUser, goal.slo.ttft / Math.max(ttft, 1e-9));
}

function priceNotes(prices: Prices): string[] {
  const without = INSTANCES.filter((its) => !prices.has(its.name)).map((its) => its.name);
  return without.length === 0
    ? []
    : [`No price is listed for ${without.join(", ")}: give --price-per-hour NAME=DOLLARS.`];
}
