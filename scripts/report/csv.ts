/** A sweep as CSV, and as rows of InferenceX's results (seconds, per chip). */
import { rowsCsv } from "../load/column.ts";
import { LATENCIES } from "../load/metrics.ts";
import { COLUMNS } from "./columns.ts";
import type { Point } from "./point.ts";

export function sweepCsv(points: readonly Point[]): string {
  return rowsCsv(COLUMNS, points);
}

const QUANTILES = ["mean", "median", "std", "p90", "p95", "p99", "p999"] as const;

/**
 * The row that InferenceX's `process_result.py` makes of a run. What is not known of
 * a live server is null: neither its parallelism nor its chips are guessed.
 */
export function inferenceXRow(point: Point): Readonly<Record<string, unknown>> {
  const { chips, tensorParallel } = point;
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
  const perChip = (rate: number, own = chips): number | null =>
    own === undefined ? null : rate / own;
  return {
    hw: point.instance === "" ? "unknown" : point.instance,
    conc: point.concurrency,
    image: point.framework === "trainyard" ? "trainyard" : "unknown",
    model: point.model,
    infmax_model_prefix: point.model,
    framework: point.framework,
    precision: point.precision === "" ? "unknown" : point.precision,
    spec_decoding: point.speculation === "" ? "unknown" : point.speculation,
    disagg: point.prefill !== undefined,
    isl: point.inputLen,
    osl: point.outputLen,
    tp: tensorParallel ?? null,
    pp: tensorParallel === undefined ? null : 1,
    ep: expertRanks(point),
    dp_attention: point.dataParallel === undefined ? null : point.dataParallel > 1,
    num_gpus: chips ?? null,
    ...apartFields(point),
    tput_per_gpu: perChip(point.totalThroughput),
    output_tput_per_gpu: perChip(point.outputThroughput, decodeChips(point)),
    input_tput_per_gpu: perChip(point.inputThroughput, point.prefill?.chips),
    ...seconds,
    is_simulation: point.simulated,
  };
}

function decodeChips({ chips, prefill }: Point): number | undefined {
  return chips === undefined ? undefined : chips - (prefill?.chips ?? 0);
}

/** What its rows of prompts and decodes apart have beside the others; rates are then per chip of their kind. */
function apartFields(point: Point): Readonly<Record<string, unknown>> {
  const { prefill, instance, tensorParallel, dataParallel } = point;
  if (prefill === undefined) return {};
  const different = prefill.instance !== "" && prefill.instance !== instance;
  return {
    prefill_num_workers: prefill.workers,
    prefill_tp: prefill.tensorParallel,
    num_prefill_gpu: prefill.chips,
    decode_num_workers: dataParallel ?? null,
    decode_tp: tensorParallel ?? null,
    decode_ep: expertRanks(point),
    num_decode_gpu: decodeChips(point) ?? null,
    ...(different && { prefill_hw: prefill.instance, decode_hw: instance }),
  };
}

function expertRanks({ expertParallel, tensorParallel }: Point): number | null {
  if (expertParallel === undefined || tensorParallel === undefined) return null;
  return expertParallel ? tensorParallel : 1;
}
