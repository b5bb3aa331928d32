/**
 * What is measured of a load, once: `bench serve`, replays and points of sweeps take
 * unit, direction and formula from here. Keys and titles are those of `vllm bench serve`.
 */
import type { Column, Meaning } from "./column.ts";
import type { Latency, LoadMetrics } from "./metrics.ts";

/** In the order of vLLM's result file. */
export const MEASURES: readonly Column<LoadMetrics>[] = [
  {
    key: "duration",
    title: "Benchmark duration (s)",
    unit: "s",
    digits: 2,
    of: (load) => load.duration,
  },
  { key: "completed", title: "Successful requests", of: (load) => load.completed },
  { key: "failed", title: "Failed requests", better: "lower", of: (load) => load.failed },
  {
    key: "total_input_tokens",
    title: "Total input tokens",
    unit: "tokens",
    of: (load) => load.inputTokens,
  },
  {
    key: "total_output_tokens",
    title: "Total generated tokens",
    unit: "tokens",
    of: (load) => load.outputTokens,
  },
  {
    key: "request_throughput",
    title: "Request throughput (req/s)",
    unit: "requests/s",
    better: "higher",
    formula: "answered requests ÷ duration",
    digits: 2,
    of: (load) => load.requestThroughput,
  },
  {
    key: "request_goodput",
    title: "Request goodput (req/s)",
    unit: "requests/s",
    better: "higher",
    formula: "requests within every limit ÷ duration",
    digits: 2,
    of: (load) => load.goodput,
  },
  {
    key: "output_throughput",
    title: "Output token throughput (tok/s)",
    unit: "tokens/s",
    better: "higher",
    formula: "output tokens of answered requests ÷ duration",
    digits: 2,
    of: (load) => load.outputThroughput,
  },
  {
    key: "total_token_throughput",
    title: "Total token throughput (tok/s)",
    unit: "tokens/s",
    better: "higher",
    formula: "input and output tokens of answered requests ÷ duration",
    digits: 2,
    of: (load) => load.totalThroughput,
  },
  {
    key: "max_output_tokens_per_s",
    title: "Peak output token throughput (tok/s)",
    unit: "tokens/s",
    better: "higher",
    formula: "most output tokens in a whole second",
    digits: 2,
    of: (load) => load.peakOutputTokensPerSecond,
  },
  {
    key: "max_concurrent_requests",
    title: "Peak concurrent requests",
    formula: "most requests that touch a whole second",
    digits: 2,
    of: (load) => load.peakConcurrentRequests,
  },
];

const PREEMPTIONS: Meaning = { better: "lower" };

const LATENCY_FORMULAS: Readonly<Record<Latency, string>> = {
  ttft: "first token − sent",
  tpot: "(last token − first token) ÷ (output tokens − 1)",
  itl: "gaps between the chunks of all answers",
  e2el: "last token − sent",
};

/** Unit, direction and formula by a measure's key. Throws for a key that is none. */
export function meaningOf(key: string): Meaning {
  const measure = key === "preemptions" ? PREEMPTIONS : MEASURES.find((its) => its.key === key);
  if (measure === undefined) throw new Error(`Nothing measured is called ${key}.`);
  const { unit, better, formula } = measure;
  return {
    ...(unit === undefined ? {} : { unit }),
    ...(better === undefined ? {} : { better }),
    ...(formula === undefined ? {} : { formula }),
  };
}

/** A deviation is neither better nor worse. */
export function latencyMeaning(name: Latency, quantile: string): Meaning {
  return {
    unit: "ms",
    ...(quantile === "std" ? {} : { better: "lower" }),
    formula: LATENCY_FORMULAS[name],
  };
}

/** Mean, median, deviation and the percentiles of one latency, in vLLM's order: `p99_ttft_ms`. */
export function latencyMeasures(
  name: Latency,
  percentiles: readonly number[],
): readonly Column<LoadMetrics>[] {
  const label = name.toUpperCase();
  const column = (
    quantile: string,
    title: string | undefined,
    of: Column<LoadMetrics>["of"],
  ): Column<LoadMetrics> => ({
    key: `${quantile}_${name}_ms`,
    ...(title === undefined ? {} : { title: `${title} ${label} (ms)` }),
    ...latencyMeaning(name, quantile),
    digits: 2,
    of,
  });
  return [
    column("mean", "Mean", ({ latency }) => latency[name].mean),
    column("median", "Median", ({ latency }) => latency[name].median),
    column("std", undefined, ({ latency }) => latency[name].std),
    ...percentiles.map((p) =>
      column(`p${p}`, `P${p}`, ({ latency }) => latency[name].percentiles.get(p)),
    ),
  ];
}
