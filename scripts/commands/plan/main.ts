/** `trainyard plan`: which system serves this load within its promises, and at what price. */
import { writeFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { loadModel } from "../../../models/load.ts";
import type { Model } from "../../../models/model.ts";
import { Progress } from "../../load/progress.ts";
import { assess } from "./assess.ts";
import { candidatesOf, combinations, type Space } from "./candidates.ts";
import { type PlanOptions, parsePlan } from "./flags.ts";
import { mostUsers, nextCheaper, priceNotes, searchNotes, slowEnd, systemName } from "./notes.ts";
import { commandLine, planCsv, planJson, planTable, type RankedRow } from "./print.ts";
import { type PlanGoal, type SearchOutcome, type ServingPlan, searchPlans } from "./search.ts";
import { whyNot } from "./why-not.ts";

/** Added to the seed: the first of the ranking must keep its promise for these too. */
const OTHER_SEEDS = [1000, 2000, 3000, 4000, 5000];

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(text);
  return plan(parsePlan(argv, print), print);
}

async function plan(options: PlanOptions, print: (text: string) => void): Promise<number> {
  const started = performance.now();
  const { goal, prices } = options;
  const { workload, slo } = goal;
  const model = await loadModel(options.model);
  const { space, found } = await searched(options, model);
  print(
    `${options.model}: ${goal.users} users, ${workload.inputLen} in / ${workload.outputLen} out (±${Math.round(100 * workload.spread)} %), ` +
      `TTFT p${slo.percentile} ≤ ${slo.ttft} s, p${slo.percentile} ≥ ${slo.tokensPerUser} tokens/s/user; simulated.\n`,
  );
  for (const { plan: its, why } of found.unsteady) {
    print(`Left out: ${systemName(its)} keeps its promise for some seeds only (${why}).\n`);
  }
  const ranked = found.plans;
  const [first] = ranked;
  if (first === undefined) {
    print(`${(await whyNot({ space, found, model, options })).join("\n")}\n`);
    return 1;
  }
  const rows = await rowsOf(shown(ranked, options.rows), model, goal);
  print(`\n${planTable(rows, goal)}\n\n`);
  print(
    `1 keeps its promise for ${OTHER_SEEDS.length} other seeds. To serve it:\n  ${commandLine(first)}\n`,
  );
  print(`${await slowEnd(ranked, model, goal)}\n`);
  for (const what of extrapolations(rows)) print(`Extrapolated, ${what}.\n`);
  await writeFiles(options, ranked, rows, model);
  const { candidates } = space;
  print(`${await nextCheaper(first, { candidates, found, goal, prices })}\n`);
  for (const line of priceNotes(ranked, prices, options.instances)) print(`${line}\n`);
  for (const line of searchNotes(space, found)) print(`${line}\n`);
  print(`${((performance.now() - started) / 1000).toFixed(1)} s.\n`);
  return 0;
}

/** The search itself, telling how far it is: on a busy machine it takes its seconds. */
async function searched(
  options: PlanOptions,
  model: Model,
): Promise<{ readonly space: Space; readonly found: SearchOutcome }> {
  const { goal } = options;
  const built = new Progress("Systems built", combinations(options, model), { unit: "systems" });
  const space = await candidatesOf({ ...options, seed: goal.seed }, model, goal, () =>
    built.step(),
  );
  built.end();
  const bar = new Progress("Systems simulated", space.candidates.length, { unit: "systems" });
  const found = await searchPlans(space.candidates, model, goal, {
    ...options,
    otherSeeds: OTHER_SEEDS.map((offset) => goal.seed + offset),
    onProgress: (decided, of) => bar.to(decided, of),
  });
  bar.end();
  return { space, found };
}

/** The first of the ranking, and the best of those with a price and of those without. */
function shown(ranked: readonly ServingPlan[], rows: number): Placed[] {
  const priced = ranked.find(({ dollarsPerHour }) => dollarsPerHour !== undefined);
  const unpriced = ranked.find(({ dollarsPerHour }) => dollarsPerHour === undefined);
  return ranked
    .map((plan, index) => ({ plan, place: index + 1 }))
    .filter(({ plan, place }) => place <= rows || plan === priced || plan === unpriced);
}

type Placed = Pick<RankedRow, "plan" | "place">;

async function rowsOf(
  plans: readonly Placed[],
  model: Model,
  goal: PlanGoal,
): Promise<RankedRow[]> {
  const rows: RankedRow[] = [];
  const bar = new Progress("Headroom", plans.length, { unit: "systems" });
  for (const { plan, place } of plans) {
    const assessed = await assess(plan, model, goal);
    rows.push({ plan, place, mostUsers: await mostUsers(plan, model, goal), assessed });
    bar.step();
  }
  bar.end();
  return rows;
}

/** What the systems of the table rest on that nobody measured, each named once. */
function extrapolations(rows: readonly RankedRow[]): readonly string[] {
  return [...new Set(rows.flatMap(({ assessed }) => assessed?.extrapolated ?? []))];
}

/** All plans found: those of the table with their headroom, every one with its band and its floor. */
async function writeFiles(
  { json, csv, goal }: PlanOptions,
  ranked: readonly ServingPlan[],
  rows: readonly RankedRow[],
  model: Model,
): Promise<void> {
  if (json === undefined && csv === undefined) return;
  const plans: (Partial<RankedRow> & Placed)[] = [];
  for (const [index, plan] of ranked.entries()) {
    const row = rows.find((its) => its.plan === plan);
    plans.push(row ?? { plan, place: index + 1, assessed: await assess(plan, model, goal) });
  }
  if (json !== undefined) {
    const found = plans.map((its) => planJson(its.plan, its));
    await writeFile(json, `${JSON.stringify({ goal, plans: found }, null, 1)}\n`);
  }
  if (csv !== undefined) await writeFile(csv, planCsv(plans));
}
