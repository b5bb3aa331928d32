/** The words of `metric`, `unit` and `percentile` → what is measured, and whether it is a middle. */
import type { Row } from "../rows.ts";
import { Refusal } from "./words.ts";

export type Metric =
  | "TPOT"
  | "TTFT"
  | "e2e_latency"
  | "latency_per_token"
  | "output_throughput"
  | "total_throughput"
  | "per_request_throughput"
  | "request_rate"
  | "sequence_throughput"
  | "whole_prefill"
  | "decode_steps"
  | "forward_latency"
  | "forward_rate";

const METRICS: readonly (readonly [RegExp, Metric])[] = [
  [
    /^(?:tpot|itl|inter[\s_-]*token[\s_-]*latency|time[\s_-]*per[\s_-]*output[\s_-]*token|(?:decode|token[\s_-]*gen\w*|tkg|per[\s_-]*token)[\s_-]*(?:latency|time|step)?)$/i,
    "TPOT",
  ],
  [
    /^(?:ttft|time[\s_-]*to[\s_-]*first[\s_-]*token|(?:prefill|prompt|context[\s_-]*encoding|cte)[\s_-]*(?:latency|time)?|TTFT_context_encoding)$/i,
    "TTFT",
  ],
  [/^(?:prefill_time_whole_batch|whole[\s_-]*batch[\s_-]*prefill\w*)$/i, "whole_prefill"],
  [/^decode_time_(\d+)_steps$/i, "decode_steps"],
  [
    /^(?:e2e|end[\s_-]*to[\s_-]*end)[\s_-]*(?:latency|time)?$|^request[\s_-]*latency$|^e2el$/i,
    "e2e_latency",
  ],
  [/^latency[\s_-]*per[\s_-]*(?:output[\s_-]*)?token$/i, "latency_per_token"],
  [
    /^(?:output|decode|generation)[\s_-]*(?:token[\s_-]*)?(?:throughput|rate)(?:_e2e)?$|^(?:output_)?tokens?_per_second$/i,
    "output_throughput",
  ],
  [/^total[\s_-]*(?:token[\s_-]*)?throughput$/i, "total_throughput"],
  [
    /^(?:per[\s_-]*(?:request|user|stream)[\s_-]*(?:output[\s_-]*)?throughput|interactivity)$/i,
    "per_request_throughput",
  ],
  [/^(?:request[\s_-]*(?:rate|throughput)|requests_per_second)$/i, "request_rate"],
  [/^sequence[\s_-]*throughput$/i, "sequence_throughput"],
  [/^latency$/i, "forward_latency"],
  [/^throughput$/i, "forward_rate"],
];

/** The metric of a model's row; throws a Refusal that names it when it is none. */
export function metricOf(row: Row): Metric {
  const found = METRICS.find(([pattern]) => pattern.test(row.metric.trim()));
  if (found === undefined) throw new Refusal(`metric "${row.metric}" is not one of a step's`);
  return found[1];
}

/** Decode steps that a `decode_time_N_steps` counts. */
export function stepsOf(row: Row): number {
  return Number(/_(\d+)_/.exec(row.metric)?.[1] ?? 1);
}

const MIDDLES =
  /^(?:|mean|avg|average|p50|median|approx\w*|typical|device|claim|range|single|test parameter)$/i;

/** Is the figure a mean or a median? What is not (p90, p99, min, max, peak) is judged apart. */
export function isMiddle({ percentile }: Row): boolean {
  return MIDDLES.test(percentile);
}

/** Quantile of `percentile`; "mean" when it is none. */
export function quantileOf(percentile: string): number | "mean" {
  const told = /^p(\d+(?:\.\d+)?)$/i.exec(percentile)?.[1];
  if (told !== undefined) return Number(told) / 100;
  if (/^(?:median|typical|approx\w*|range|single)$/i.test(percentile)) return 0.5;
  if (/^min/i.test(percentile)) return 0;
  if (/^(?:max|peak|worst)/i.test(percentile)) return 1;
  if (MIDDLES.test(percentile)) return "mean";
  throw new Refusal(`percentile "${percentile}" is not known`);
}

const UNITS =
  /^(?:ms|us|µs|ns|s|sec|seconds|tok\/s|tokens?\/s(?:ec)?|req\/s|requests?\/s|inf\/s|fraction|%|x)$/i;

export function checkUnit({ unit }: Row): void {
  if (!UNITS.test(unit)) throw new Refusal(`unit "${unit}" is not known`);
}
