/**
 * Priced steps as Neuron Explorer's summary-json names them (fields of its
 * `Summary` and `Metadata` tables), for one rank, with `is_simulation` set.
 * Times in seconds, percentages as fractions, clocks in GHz, the first and last
 * moment as dates (simulated time begins with 1970), as the tool prints them. All
 * is summed from the spans of the trace: file and summary cannot disagree.
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
  /** Floating-point operations that the model asks of this rank. */
  flops: number;
}

/** The file as Neuron Explorer writes it: the fields of a graph under its name. */
export function summaryJson(fields: ProfileSummary): string {
  return `${JSON.stringify({ [String(fields["profile_name"])]: fields }, null, 1)}\n`;
}

/** Fields of such a file, or of one that has them at the top. Throws for anything else. */
export function readSummaryJson(body: unknown): ProfileSummary {
  const isFields = (value: unknown): value is ProfileSummary =>
    typeof value === "object" && value !== null && "total_time" in value;
  const list: unknown[] =
    typeof body === "object" && body !== null ? [body, ...Object.values(body)] : [];
  const found = list.find(isFields);
  if (found === undefined) throw new Error("This is no summary-json: it has no total_time.");
  return found;
}

const GHZ = 1e9;

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

  /** A second of one rank: FLOP of its arrays in the plan's dense format, bytes of its HBM. */
  peak(): { readonly flops: number; readonly bytes: number } {
    const { chip } = this.#plan.instance;
    const { cores } = rankOf(this.#plan);
    const shape = { phase: "decode", rows: 1, queries: 1, context: 1 } as const;
    const rate = tensorRate(siteOf(this.#plan, shape), this.#plan.formats.dense);
    return {
      flops: 2 * 128 * 128 * rate * chip.clockHz.tensor * cores,
      bytes: (chip.hbmBytesPerSecond / chip.cores) * cores,
    };
  }

  fields(name: string): ProfileSummary {
    const { instance } = this.#plan;
    const { chip } = instance;
    const rank = rankOf(this.#plan);
    const total = this.nanos / 1e9;
    const seconds = (lane: string): number => this.active(lane) / 1e9;
    const share = (lane: string): number => (total === 0 ? 0 : seconds(lane) / total);
    const count = (key: string): number => this.#counts.get(key) ?? 0;
    const { flops: peak, bytes: bandwidth } = this.peak();
    const bytes = count("bytes");
    const ofPeak = (flops: number): number => (total === 0 ? 0 : flops / (peak * total));
    return {
      profile_name: name,
      is_simulation: true,
      instance_type: instance.name,
      num_physical_cores: rank.cores,
      tensor_engine_num_rows: 128,
      tensor_engine_num_cols: 128,
      tensor_engine_clock_freq: chip.clockHz.tensor / GHZ,
      vector_engine_clock_freq: chip.clockHz.vector / GHZ,
      scalar_engine_clock_freq: chip.clockHz.scalar / GHZ,
      gpsimd_engine_clock_freq: chip.clockHz.gpsimd / GHZ,
      hbm_ddr_bandwidth: bandwidth,
      num_dma_engines_per_neuroncore: chip.dmaEnginesPerCore,
      first_ts: dateOf(0),
      last_ts: dateOf(this.nanos),
      first_hw_timestamp: 0,
      last_hw_timestamp: this.nanos,
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
    const row = this.ops.get(name) ?? { name, cause, count: 0, nanos: 0, bytes: 0, flops: 0 };
    row.count++;
    row.nanos += nanos;
    row.bytes += Number(args["bytes"] ?? 0);
    row.flops += Number(args["flops"] ?? 0);
    this.ops.set(name, row);
  }
}

/** ns of simulated time as the tool prints a moment: a date, to the nanosecond. */
function dateOf(nanos: number): string {
  const seconds = Math.floor(nanos / 1e9);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const fraction = String(Math.round(nanos - seconds * 1e9)).padStart(9, "0");
  const day = two(1 + seconds / 86_400);
  const time = [(seconds / 3600) % 24, (seconds / 60) % 60, seconds % 60].map(two).join(":");
  return `1970-01-${day}T${time}.${fraction}Z`;
}
