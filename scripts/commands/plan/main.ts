/** `trainyard plan`: which system serves this load within its promises, and at what price. */
import { writeFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { loadModel } from "../../../models/load.ts";
import { Progress } from "../../../server/progress.ts";
import { assess } from "./assess.ts";
import type { PlanRow, RankedRow } from "./columns.ts";
import { commandLine } from "./command-line.ts";
import { type PlanCommand, parsePlan } from "./flags.ts";
import { nodeWorkshop } from "./node-workshop.ts";
import { OTHER_SEEDS } from "./options.ts";
import { planned } from "./planned.ts";
import { planCsv, plansJson, planTable } from "./print.ts";
import type { ServingPlan } from "./search.ts";
import { whyNotLines } from "./why-not.ts";
import type { Workshop } from "./workshop.ts";

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(text);
  return plan(parsePlan(argv, print), print);
}

async function plan(options: PlanCommand, print: (text: string) => void): Promise<number> {
  const started = performance.now();
  const shop = nodeWorkshop(await loadModel(options.model));
  const made = await planned(
    options,
    shop,
    (what, of) => new Progress(what, of, { unit: "systems" }),
  );
  print(`${made.goal}\n`);
  for (const line of made.leftOut) print(`Left out: ${line}\n`);
  const { rows, ranked, remarks, notes } = made;
  const [first] = ranked;
  if (made.why !== undefined) print(`${whyNotLines(made.why).join("\n")}\n`);
  if (first === undefined) return 1;
  print(`\n${planTable(rows, options.goal)}\n\n`);
  print(
    `1 keeps its promise for ${OTHER_SEEDS.length} other seeds. To serve it:\n  ${commandLine(first)}\n`,
  );
  for (const line of remarks) print(`${line}\n`);
  await writeFiles(options, ranked, rows, shop);
  for (const line of notes) print(`${line}\n`);
  print(`${((performance.now() - started) / 1000).toFixed(1)} s.\n`);
  return 0;
}

/** All plans found: those of the table with their headroom, every one with its band and its floor. */
async function writeFiles(
  { json, csv, goal }: PlanCommand,
  ranked: readonly ServingPlan[],
  rows: readonly RankedRow[],
  shop: Workshop,
): Promise<void> {
  if (json === undefined && csv === undefined) return;
  const plans: PlanRow[] = [];
  for (const [index, plan] of ranked.entries()) {
    const row = rows.find((its) => its.plan === plan);
    plans.push(row ?? { plan, place: index + 1, assessed: await assess(plan, shop, goal) });
  }
  if (json !== undefined) {
    await writeFile(json, `${JSON.stringify(plansJson(plans, goal), null, 1)}\n`);
  }
  if (csv !== undefined) await writeFile(csv, planCsv(plans, goal));
}
