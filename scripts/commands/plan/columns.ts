/** The columns of plans, once: the terminal's table, the page's, CSV and JSON read them. */
import type { Column } from "../../load/column.ts";
import { meaningOf } from "../../load/measures.ts";
import type { Assessment } from "./assess.ts";
import { commandLine, systemText } from "./command-line.ts";
import type { ServingPlan } from "./search.ts";

export interface RankedRow {
  readonly plan: ServingPlan;
  /** In the ranking, from 1. */
  readonly place: number;
  /** Most users a replica took and kept the promise. */
  readonly mostUsers: number;
  /** Absent: not asked for. */
  readonly assessed?: Assessment;
}

/** A plan of the ranking; headroom is sought, and figures assessed, for the rows of the table. */
export type PlanRow = Partial<RankedRow> & Pick<RankedRow, "plan" | "place">;

/** Dollars for a million output tokens, at the load planned for. */
export function dollarsPerMillion(plan: ServingPlan): number | undefined {
  return plan.dollarsPerHour === undefined || plan.outputThroughput === 0
    ? undefined
    : plan.dollarsPerHour / (plan.outputThroughput * 3600) / 1e-6;
}

const SYSTEM: readonly Column<PlanRow>[] = [
  { key: "place", title: "#", of: ({ place }) => place },
  { key: "name", title: "system", of: ({ plan }) => systemText(plan) },
  { key: "instance", of: ({ plan }) => plan.candidate.spec.instance },
  { key: "tensorParallel", of: ({ plan }) => plan.candidate.spec.tensorParallel },
  { key: "expertParallel", of: ({ plan }) => plan.candidate.spec.expertParallel },
  { key: "kernels", of: ({ plan }) => plan.candidate.spec.kernels },
  { key: "format", title: "format", of: ({ plan }) => plan.candidate.format },
  { key: "instances", title: "instances", of: ({ plan }) => plan.instances },
  { key: "replicas", title: "replicas", of: ({ plan }) => plan.replicas },
  {
    key: "usersPerReplica",
    title: "users each",
    formula: "users of the most loaded replica",
    of: ({ plan }) => plan.usersPerReplica,
  },
  { key: "chips", title: "chips", better: "lower", of: ({ plan }) => plan.chips },
];

/** What was promised, at its percentile of requests. */
function promised(percentile: number): readonly Column<PlanRow>[] {
  const p = `p${percentile}`;
  return [
    {
      key: "ttftSeconds",
      title: `TTFT ${p} s`,
      unit: "s",
      better: "lower",
      formula: `${p} of first token − sent`,
      digits: 2,
      of: ({ plan }) => plan.run.kept.ttft,
    },
    {
      key: "tokensPerUser",
      title: `tok/s/user ${p}`,
      unit: "tokens/s",
      better: "higher",
      formula: `1 ÷ ${p} of TPOT`,
      digits: 1,
      of: ({ plan }) => plan.run.kept.tokensPerUser,
    },
  ];
}

/** How far the pace is to be believed: the device's 80 % band, and what its data sheet alone would allow. */
const BELIEF: readonly Column<PlanRow>[] = [
  {
    key: "tokensPerUserSlow",
    title: "slow end",
    unit: "tokens/s",
    better: "higher",
    formula: "tokens/s/user ÷ the most that a time of the 80 % band is longer",
    digits: 0,
    of: ({ plan, assessed }) => assessed?.band && plan.run.kept.tokensPerUser / assessed.band.high,
  },
  {
    key: "tokensPerUserFast",
    title: "fast end",
    unit: "tokens/s",
    better: "higher",
    formula: "tokens/s/user ÷ the least that a time of the 80 % band may be",
    digits: 0,
    of: ({ plan, assessed }) => assessed?.band && plan.run.kept.tokensPerUser / assessed.band.low,
  },
  { key: "tier", title: "tier", of: ({ assessed }) => assessed?.band?.tier },
  {
    key: "bandFactor",
    title: "×÷",
    formula: "80 % band: time ÷ factor to time × factor",
    digits: 2,
    of: ({ assessed }) => assessed?.band?.factor,
  },
  {
    key: "floorTokensPerUser",
    title: "floor",
    unit: "tokens/s",
    formula: "tokens/s/user of nothing but the data sheet's bytes, FLOPs and links",
    digits: 0,
    of: ({ assessed }) => assessed?.floorTokensPerUser,
  },
  { key: "extrapolated", of: ({ assessed }) => assessed?.extrapolated },
];

const PRICE: readonly Column<PlanRow>[] = [
  {
    key: "outputThroughput",
    title: "tok/s",
    ...meaningOf("output_throughput"),
    digits: 0,
    of: ({ plan }) => plan.outputThroughput,
  },
  {
    key: "outputThroughputPerChip",
    title: "tok/s/chip",
    unit: "tokens/s",
    better: "higher",
    formula: "output tokens a second ÷ chips of all instances",
    digits: 1,
    of: ({ plan }) => plan.outputThroughput / plan.chips,
  },
  {
    key: "dollarsPerHour",
    title: "$/h",
    unit: "dollars/h",
    better: "lower",
    formula: "instances × listed or given price",
    digits: 2,
    of: ({ plan }) => plan.dollarsPerHour,
  },
  {
    key: "dollarsPerMillionOutputTokens",
    title: "$/Mtoken",
    unit: "dollars",
    better: "lower",
    formula: "dollars an hour ÷ million output tokens an hour, at the load planned for",
    digits: 2,
    of: ({ plan }) => dollarsPerMillion(plan),
  },
  { key: "mostUsers", better: "higher", of: ({ mostUsers }) => mostUsers },
  {
    key: "headroom",
    title: "headroom %",
    unit: "%",
    better: "higher",
    formula: "most users a replica takes and keeps the promise ÷ its users − 1",
    digits: 0,
    of: ({ plan, mostUsers }) =>
      mostUsers === undefined ? undefined : 100 * (mostUsers / plan.usersPerReplica - 1),
  },
  { key: "command", of: ({ plan }) => commandLine(plan) },
];

/** `percentile` of requests must keep the promise, e.g. 95. */
export function planColumns(percentile: number): readonly Column<PlanRow>[] {
  return [...SYSTEM, ...promised(percentile), ...BELIEF, ...PRICE];
}
