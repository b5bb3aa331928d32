/** From a run's records to a point of the report. */
import type { Notice } from "../../../server/metrics/hygiene.ts";
import { LATENCIES, type Latency, type LoadMetrics, measure } from "../../load/metrics.ts";
import type { RequestRecord } from "../../load/record.ts";
import { type VllmResult, vllmResult } from "../../load/result.ts";
import type { LatencyQuantiles, Point } from "../../report/point.ts";
import type { Workload } from "./protocol.ts";

/** Percentiles that every point keeps, beside the median. */
export const PERCENTILES = [90, 95, 99, 99.9] as const;

export interface MeasuredPoint {
  readonly point: Point;
  readonly result: VllmResult;
  /** Of the first request that failed. */
  readonly firstError?: string;
}

type Measured =
  | "duration"
  | "completed"
  | "failed"
  | "requestThroughput"
  | "inputThroughput"
  | "outputThroughput"
  | "totalThroughput"
  | "latency"
  | "meanUserRate"
  | "preemptions"
  | "notices";

/** What is known of a point before it is run. */
export type PointIdentity = Omit<Point, Measured | "series">;

/** The workload's part of a point's identity. */
export function workloadPart(workload: Workload): string {
  const { inputLen, outputLen, ratio, requestsPerUser, warmupsPerUser, seed } = workload;
  return `${inputLen} in / ${outputLen} out (${ratio}·L to L, ${requestsPerUser}+${warmupsPerUser} a user, seed ${seed})`;
}

export function firstErrorOf(records: readonly RequestRecord[]): { readonly firstError?: string } {
  const failed = records.find(({ ok }) => !ok);
  return failed === undefined ? {} : { firstError: failed.error ?? "unknown" };
}

export function metricsOf(records: readonly RequestRecord[], duration: number): LoadMetrics {
  return measure(records, duration, { percentiles: PERCENTILES });
}

export function toPoint(
  identity: PointIdentity,
  metrics: LoadMetrics,
  notices: readonly Notice[],
): Point {
  return {
    ...identity,
    series: Object.values(identity.identity)
      .filter((part) => part !== "")
      .join(" "),
    duration: metrics.duration,
    completed: metrics.completed,
    failed: metrics.failed,
    requestThroughput: metrics.requestThroughput,
    inputThroughput: metrics.duration > 0 ? metrics.inputTokens / metrics.duration : 0,
    outputThroughput: metrics.outputThroughput,
    totalThroughput: metrics.totalThroughput,
    latency: Object.fromEntries(
      LATENCIES.map((name) => [name, quantilesOf(metrics, name)]),
    ) as Record<Latency, LatencyQuantiles>, // LATENCIES lists every key
    meanUserRate: metrics.meanUserRate,
    preemptions: metrics.preemptions,
    notices,
  };
}

function quantilesOf(metrics: LoadMetrics, name: Latency): LatencyQuantiles {
  const { mean, median, std, percentiles } = metrics.latency[name];
  const at = (percentile: number): number => percentiles.get(percentile) ?? 0;
  return { mean, median, std, p90: at(90), p95: at(95), p99: at(99), p999: at(99.9) };
}

/** The point as a file of `vllm bench serve`. */
export function resultOf(
  point: Point,
  metrics: LoadMetrics,
  of: { readonly backend: string; readonly tokenizerId: string },
): VllmResult {
  return vllmResult(
    {
      ...of,
      date: new Date(),
      modelId: point.model,
      numPrompts: point.requests,
      requestRate: Number.POSITIVE_INFINITY,
      burstiness: 1,
      maxConcurrency: point.concurrency,
      latencies: LATENCIES,
    },
    metrics,
  );
}
