/** The ranked table of a plan, and the command line of its first row. */
import { bandText } from "../../report/point.ts";
import { aligned } from "../sweep/print.ts";
import type { Assessment } from "./assess.ts";
import type { PlanGoal, ServingPlan } from "./search.ts";

/** Dollars for a million output tokens, at the load planned for. */
export function dollarsPerMillion(plan: ServingPlan): number | undefined {
  return plan.dollarsPerHour === undefined || plan.outputThroughput === 0
    ? undefined
    : plan.dollarsPerHour / (plan.outputThroughput * 3600) / 1e-6;
}

export interface RankedRow {
  readonly plan: ServingPlan;
  /** In the ranking, from 1. */
  readonly place: number;
  /** Most users a replica took and kept the promise. */
  readonly mostUsers: number;
  /** Absent: not asked for. */
  readonly assessed?: Assessment;
}

export function planTable(rows: readonly RankedRow[], goal: PlanGoal): string {
  const p = `p${goal.slo.percentile}`;
  const header = [
    "#",
    "system",
    "format",
    "instances",
    "replicas",
    "users each",
    "chips",
    `TTFT ${p} s`,
    `tok/s/user ${p}`,
    "floor",
    "tok/s",
    "tok/s/chip",
    "$/h",
    "$/Mtoken",
    "headroom",
    "band",
    "tier",
  ];
  return aligned([
    header,
    ...rows.map(({ plan, place, mostUsers, assessed }) => {
      const { spec } = plan.candidate;
      const million = dollarsPerMillion(plan);
      const band = assessed?.band;
      return [
        String(place),
        `${spec.instance} TP ${spec.tensorParallel}${spec.expertParallel ? " EP" : ""}${spec.kernels === "" ? "" : ` ${spec.kernels}`}${speculationName(spec.speculative)}`,
        plan.candidate.format,
        String(plan.instances),
        String(plan.replicas),
        String(plan.usersPerReplica),
        String(plan.chips),
        plan.run.kept.ttft.toFixed(2),
        plan.run.kept.tokensPerUser.toFixed(1),
        assessed?.floorTokensPerUser.toFixed(0) ?? "-",
        plan.outputThroughput.toFixed(0),
        (plan.outputThroughput / plan.chips).toFixed(1),
        plan.dollarsPerHour === undefined ? "no price" : plan.dollarsPerHour.toFixed(2),
        million === undefined ? "-" : million.toFixed(2),
        `${Math.round(100 * (mostUsers / plan.usersPerReplica - 1))} %`,
        band === undefined
          ? "-"
          : `${(plan.run.kept.tokensPerUser / band.high).toFixed(0)}–${(plan.run.kept.tokensPerUser / band.low).toFixed(0)}`,
        band === undefined ? "-" : bandText(band),
      ];
    }),
  ]);
}

/** A plan as plain data, with the command line that serves one of its instances. */
export function planJson(
  plan: ServingPlan,
  { mostUsers, assessed }: Partial<RankedRow>,
): Readonly<Record<string, unknown>> {
  const { candidate, run, ...rest } = plan;
  const { band, extrapolated, floorTokensPerUser } = assessed ?? {};
  return {
    ...rest,
    mostUsers: mostUsers ?? null, // sought for the rows of the table only
    system: candidate.spec,
    format: candidate.format,
    ttftSeconds: run.kept.ttft,
    tokensPerUser: run.kept.tokensPerUser,
    floorTokensPerUser: floorTokensPerUser ?? null,
    tier: band?.tier ?? null,
    bandFactor: band?.factor ?? null,
    extrapolated: extrapolated ?? null,
    dollarsPerMillionOutputTokens: dollarsPerMillion(plan) ?? null,
    command: commandLine(plan),
  };
}

/** All plans found, one a line; keys are JSON's, and what is not known is empty. */
export function planCsv(
  plans: readonly (Partial<RankedRow> & Pick<RankedRow, "plan" | "place">)[],
): string {
  const lines = plans.map((row): Readonly<Record<string, unknown>> => {
    const { system: _system, command, ...rest } = planJson(row.plan, row);
    const { instance, tensorParallel, expertParallel, kernels } = row.plan.candidate.spec;
    const system = { place: row.place, instance, tensorParallel, expertParallel, kernels };
    return { ...system, ...rest, command };
  });
  const keys = Object.keys(lines[0] ?? {});
  const cells = lines.map((line) => keys.map((key) => csvCell(line[key])));
  return `${[keys, ...cells].map((line) => line.join(",")).join("\n")}\n`;
}

function csvCell(value: unknown): string {
  const text = String(value ?? "");
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** What serves one instance of the plan. */
export function commandLine(plan: ServingPlan): string {
  const { spec, chips, instance } = plan.candidate;
  const each = Math.min(plan.replicas, Math.floor(instance.chips / chips));
  const parts = [
    "trainyard serve",
    spec.model,
    "--device trainium",
    `--instance ${spec.instance}`,
    `--tensor-parallel-size ${spec.tensorParallel}`,
    ...(each > 1 ? [`--data-parallel-size ${each}`] : []),
    ...(spec.expertParallel ? ["--enable-expert-parallel"] : []),
    ...(spec.kernels === "" ? [] : [`--neuron-kernels ${spec.kernels}`]),
    ...(spec.quantization === undefined ? [] : [`--quantization ${spec.quantization}`]),
    ...(spec.speculative === undefined ? [] : [`--speculative-config '${spec.speculative}'`]),
    `--max-num-seqs ${plan.usersPerReplica}`,
    `--max-model-len ${spec.maxModelLen}`,
    ...(spec.maxNumBatchedTokens === undefined
      ? []
      : [`--max-num-batched-tokens ${spec.maxNumBatchedTokens}`]),
    ...Object.entries(spec.own).map(([flag, value]) => `--${flag} '${String(value)}'`),
    ...(plan.dollarsPerHour === undefined
      ? []
      : [`--price-per-hour ${plan.dollarsPerHour / plan.instances}`]),
  ];
  return parts.join(" ");
}

/** Method and drafted tokens, shortly. */
function speculationName(json: string | undefined): string {
  if (json === undefined) return "";
  const keys = JSON.parse(json) as { method?: string; num_speculative_tokens?: number };
  return ` ${keys.method ?? "speculation"} ${keys.num_speculative_tokens ?? ""}`.trimEnd();
}
