/**
 * The columns of results, once: the terminal's table, the report's, CSV and JSON
 * read them. A column that has no title is for files only.
 */
import { INTERACTIVITY, type Point } from "./point.ts";

export type Cell = string | number | boolean | undefined;

export interface Column {
  /** In CSV and JSON. */
  readonly key: string;
  /** In tables that people read. */
  readonly title?: string;
  readonly unit?: string;
  /** Which way is better; absent: neither. */
  readonly better?: "higher" | "lower";
  /** How it is computed, where names differ between tools. */
  readonly formula?: string;
  /** Digits after the point in tables. */
  readonly digits?: number;
  /** Tables that show it: the terminal has less room. */
  readonly tables?: readonly ("terminal" | "html")[];
  /** Shown with its 80 % band, as a rate. */
  readonly banded?: boolean;
  /** Undefined, or not finite: not known. */
  readonly of: (point: Point) => Cell;
}

const BOTH = ["terminal", "html"] as const;
const HTML = ["html"] as const;

const QUANTILES = ["mean", "median", "std", "p90", "p95", "p99", "p999"] as const;
const LATENCIES = ["ttft", "tpot", "itl", "e2el"] as const;

/** Latencies that tables show, by key; all are in the files. */
const SHOWN: Readonly<Record<string, Pick<Column, "title" | "digits" | "tables">>> = {
  median_ttft_ms: { title: "TTFT p50 ms", digits: 1, tables: BOTH },
  p99_ttft_ms: { title: "TTFT p99 ms", digits: 1, tables: BOTH },
  median_tpot_ms: { title: "TPOT p50 ms", digits: 2, tables: BOTH },
  p99_tpot_ms: { title: "TPOT p99 ms", digits: 2, tables: HTML },
  p99_itl_ms: { title: "ITL p99 ms", digits: 2, tables: BOTH },
  median_e2el_ms: { title: "E2E p50 ms", digits: 0, tables: HTML },
};

export const COLUMNS: readonly Column[] = [
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
    unit: "tokens/s",
    better: "higher",
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
    unit: "tokens/s",
    better: "higher",
    digits: 0,
    tables: HTML,
    of: (point) => point.totalThroughput,
  },
  {
    key: "request_throughput",
    unit: "requests/s",
    better: "higher",
    of: (point) => point.requestThroughput,
  },
  ...LATENCIES.flatMap((name) =>
    QUANTILES.map((quantile): Column => {
      const key = `${quantile}_${name}_ms`;
      return {
        key,
        unit: "ms",
        ...(quantile === "std" ? {} : { better: "lower" as const }),
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
  { key: "failed", title: "failed", digits: 0, tables: HTML, of: (point) => point.failed },
  { key: "duration_s", unit: "s", of: (point) => point.duration },
  { key: "preemptions", better: "lower", of: (point) => point.preemptions },
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

export function columnsOf(table: "terminal" | "html"): readonly Column[] {
  return COLUMNS.filter(({ tables }) => tables?.includes(table));
}

/** As people read it: – where it is not known. `text` writes a number with so many digits. */
export function shownCell(
  column: Column,
  point: Point,
  text: (value: number, digits: number) => string,
): { readonly text: string; readonly band?: string } {
  const value = column.of(point);
  if (value === undefined || (typeof value === "number" && !Number.isFinite(value))) {
    return { text: "–" };
  }
  if (typeof value !== "number") return { text: String(value) };
  const digits = column.digits ?? 0;
  const { band } = point;
  if (column.banded !== true || band === undefined) return { text: text(value, digits) };
  // A rate is the inverse of a time: a band [low, high] of times is [1/high, 1/low] of rates.
  return {
    text: text(value, digits),
    band: `${text(value / band.high, digits)}–${text(value / band.low, digits)}`,
  };
}

/** Rows as plain data, with what the columns mean; what is not known is null. */
export function rowsJson(points: readonly Point[]): Readonly<Record<string, unknown>> {
  return {
    columns: COLUMNS.map(({ key, title, unit, better, formula }) => ({
      key,
      ...(title === undefined ? {} : { title }),
      ...(unit === undefined ? {} : { unit }),
      ...(better === undefined ? {} : { better }),
      ...(formula === undefined ? {} : { formula }),
    })),
    rows: points.map((point) =>
      Object.fromEntries(COLUMNS.map(({ key, of }) => [key, known(of(point))])),
    ),
  };
}

function known(value: Cell): Exclude<Cell, undefined> | null {
  if (value === undefined) return null;
  return typeof value !== "number" || Number.isFinite(value) ? value : null;
}
