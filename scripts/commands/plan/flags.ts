/** Flags of `trainyard plan`. */
import { Command } from "commander";
import { INSTANCES } from "../../../device/trainium/instances.ts";
import { readSpeculativeConfig } from "../../../engine/speculate/registry.ts";
import { reason, UsageError } from "../../usage.ts";
import { PLAN_TENSOR_PARALLEL } from "./candidates.ts";
import type { Prices } from "./cost.ts";
import type { PlanGoal } from "./search.ts";

export interface PlanOptions {
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

export function parsePlan(argv: readonly string[], print: (text: string) => void): PlanOptions {
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
  command.parse([...argv], { from: "user" });
  const given = command.opts<Readonly<Record<string, string | string[] | undefined>>>();
  const number = (name: string, check = (value: number) => value > 0): number => {
    const value = Number(given[name]);
    if (check(value)) return value;
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UsageError(`--${flag} does not take "${String(given[name])}".`);
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
  const unknown = instances.find((name) => !INSTANCES.some((its) => its.name === name));
  if (unknown !== undefined) {
    const known = INSTANCES.map((its) => its.name).join(", ");
    throw new UsageError(`--instance "${unknown}" is not known; known: ${known}.`);
  }
  return {
    model: command.args[0] ?? "",
    goal: {
      users: number("users", (users) => Number.isInteger(users) && users > 0),
      workload: {
        inputLen: number("inputLen"),
        outputLen: number("outputLen"),
        spread: number("spread", (r) => r >= 0 && r < 1),
      },
      slo: {
        ttft: number("ttft"),
        tokensPerUser: number("tokensPerUser"),
        percentile: number("percentile", (p) => p > 0 && p < 100),
      },
      seed: number("seed", Number.isInteger),
    },
    instances,
    tensorParallel: list("tp").map((part) => {
      const ranks = Number(part);
      if (Number.isInteger(ranks) && ranks > 0) return ranks;
      throw new UsageError(`--tensor-parallel-size does not take "${part}".`);
    }),
    formats: list("formats"),
    kernels: kernels.length === 0 ? [""] : kernels,
    speculative: [undefined, ...speculativeOf(given["speculativeConfig"])],
    own,
    prices: pricesOf(given["pricePerHour"], instances),
    seconds: number("seconds"),
    rows: number("rows"),
    ...(typeof given["json"] === "string" ? { json: given["json"] } : {}),
  };
}

/** Each is checked here: one that no system takes would only be counted among the refused. */
function speculativeOf(given: string | string[] | undefined): string[] {
  const configs = Array.isArray(given) ? given : [];
  for (const json of configs) {
    try {
      readSpeculativeConfig(JSON.parse(json) as Readonly<Record<string, unknown>>);
    } catch (error) {
      throw new UsageError(`--speculative-config ${json}: ${reason(error)}`);
    }
  }
  return configs;
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
