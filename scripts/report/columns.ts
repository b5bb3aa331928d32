/**
 * The columns of a sweep's points, once: the terminal's table, the report's, CSV and
 * JSON read them. What is measured of any load has its unit, direction and formula in
 * load/measures.ts.
 */
import { type Column, cellText } from "../load/column.ts";
import { latencyMeaning, meaningOf } from "../load/measures.ts";
import { LATENCIES } from "../load/metrics.ts";
import { INTERACTIVITY, type Point } from "./point.ts";

export interface PointColumn extends Column<Point> {
  /** Tables that show it: the terminal has less room. */
  readonly tables?: readonly ("terminal" | "html")[];
  /** Shown with its 80 % band, as a rate. */
  readonly banded?: boolean;
}

const BOTH = ["terminal", "html"] as const;
const HTML = ["html"] as const;

const QUANTILES = ["mean", "median", "std", "p90", "p95", "p99", "p999"] as const;

/** Latencies that tables show, by key; all are in the files. */
const SHOWN: Readonly<Record<string, Pick<PointColumn, "title" | "digits" | "tables">>> = {
  median_ttft_ms: { title: "TTFT p50 ms", digits: 1, tables: BOTH },
  p99_ttft_ms: { title: "TTFT p99 ms", digits: 1, tables: BOTH },
  median_tpot_ms: { title: "TPOT p50 ms", digits: 2, tables: BOTH },
  p99_tpot_ms: { title: "TPOT p99 ms", digits: 2, tables: HTML },
  p99_itl_ms: { title: "ITL p99 ms", digits: 2, tables: BOTH },
  median_e2el_ms: { title: "E2E p50 ms", digits: 0, tables: HTML },
};

export const COLUMNS: readonly PointColumn[] = [
  { key: "series", title: "system", tables: HTML, of: (point) => point.series },
  { key: "model", of: (point) => point.model },
  { key: "simulated", of: (point) => point.simulated },
  { key: "instance", of: (point) => point.instance },
  { key: "tensor_parallel", of: (point) => point.tensorParallel },
  { key: "data_parallel", of: (point) => point.dataParallel },
  { key: "expert_parallel", of: (point) => point.expertParallel },
  { key: "kernels", of: (point) => point.kernels },
  { key: "precision", of: (point) => point.precision },
  { key: "speculation", of: (point) => point.speculation },
  { key: "prefill_num_workers", of: (point) => point.prefill?.workers },
  { key: "prefill_tp", of: (point) => point.prefill?.tensorParallel },
  { key: "chips", title: "chips", tables: HTML, digits: 0, of: (point) => point.chips },
  { key: "input_len", unit: "tokens", of: (point) => point.inputLen },
  { key: "output_len", unit: "tokens", of: (point) => point.outputLen },
  { key: "concurrency", title: "users", digits: 0, tables: BOTH, of: (point) => point.concurrency },
  {
    key: "tokens_per_s_per_user_inferencex",
    title: "tokens/s/user",
    unit: "tokens/s",
    better: "higher",
    formula: INTERACTIVITY.inferencex.formula,
    digits: 1,
    tables: BOTH,
    banded: true,
    of: INTERACTIVITY.inferencex.of,
  },
  {
    key: "tokens_per_s_per_user_vllm",
    unit: "tokens/s",
    better: "higher",
    formula: INTERACTIVITY.vllm.formula,
    of: INTERACTIVITY.vllm.of,
  },
  {
    key: "tokens_per_s_per_user_aiperf",
    unit: "tokens/s",
    better: "higher",
    formula: INTERACTIVITY.aiperf.formula,
    of: INTERACTIVITY.aiperf.of,
  },
  {
    key: "output_throughput",
    title: "output tokens/s",
    ...meaningOf("output_throughput"),
    digits: 0,
    tables: BOTH,
    of: (point) => point.outputThroughput,
  },
  {
    key: "output_throughput_per_chip",
    title: "tokens/s/chip",
    unit: "tokens/s",
    better: "higher",
    digits: 1,
    tables: BOTH,
    of: (point) => (point.chips === undefined ? undefined : point.outputThroughput / point.chips),
  },
  {
    key: "total_token_throughput",
    title: "total tokens/s",
    ...meaningOf("total_token_throughput"),
    digits: 0,
    tables: HTML,
    of: (point) => point.totalThroughput,
  },
  {
    key: "request_throughput",
    ...meaningOf("request_throughput"),
    of: (point) => point.requestThroughput,
  },
  ...LATENCIES.flatMap((name) =>
    QUANTILES.map((quantile): PointColumn => {
      const key = `${quantile}_${name}_ms`;
      return {
        key,
        ...latencyMeaning(name, quantile),
        ...SHOWN[key],
        // Without an answer there is no latency: 0 would be the best of all.
        of: (point) => (point.completed === 0 ? undefined : point.latency[name][quantile]),
      };
    }),
  ),
  { key: "requests", of: (point) => point.requests },
  {
    key: "completed",
    title: "answered",
    digits: 0,
    tables: HTML,
    of: (point) => point.completed,
  },
  {
    key: "failed",
    title: "failed",
    ...meaningOf("failed"),
    digits: 0,
    tables: HTML,
    of: (point) => point.failed,
  },
  { key: "duration_s", unit: "s", of: (point) => point.duration },
  { key: "preemptions", ...meaningOf("preemptions"), of: (point) => point.preemptions },
  { key: "tier", title: "tier", tables: BOTH, of: (point) => point.band?.tier },
  {
    key: "band_factor",
    title: "band ×÷",
    digits: 2,
    tables: HTML,
    formula: "80 % band: time ÷ factor to time × factor",
    of: (point) => point.band?.factor,
  },
  { key: "band_low", of: (point) => point.band?.low },
  { key: "band_high", of: (point) => point.band?.high },
  {
    key: "notices",
    title: "notices",
    tables: ["terminal"],
    of: (point) => point.notices.map((notice) => notice.code).join(" "),
  },
];

export function columnsOf(table: "terminal" | "html"): readonly PointColumn[] {
  return COLUMNS.filter(({ tables }) => tables?.includes(table));
}

/** As people read it, a rate with its band. `text` writes a number with so many digits. */
export function shownCell(
  column: PointColumn,
  point: Point,
  text: (value: number, digits: number) => string,
): { readonly text: string; readonly band?: string } {
  const shown = cellText(column, point, text);
  const value = column.of(point);
  const { band } = point;
  const known = typeof value === "number" && Number.isFinite(value);
  if (column.banded !== true || band === undefined || !known) return { text: shown };
  const digits = column.digits ?? 0;
  // A rate is the inverse of a time: a band [low, high] of times is [1/high, 1/low] of rates.
  return {
    text: shown,
    band: `${text(value / band.high, digits)}–${text(value / band.low, digits)}`,
  };
}
