/** The summary that `vllm bench serve` prints, with our lateness below it. */
import type { Lateness } from "../../load/load.ts";
import type { Latency, LoadMetrics } from "../../load/metrics.ts";
import type { SpeculationCounts } from "../../load/result.ts";

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
  const { metrics } = input;
  const lines: string[] = [centred(" Serving Benchmark Result ", "=")];
  const row = (name: string, value: number, digits?: number): void => {
    const text = digits === undefined ? String(value) : value.toFixed(digits);
    lines.push(`${name.padEnd(40)} ${text.padEnd(10)}`.trimEnd());
  };
  row("Successful requests:", metrics.completed);
  row("Failed requests:", metrics.failed);
  if (input.maxConcurrency !== undefined) row("Maximum request concurrency:", input.maxConcurrency);
  if (Number.isFinite(input.requestRate)) {
    row("Request rate configured (RPS):", input.requestRate, 2);
  }
  row("Benchmark duration (s):", metrics.duration, 2);
  row("Total input tokens:", metrics.inputTokens);
  row("Total generated tokens:", metrics.outputTokens);
  row("Request throughput (req/s):", metrics.requestThroughput, 2);
  if (metrics.goodput !== undefined) row("Request goodput (req/s):", metrics.goodput, 2);
  row("Output token throughput (tok/s):", metrics.outputThroughput, 2);
  row("Peak output token throughput (tok/s):", metrics.peakOutputTokensPerSecond, 2);
  row("Peak concurrent requests:", metrics.peakConcurrentRequests, 2);
  row("Total token throughput (tok/s):", metrics.totalThroughput, 2);
  for (const name of input.latencies) {
    const summary = metrics.latency[name];
    const label = name.toUpperCase();
    lines.push(centred(HEADINGS[name], "-"));
    row(`Mean ${label} (ms):`, summary.mean, 2);
    row(`Median ${label} (ms):`, summary.median, 2);
    for (const [percentile, value] of summary.percentiles) {
      row(`P${percentile} ${label} (ms):`, value, 2);
    }
  }
  if (input.speculation !== undefined) {
    const { drafts, draftTokens, acceptedTokens } = input.speculation;
    lines.push(centred("Speculative Decoding", "-"));
    row("Acceptance rate (%):", draftTokens === 0 ? 0 : (100 * acceptedTokens) / draftTokens, 2);
    row("Acceptance length:", drafts === 0 ? 0 : 1 + acceptedTokens / drafts, 2);
    row("Drafts:", drafts);
  }
  if (input.lateness !== undefined) {
    const { lateness } = input;
    lines.push(centred("This client's own lateness", "-"));
    row("Mean dispatch lateness (ms):", lateness.meanDispatch * 1000, 3);
    row("P99 dispatch lateness (ms):", lateness.p99Dispatch * 1000, 3);
    row("Max dispatch lateness (ms):", lateness.maxDispatch * 1000, 3);
    row("P99 event-loop delay (ms):", lateness.p99EventLoop * 1000, 3);
    row("Max event-loop delay (ms):", lateness.maxEventLoop * 1000, 3);
  }
  lines.push("=".repeat(WIDTH));
  return lines.join("\n");
}

function centred(text: string, fill: string): string {
  const left = Math.floor((WIDTH - text.length) / 2);
  return (
    fill.repeat(Math.max(0, left)) + text + fill.repeat(Math.max(0, WIDTH - text.length - left))
  );
}
