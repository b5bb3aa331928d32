/** A sweep as CSV, and as rows of InferenceX's results (seconds, per chip). */
import { INTERACTIVITY, type Point } from "./point.ts";

const COLUMNS: Readonly<Record<string, (point: Point) => string | number | boolean>> = {
  series: (point) => point.series,
  model: (point) => point.model,
  simulated: (point) => point.simulated,
  instance: (point) => point.instance,
  tensor_parallel: (point) => point.tensorParallel,
  data_parallel: (point) => point.dataParallel,
  expert_parallel: (point) => point.expertParallel,
  kernels: (point) => point.kernels,
  precision: (point) => point.precision,
  speculation: (point) => point.speculation,
  chips: (point) => point.chips ?? "",
  input_len: (point) => point.inputLen,
  output_len: (point) => point.outputLen,
  concurrency: (point) => point.concurrency,
  requests: (point) => point.requests,
  completed: (point) => point.completed,
  failed: (point) => point.failed,
  duration_s: (point) => point.duration,
  request_throughput: (point) => point.requestThroughput,
  output_throughput: (point) => point.outputThroughput,
  total_token_throughput: (point) => point.totalThroughput,
  tokens_per_s_per_user_inferencex: (point) => INTERACTIVITY.inferencex.of(point),
  tokens_per_s_per_user_vllm: (point) => INTERACTIVITY.vllm.of(point),
  tokens_per_s_per_user_aiperf: (point) => INTERACTIVITY.aiperf.of(point),
  preemptions: (point) => point.preemptions,
  band_low: (point) => point.band?.low ?? "",
  band_high: (point) => point.band?.high ?? "",
  notices: (point) => point.notices.map((notice) => notice.code).join(" "),
};

const QUANTILES = ["mean", "median", "std", "p90", "p95", "p99", "p999"] as const;
const LATENCIES = ["ttft", "tpot", "itl", "e2el"] as const;

export function sweepCsv(points: readonly Point[]): string {
  const latencies = LATENCIES.flatMap((name) =>
    QUANTILES.map((quantile) => ({
      column: `${quantile}_${name}_ms`,
      of: (point: Point) => point.latency[name][quantile],
    })),
  );
  const header = [...Object.keys(COLUMNS), ...latencies.map((entry) => entry.column)];
  const rows = points.map((point) =>
    [
      ...Object.values(COLUMNS).map((of) => of(point)),
      ...latencies.map((entry) => entry.of(point)),
    ].map(cell),
  );
  return `${[header, ...rows].map((row) => row.join(",")).join("\n")}\n`;
}

/** The row that InferenceX's `process_result.py` makes of a run. */
export function inferenceXRow(point: Point): Readonly<Record<string, unknown>> {
  const chips = point.chips ?? 1;
  const seconds: Record<string, number> = {};
  for (const name of LATENCIES) {
    for (const quantile of QUANTILES) {
      const key = quantile === "p999" ? "p99.9" : quantile;
      seconds[`${key}_${name}`] = point.latency[name][quantile] / 1000;
    }
  }
  for (const quantile of ["mean", "median", "p90", "p99"] as const) {
    const tpot = point.latency.tpot[quantile];
    seconds[`${quantile}_intvty`] = tpot > 0 ? 1000 / tpot : 0;
  }
  return {
    hw: point.instance === "" ? "unknown" : point.instance,
    conc: point.concurrency,
    image: "trainyard",
    model: point.model,
    infmax_model_prefix: point.model,
    framework: "trainyard",
    precision: point.precision === "" ? "unknown" : point.precision,
    spec_decoding: point.speculation,
    disagg: false,
    isl: point.inputLen,
    osl: point.outputLen,
    tp: point.tensorParallel,
    pp: 1,
    ep: point.expertParallel ? point.tensorParallel : 1,
    dp_attention: point.dataParallel > 1,
    num_gpus: chips,
    tput_per_gpu: point.totalThroughput / chips,
    output_tput_per_gpu: point.outputThroughput / chips,
    input_tput_per_gpu: point.inputThroughput / chips,
    ...seconds,
    is_simulation: point.simulated,
  };
}

/** Rounds what is measured, keeps what is text; quotes where a comma asks for it. */
function cell(value: string | number | boolean): string {
  const text =
    typeof value === "number"
      ? Number.isFinite(value)
        ? String(Number(value.toPrecision(8)))
        : ""
      : String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
