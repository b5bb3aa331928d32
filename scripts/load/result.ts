/** The result file of `vllm bench serve`: its keys, in its order, plus our `trainyard` key. */

import { type Column, rowJson } from "./column.ts";
import { latencyMeasures, MEASURES } from "./measures.ts";
import { LATENCIES, type Latency, type LoadMetrics } from "./metrics.ts";
import type { RequestRecord } from "./record.ts";

export interface SpeculationCounts {
  readonly drafts: number;
  readonly draftTokens: number;
  readonly acceptedTokens: number;
  /** Accepted tokens by position in the draft. */
  readonly perPosition: readonly number[];
}

export interface RunDescription {
  readonly date: Date;
  readonly backend: string;
  readonly label?: string;
  readonly modelId: string;
  readonly tokenizerId: string;
  readonly numPrompts: number;
  readonly requestRate: number;
  readonly burstiness: number;
  readonly maxConcurrency?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly ramp?: { readonly strategy: string; readonly startRps: number; readonly endRps: number };
  /** Which latencies go into the file; TTFT, TPOT and ITL as a rule. */
  readonly latencies: readonly Latency[];
  readonly speculation?: SpeculationCounts;
  /** What vLLM's file does not have: lateness, notices, the device, bands. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

export type VllmResult = Readonly<Record<string, unknown>>;

/** `20261123-221500`, in UTC. */
export function stamp(date: Date): string {
  const digits = date.toISOString().replace(/[-:]/g, "");
  return `${digits.slice(0, 8)}-${digits.slice(9, 15)}`;
}

export function vllmResult(
  run: RunDescription,
  metrics: LoadMetrics,
  detailed?: readonly RequestRecord[],
): VllmResult {
  const result: Record<string, unknown> = {
    date: stamp(run.date),
    endpoint_type: run.backend,
    backend: run.backend,
    label: run.label ?? null,
    model_id: run.modelId,
    tokenizer_id: run.tokenizerId,
    num_prompts: run.numPrompts,
    ...run.metadata,
    request_rate: Number.isFinite(run.requestRate) ? run.requestRate : "inf",
    burstiness: run.burstiness,
    max_concurrency: run.maxConcurrency ?? null,
    ...(run.ramp === undefined
      ? {}
      : {
          ramp_up_strategy: run.ramp.strategy,
          ramp_up_start_rps: run.ramp.startRps,
          ramp_up_end_rps: run.ramp.endRps,
        }),
    ...rowJson(MEASURES, metrics),
    rtfx: 0,
  };
  if (detailed !== undefined) Object.assign(result, detailsOf(detailed));
  for (const name of LATENCIES) {
    if (run.latencies.includes(name)) {
      Object.assign(result, latencyKeys(name, metrics));
    }
  }
  if (run.speculation !== undefined) Object.assign(result, speculationKeys(run.speculation));
  if (run.extra !== undefined) result["trainyard"] = run.extra;
  return result;
}

/** `mean_ttft_ms`, `median_ttft_ms`, `std_ttft_ms`, `p99_ttft_ms`, … */
export function latencyKeys(
  name: Latency,
  metrics: LoadMetrics,
): Readonly<Record<string, unknown>> {
  const percentiles = [...metrics.latency[name].percentiles.keys()];
  return rowJson(latencyMeasures(name, percentiles), metrics);
}

/** What speculation came to, as the file and the summary name it. */
export const SPECULATION: readonly Column<SpeculationCounts>[] = [
  {
    key: "spec_decode_acceptance_rate",
    title: "Acceptance rate (%)",
    unit: "%",
    better: "higher",
    formula: "accepted ÷ drafted tokens",
    digits: 2,
    of: ({ draftTokens, acceptedTokens }) =>
      draftTokens === 0 ? 0 : (100 * acceptedTokens) / draftTokens,
  },
  {
    key: "spec_decode_acceptance_length",
    title: "Acceptance length",
    unit: "tokens",
    better: "higher",
    formula: "1 + accepted tokens ÷ drafts",
    digits: 2,
    of: ({ drafts, acceptedTokens }) => (drafts === 0 ? 0 : 1 + acceptedTokens / drafts),
  },
  { key: "spec_decode_num_drafts", title: "Drafts", of: ({ drafts }) => drafts },
  { key: "spec_decode_draft_tokens", unit: "tokens", of: ({ draftTokens }) => draftTokens },
  {
    key: "spec_decode_accepted_tokens",
    unit: "tokens",
    of: ({ acceptedTokens }) => acceptedTokens,
  },
];

function speculationKeys(counts: SpeculationCounts): Readonly<Record<string, unknown>> {
  const { drafts, perPosition } = counts;
  return {
    ...rowJson(SPECULATION, counts),
    spec_decode_per_position_acceptance_rates: perPosition.map((accepted) =>
      drafts === 0 ? 0 : accepted / drafts,
    ),
  };
}

function detailsOf(records: readonly RequestRecord[]): Record<string, unknown> {
  return {
    input_lens: records.map((record) => record.promptTokens),
    output_lens: records.map((record) => record.outputTokens),
    ttfts: records.map((record) => record.ttft),
    itls: records.map((record) => Array.from(record.itl)),
    start_times: records.map((record) => record.sent),
    generated_texts: records.map((record) => record.text ?? ""),
    errors: records.map((record) => record.error ?? ""),
  };
}
