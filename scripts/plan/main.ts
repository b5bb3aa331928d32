/** `trainyard plan`: which system serves this load within its promises, and at what price. */
import { writeFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { Command, CommanderError } from "commander";
import { INSTANCES } from "../../device/trainium/instances.ts";
import { loadModel } from "../../models/load.ts";
import type { Model } from "../../models/model.ts";
import { bandOf } from "../sweep/facts.ts";
import { UsageError } from "../sweep/flags.ts";
import { candidatesOf, PLAN_TENSOR_PARALLEL } from "./candidates.ts";
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
    return await plan(parse(argv, print), print);
  } catch (error) {
    if (error instanceof UsageError && error.code === 0) return 0;
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof UsageError ? error.code : 1;
  }
}

interface PlanOptions {
  readonly model: string;
  readonly goal: PlanGoal;
  readonly instances: readonly string[];
  readonly tensorParallel: readonly number[];
  readonly formats: readonly string[];
  readonly kernels: readonly string[];
  readonly speculative: readonly (string | undefined)[];
  readonly own: Readonly<Record<string, string>>;
  readonly prices: Prices;
  readonly seconds: number;
  readonly rows: number;
  readonly json?: string;
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

function parse(argv: readonly string[], print: (text: string) => void): PlanOptions {
  const command = new Command("trainyard plan")
    .description("Search systems in virtual time for the cheapest that keeps its promises.")
    .argument("<model>", "catalogue id or folder")
    .option("--input-len <n>", "prompt tokens", "2000")
    .option("--output-len <n>", "output tokens", "300")
    .option("--spread <r>", "lengths in [L(1−r), L(1+r)]", "0.2")
    .option("--users <n>", "active at once, without pauses", "100")
    .option("--ttft <s>", "seconds to the first token", "2")
    .option("--tokens-per-user <n>", "tokens a second for each user", "30")
    .option("--percentile <p>", "of requests that must keep both", "95")
    .option("--instance <names>", "by comma; default: all")
    .option("--tensor-parallel-size, --tp <sizes>", "by comma", PLAN_TENSOR_PARALLEL.join(","))
    .option(
      "--formats <names>",
      "weight formats, by comma; stored: as they are",
      "stored,fp8,mxfp8,mxfp4",
    )
    .option("--neuron-kernels <names>", "kernel sets, by comma; + joins the kernels of a set")
    .option(
      "--speculative-config <json...>",
      "tried beside no speculation; say what acceptance to count on (acceptance_length)",
    )
    .option("--serving-stack <name>", "runtime whose limits and gaps apply")
    .option("--logical-nc-config <n>", "physical cores in a logical one")
    .option(
      "--price-per-hour <name=dollars...>",
      "of an instance; or one price for the only --instance",
    )
    .option("--seconds <s>", "spent searching at most", "30")
    .option("--rows <n>", "of the table", "12")
    .option("--json <file>", "write all plans found")
    .option("--seed <n>", "", "0")
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: () => {} });
  try {
    command.parse([...argv], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      throw new UsageError(error.message.replace(/^error: /, ""), error.exitCode === 0 ? 0 : 2);
    }
    throw error;
  }
  const given = command.opts<Readonly<Record<string, string | string[] | undefined>>>();
  const number = (name: string): number => {
    const value = Number(given[name]);
    if (!(value > 0) && name !== "seed" && name !== "spread") {
      throw new UsageError(`--${name} takes a number above 0, not "${String(given[name])}".`);
    }
    return value;
  };
  const list = (name: string): string[] =>
    typeof given[name] === "string" ? given[name].split(",").map((part) => part.trim()) : [];
  const own: Record<string, string> = {};
  if (typeof given["servingStack"] === "string") own["serving-stack"] = given["servingStack"];
  if (typeof given["logicalNcConfig"] === "string") {
    own["logical-nc-config"] = given["logicalNcConfig"];
  }
  const kernels = list("neuronKernels").map((set) => set.replaceAll("+", ","));
  const instances = list("instance");
  return {
    model: command.args[0] ?? "",
    goal: {
      users: number("users"),
      workload: {
        inputLen: number("inputLen"),
        outputLen: number("outputLen"),
        spread: number("spread"),
      },
      slo: {
        ttft: number("ttft"),
        tokensPerUser: number("tokensPerUser"),
        percentile: number("percentile"),
      },
      seed: number("seed"),
    },
    instances,
    tensorParallel: list("tp").map(Number),
    formats: list("formats"),
    kernels: kernels.length === 0 ? [""] : kernels,
    speculative: [
      undefined,
      ...(Array.isArray(given["speculativeConfig"]) ? given["speculativeConfig"] : []),
    ],
    own,
    prices: pricesOf(given["pricePerHour"], instances),
    seconds: number("seconds"),
    rows: number("rows"),
    ...(typeof given["json"] === "string" ? { json: given["json"] } : {}),
  };
}

/** Listed prices, and over them those given: NAME=DOLLARS, or DOLLARS for the only instance. */
function pricesOf(given: string | string[] | undefined, instances: readonly string[]): Prices {
  const prices = new Map<string, number>();
  for (const { name, dollarsPerHour } of INSTANCES) {
    if (dollarsPerHour !== undefined) prices.set(name, dollarsPerHour);
  }
  for (const entry of Array.isArray(given) ? given : []) {
    const [name, dollars] = entry.includes("=") ? entry.split("=") : [instances[0], entry];
    const value = Number(dollars);
    if (name === undefined || !INSTANCES.some((its) => its.name === name) || !(value > 0)) {
      throw new UsageError(`--price-per-hour takes NAME=DOLLARS, not "${entry}".`);
    }
    prices.set(name, value);
  }
  return prices;
}
