/** The summary that `vllm bench serve` prints, with our lateness below it. */
import { type Column, cellText } from "../../load/column.ts";
import type { Lateness } from "../../load/load.ts";
import { latencyMeasures, MEASURES } from "../../load/measures.ts";
import type { Latency, LoadMetrics } from "../../load/metrics.ts";
import { SPECULATION, type SpeculationCounts } from "../../load/result.ts";

const WIDTH = 50;
const HEADINGS: Readonly<Record<Latency, string>> = {
  ttft: "Time to First Token",
  tpot: "Time per Output Token (excl. 1st token)",
  itl: "Inter-token Latency",
  e2el: "End-to-end Latency",
};

export interface TableInput {
  readonly metrics: LoadMetrics;
  readonly latencies: readonly Latency[];
  readonly maxConcurrency?: number;
  readonly requestRate: number;
  readonly lateness?: Lateness;
  readonly speculation?: SpeculationCounts;
}

export function resultTable(input: TableInput): string {
  const { metrics, speculation, lateness } = input;
  const its = (keys: readonly string[]): string[] =>
    MEASURES.filter((measure) => keys.includes(measure.key) && measure.of(metrics) !== undefined)
      .sort((a, b) => keys.indexOf(a.key) - keys.indexOf(b.key))
      .map((measure) => line(measure, metrics));
  return [
    centred(" Serving Benchmark Result ", "="),
    ...its(["completed", "failed"]),
    ...CONFIGURED.filter(({ of }) => of(input) !== undefined).map((column) => line(column, input)),
    ...its(SUMMARY),
    ...input.latencies.flatMap((name) => [
      centred(HEADINGS[name], "-"),
      ...latencyMeasures(name, [...metrics.latency[name].percentiles.keys()])
        .filter(({ title }) => title !== undefined)
        .map((measure) => line(measure, metrics)),
    ]),
    ...section("Speculative Decoding", SPECULATION, speculation),
    ...section("This client's own lateness", LATENESS, lateness),
    "=".repeat(WIDTH),
  ].join("\n");
}

/** In vLLM's order. */
const SUMMARY = [
  "duration",
  "total_input_tokens",
  "total_output_tokens",
  "request_throughput",
  "request_goodput",
  "output_throughput",
  "max_output_tokens_per_s",
  "max_concurrent_requests",
  "total_token_throughput",
];

/** What was asked for, where anything was. */
const CONFIGURED: readonly Column<TableInput>[] = [
  {
    key: "max_concurrency",
    title: "Maximum request concurrency",
    of: ({ maxConcurrency }) => maxConcurrency,
  },
  {
    key: "request_rate",
    title: "Request rate configured (RPS)",
    unit: "requests/s",
    digits: 2,
    of: ({ requestRate }) => (Number.isFinite(requestRate) ? requestRate : undefined),
  },
];

const lateBy = (
  key: string,
  title: string,
  seconds: (lateness: Lateness) => number,
): Column<Lateness> => ({
  key,
  title: `${title} (ms)`,
  unit: "ms",
  better: "lower",
  digits: 3,
  of: (lateness) => seconds(lateness) * 1000,
});

const LATENESS: readonly Column<Lateness>[] = [
  lateBy("mean_dispatch_ms", "Mean dispatch lateness", (its) => its.meanDispatch),
  lateBy("p99_dispatch_ms", "P99 dispatch lateness", (its) => its.p99Dispatch),
  lateBy("max_dispatch_ms", "Max dispatch lateness", (its) => its.maxDispatch),
  lateBy("p99_event_loop_ms", "P99 event-loop delay", (its) => its.p99EventLoop),
  lateBy("max_event_loop_ms", "Max event-loop delay", (its) => its.maxEventLoop),
];

function section<Row>(
  heading: string,
  columns: readonly Column<Row>[],
  row: Row | undefined,
): string[] {
  if (row === undefined) return [];
  const titled = columns.filter(({ title }) => title !== undefined);
  return [centred(heading, "-"), ...titled.map((column) => line(column, row))];
}

function line<Row>(column: Column<Row>, row: Row): string {
  return `${`${column.title}:`.padEnd(40)} ${cellText(column, row).padEnd(10)}`.trimEnd();
}

function centred(text: string, fill: string): string {
  const left = Math.floor((WIDTH - text.length) / 2);
  return (
    fill.repeat(Math.max(0, left)) + text + fill.repeat(Math.max(0, WIDTH - text.length - left))
  );
}
