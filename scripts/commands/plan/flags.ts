/** Flags of `trainyard plan`. */
import { INSTANCES } from "../../../device/trainium/instances.ts";
import { readSpeculativeConfig } from "../../../engine/speculate/registry.ts";
import { rowsOf } from "../../../server/settings/row.ts";
import { reason, UsageError } from "../../usage.ts";
import { parseFlags } from "../flags.ts";
import { count, counts, list, names, positive } from "../kinds.ts";
import { DEFAULT_MODEL, OWN_FLAGS, ownFrom } from "../system-flags.ts";
import type { Prices } from "./cost.ts";
import { isUsers, MOST_USERS, PLAN_DEFAULTS, type PlanOptions, pricesOf } from "./options.ts";

/** Files beside what is printed. */
export interface PlanCommand extends PlanOptions {
  readonly json?: string;
  readonly csv?: string;
}

const load = rowsOf("Workload");
const promise = rowsOf("Promise");
const space = rowsOf("Systems");
const search = rowsOf("Search");

const { goal: GOAL } = PLAN_DEFAULTS;
const { workload: WORKLOAD, slo: SLO } = GOAL;

export const PLAN_FLAGS = {
  "input-len": count(load, WORKLOAD.inputLen, "prompt tokens"),
  "output-len": count(load, WORKLOAD.outputLen, "output tokens"),
  spread: load.number(WORKLOAD.spread, "lengths in [L(1−r), L(1+r)]", {
    check: (r) => (r >= 0 && r < 1 ? undefined : "must be at least 0 and below 1"),
  }),
  users: load.of<number>("N", GOAL.users, "active at once, without pauses", Number, {
    check: (value) =>
      isUsers(value)
        ? undefined
        : `takes whole numbers from 1 to ${MOST_USERS.toLocaleString("en")}`,
  }),
  ttft: positive(promise, SLO.ttft, "seconds to the first token"),
  "tokens-per-user": positive(promise, SLO.tokensPerUser, "tokens a second for each user"),
  percentile: promise.number(SLO.percentile, "of requests that must keep both", {
    check: (p) => (p > 0 && p < 100 ? undefined : "must be between 0 and 100"),
  }),
  instance: space.of<readonly string[]>("NAMES", [], "by comma; default: all", instancesOf),
  "tensor-parallel-size": counts(
    space,
    PLAN_DEFAULTS.tensorParallel,
    "by comma; also --tp",
    "--tp",
  ),
  formats: names(space, PLAN_DEFAULTS.formats, "weight formats, by comma; stored: as they are"),
  "neuron-kernels": space.of<readonly string[]>(
    "SETS",
    PLAN_DEFAULTS.kernels,
    "kernel sets, by comma; + joins the kernels of a set",
    (text) => list(text).map((set) => set.replaceAll("+", ",")),
  ),
  "speculative-config": {
    ...space.of<readonly string[]>(
      "JSON",
      [],
      "tried beside no speculation; say what acceptance to count on (acceptance_length)",
      speculativeOf,
    ),
    many: true,
  },
  ...OWN_FLAGS,
  "price-per-hour": search.list(
    [],
    "of an instance, NAME=DOLLARS; or DOLLARS for the only --instance",
  ),
  seconds: positive(search, PLAN_DEFAULTS.seconds, "spent searching at most"),
  rows: count(search, PLAN_DEFAULTS.rows, "of the table"),
  json: search.text(undefined, "write all plans found", { value: "FILE" }),
  csv: search.text(undefined, "the same as CSV", { value: "FILE" }),
  seed: search.integer(GOAL.seed, "of prompts and lengths"),
} as const;

export function parsePlan(argv: readonly string[], print: (text: string) => void): PlanCommand {
  const { values, argument } = parseFlags(
    {
      name: "trainyard plan",
      sentence: "Search systems in virtual time for the cheapest that keeps its promises.",
      argument: { name: "model", sentence: `catalogue id or folder (default ${DEFAULT_MODEL})` },
      flags: PLAN_FLAGS,
    },
    argv,
    print,
  );
  const { users, ttft, percentile, seed, instance, spread, json, csv } = values;
  return {
    model: argument ?? DEFAULT_MODEL,
    goal: {
      users,
      workload: { inputLen: values["input-len"], outputLen: values["output-len"], spread },
      slo: { ttft, tokensPerUser: values["tokens-per-user"], percentile },
      seed,
    },
    instances: instance,
    tensorParallel: values["tensor-parallel-size"],
    formats: values.formats,
    kernels: values["neuron-kernels"],
    speculative: [undefined, ...values["speculative-config"]],
    own: ownFrom(values),
    prices: askedPrices(values["price-per-hour"], instance),
    seconds: values.seconds,
    rows: values.rows,
    ...(json === undefined ? {} : { json }),
    ...(csv === undefined ? {} : { csv }),
  };
}

function instancesOf(text: string): string[] {
  const asked = list(text);
  if (asked.every((name) => INSTANCES.some((its) => its.name === name))) return asked;
  throw new Error(`takes ${INSTANCES.map((its) => its.name).join(", ")}`);
}

/** Each is checked here: one that no system takes would only be counted among the refused. */
function speculativeOf(text: string): string[] {
  const configs = text.startsWith("[") ? (JSON.parse(text) as string[]) : [text]; // as typed: a list of words
  for (const json of configs) {
    readSpeculativeConfig(JSON.parse(json) as Readonly<Record<string, unknown>>);
  }
  return configs;
}

function askedPrices(given: readonly string[], instances: readonly string[]): Prices {
  try {
    return pricesOf(given, instances);
  } catch (error) {
    throw new UsageError(`--price-per-hour ${reason(error)}.`);
  }
}
