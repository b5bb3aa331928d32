/** What a plan is asked for, whoever asks: the command line or a page. */
import { INSTANCES } from "../../../device/trainium/instances.ts";
import { PLAN_TENSOR_PARALLEL } from "./candidates.ts";
import type { Prices } from "./cost.ts";
import type { PlanGoal } from "./search.ts";

export interface PlanOptions {
  readonly model: string;
  readonly goal: PlanGoal;
  /** Empty: all. */
  readonly instances: readonly string[];
  readonly tensorParallel: readonly number[];
  readonly formats: readonly string[];
  readonly kernels: readonly string[];
  /** Undefined stands for none. */
  readonly speculative: readonly (string | undefined)[];
  readonly own: Readonly<Record<string, string | number>>;
  readonly prices: Prices;
  /** Spent searching at most. */
  readonly seconds: number;
  /** Of the table. */
  readonly rows: number;
}

/** Added to the seed: the first of the ranking must keep its promise for these too. */
export const OTHER_SEEDS = [1000, 2000, 3000, 4000, 5000];

/** So many are a thousand systems' work; the search holds a load for each share of them that differs. */
export const MOST_USERS = 1_000_000;

export const isUsers = (value: number): boolean =>
  Number.isInteger(value) && value >= 1 && value <= MOST_USERS;

/** What is planned where nothing else is said. */
export const PLAN_DEFAULTS: Omit<PlanOptions, "model" | "prices"> = {
  goal: {
    users: 100,
    workload: { inputLen: 2000, outputLen: 300, spread: 0.2 },
    slo: { ttft: 2, tokensPerUser: 30, percentile: 95 },
    seed: 0,
  },
  instances: [],
  tensorParallel: PLAN_TENSOR_PARALLEL,
  formats: ["stored", "fp8", "mxfp8", "mxfp4"],
  kernels: [""],
  speculative: [undefined],
  own: {},
  seconds: 30,
  rows: 12,
};

/** Listed prices, and over them those given: NAME=DOLLARS, or DOLLARS for the only instance. Throws a sentence. */
export function pricesOf(given: readonly string[], instances: readonly string[]): Prices {
  const prices = new Map<string, number>();
  for (const { name, dollarsPerHour } of INSTANCES) {
    if (dollarsPerHour !== undefined) prices.set(name, dollarsPerHour);
  }
  for (const entry of given) {
    const [name, dollars] = entry.includes("=") ? entry.split("=") : [instances[0], entry];
    const value = Number(dollars);
    if (name === undefined || !INSTANCES.some((its) => its.name === name) || !(value > 0)) {
      throw new Error(`takes NAME=DOLLARS, not "${entry}"`);
    }
    prices.set(name, value);
  }
  return prices;
}
