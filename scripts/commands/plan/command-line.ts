/** A plan's system in words, and the command line that serves it. */
import { quoted } from "../quoted.ts";
import type { ServingPlan } from "./search.ts";

/** One replica, shortly: `trn2.3xlarge TP 4 nki`. */
export function systemText({ candidate: { spec } }: ServingPlan): string {
  return [
    `${spec.instance} TP ${spec.tensorParallel}`,
    ...(spec.expertParallel ? ["EP"] : []),
    ...(spec.kernels === "" ? [] : [spec.kernels]),
    ...speculationName(spec.speculative),
  ].join(" ");
}

/** What serves one instance of the plan. */
export function commandLine(plan: ServingPlan): string {
  const { spec, chips, instance } = plan.candidate;
  const each = Math.min(plan.replicas, Math.floor(instance.chips / chips));
  const parts = [
    "trainyard serve",
    quoted(spec.model),
    "--device trainium",
    `--instance ${spec.instance}`,
    `--tensor-parallel-size ${spec.tensorParallel}`,
    ...(each > 1 ? [`--data-parallel-size ${each}`] : []),
    ...(spec.expertParallel ? ["--enable-expert-parallel"] : []),
    ...(spec.kernels === "" ? [] : [`--neuron-kernels ${spec.kernels}`]),
    ...(spec.quantization === undefined ? [] : [`--quantization ${spec.quantization}`]),
    ...(spec.speculative === undefined ? [] : [`--speculative-config ${quoted(spec.speculative)}`]),
    `--max-num-seqs ${plan.usersPerReplica}`,
    `--max-model-len ${spec.maxModelLen}`,
    ...(spec.maxNumBatchedTokens === undefined
      ? []
      : [`--max-num-batched-tokens ${spec.maxNumBatchedTokens}`]),
    ...Object.entries(spec.own).map(([flag, value]) => `--${flag} ${quoted(String(value))}`),
    ...(plan.dollarsPerHour === undefined
      ? []
      : [`--price-per-hour ${plan.dollarsPerHour / plan.instances}`]),
  ];
  return parts.join(" ");
}

/** Method and drafted tokens. */
function speculationName(json: string | undefined): readonly string[] {
  if (json === undefined) return [];
  const keys = JSON.parse(json) as { method?: string; num_speculative_tokens?: number };
  return [`${keys.method ?? "speculation"} ${keys.num_speculative_tokens ?? ""}`.trimEnd()];
}
