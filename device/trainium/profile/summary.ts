/**
 * Priced steps as Neuron Explorer's summary-json names them (fields of its
 * `Summary` and `Metadata` tables), for one rank, with `is_simulation` set.
 * Times in seconds, percentages as fractions, as the tool prints them. All is
 * summed from the spans of the trace: file and summary cannot disagree.
 */
import type { StepTotals } from "../../machine.ts";
import type { StepCost } from "../../trace.ts";
import type { Engine } from "../chips/chip.ts";
import { siteOf, tensorRate } from "../kernels/kernel.ts";
import { layMemory } from "../memory.ts";
import { type Plan, rankOf } from "../plan.ts";

export type ProfileSummary = Readonly<Record<string, number | string | boolean>>;

const ENGINES: readonly Engine[] = ["tensor", "vector", "scalar", "gpsimd"];

/** Collectives of one operation and size. */
export interface CollectiveRow {
  readonly operation: string;
  readonly bytes: number;
  readonly ranks: number;
  count: number;
  nanos: number;
}

/** Calls of one role and kernel, over all layers and steps. */
export interface OpRow {
  readonly name: string;
  readonly cause: string;
  count: number;
  nanos: number;
  bytes: number;
}

/** Adds up steps; `fields` is the summary of those so far. */
export class ProfileTotals implements StepTotals {
  steps = 0;
  nanos = 0;
  /** ns by part of the receipt. */
  readonly parts: Record<string, number> = {};
  readonly collectives = new Map<string, CollectiveRow>();
  readonly ops = new Map<string, OpRow>();
  readonly #plan: Plan;
  /** ns by lane. */
  readonly #active = new Map<string, number>();
  /** Numbers among spans' arguments, added up. */
  readonly #counts = new Map<string, number>();

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  add(step: StepCost, spans = step.spans()): void {
    this.steps++;
    this.nanos += step.duration;
    for (const [part, nanos] of Object.entries(step.parts)) {
      this.parts[part] = (this.parts[part] ?? 0) + nanos;
    }
    for (const { lane, name, duration, args = {} } of spans) {
      if (lane !== "model") this.#active.set(lane, (this.#active.get(lane) ?? 0) + duration);
      if (lane === "dma") this.#count(args, "bytes", "weights_bytes");
      if (lane === "model") this.#count(args, "model_flops", "hardware_flops");
      if (lane === "cc") this.#collective(args, duration);
      if (typeof args["op"] === "string") this.#op(name, args, duration);
    }
  }

  /** ns that spans of a lane took. */
  active(lane: string): number {
    return this.#active.get(lane) ?? 0;
  }

  fields(name: string): ProfileSummary {
    const { instance, formats } = this.#plan;
    const { chip } = instance;
    const rank = rankOf(this.#plan);
    const total = this.nanos / 1e9;
    const seconds = (lane: string): number => this.active(lane) / 1e9;
    const share = (lane: string): number => (total === 0 ? 0 : seconds(lane) / total);
    const count = (key: string): number => this.#counts.get(key) ?? 0;
    const shape = { phase: "decode", rows: 1, queries: 1, context: 1 } as const;
    const rate = tensorRate(siteOf(this.#plan, shape), formats.dense);
    const peak = 2 * 128 * 128 * rate * chip.clockHz.tensor * rank.cores;
    const bandwidth = (chip.hbmBytesPerSecond / chip.cores) * rank.cores;
    const bytes = count("bytes");
    const ofPeak = (flops: number): number => (total === 0 ? 0 : flops / (peak * total));
    return {
      profile_name: name,
      is_simulation: true,
      instance_type: instance.name,
      num_physical_cores: rank.cores,
      tensor_engine_num_rows: 128,
      tensor_engine_num_cols: 128,
      tensor_engine_clock_freq: chip.clockHz.tensor,
      vector_engine_clock_freq: chip.clockHz.vector,
      scalar_engine_clock_freq: chip.clockHz.scalar,
      gpsimd_engine_clock_freq: chip.clockHz.gpsimd,
      hbm_ddr_bandwidth: bandwidth,
      num_dma_engines_per_neuroncore: chip.dmaEnginesPerCore,
      first_ts: 0,
      last_ts: this.nanos,
      total_time: total,
      model_flops: count("model_flops"),
      hardware_flops: count("hardware_flops"),
      mm_arithmetic_intensity: count("hardware_flops") / Math.max(1, bytes),
      peak_flops_bandwidth_ratio: peak / bandwidth,
      mfu_estimated_percent: ofPeak(count("model_flops")),
      hfu_estimated_percent: ofPeak(count("hardware_flops")),
      mbu_estimated_percent: total === 0 ? 0 : bytes / (bandwidth * total),
      hbm_read_bytes: bytes,
      weight_queue_bytes: count("weights_bytes"),
      weight_size_bytes: Math.round(layMemory(this.#plan).weights),
      dma_transfer_total_bytes: bytes,
      dma_active_time: seconds("dma"),
      dma_active_time_percent: share("dma"),
      ...Object.fromEntries(
        ENGINES.flatMap((engine) => [
          [`${engine}_engine_active_time`, seconds(engine)],
          [`${engine}_engine_active_time_percent`, share(engine)],
        ]),
      ),
      cc_op_time: seconds("cc"),
      cc_op_active_time: seconds("cc"),
      cc_op_active_time_percent: share("cc"),
      cc_op_count: [...this.collectives.values()].reduce((sum, row) => sum + row.count, 0),
    };
  }

  #count(args: Readonly<Record<string, string | number>>, ...keys: readonly string[]): void {
    for (const key of keys) {
      const value = args[key];
      if (typeof value === "number") this.#counts.set(key, (this.#counts.get(key) ?? 0) + value);
    }
  }

  #collective(args: Readonly<Record<string, string | number>>, nanos: number): void {
    const operation = String(args["operation"]);
    const bytes = Number(args["bytes"]);
    const ranks = Number(args["ranks"]);
    const key = `${operation} ${bytes} ${ranks}`;
    const row = this.collectives.get(key) ?? { operation, bytes, ranks, count: 0, nanos: 0 };
    row.count++;
    row.nanos += nanos;
    this.collectives.set(key, row);
  }

  #op(role: string, args: Readonly<Record<string, string | number>>, nanos: number): void {
    const name = `${role}: ${args["kernel"]}`;
    const cause = String(args["cause"] ?? "");
    const row = this.ops.get(name) ?? { name, cause, count: 0, nanos: 0, bytes: 0 };
    row.count++;
    row.nanos += nanos;
    row.bytes += Number(args["bytes"] ?? 0);
    this.ops.set(name, row);
  }
}
