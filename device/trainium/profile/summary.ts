/**
 * A priced graph as Neuron Explorer's summary-json names it (field names of its
 * profile schema), for one rank, with `is_simulation` set. Times in seconds,
 * percentages as fractions, as the tool prints them.
 */
import type { Engine } from "../chips/chip.ts";
import type { GraphCost, TimedCall } from "../cost-model.ts";
import { siteOf, tensorRate } from "../kernels/kernel.ts";
import { type Plan, rankOf } from "../plan.ts";

export type ProfileSummary = Readonly<Record<string, number | string | boolean>>;

export function summarise(plan: Plan, graph: GraphCost): ProfileSummary {
  const { chip } = plan.instance;
  const rank = rankOf(plan);
  const total = graph.nanos / 1e9;
  const all: (readonly [TimedCall, number])[] = [
    ...graph.prologue.map((call) => [call, 1] as const),
    ...graph.layers.flatMap(({ group, calls }) =>
      calls.map((call) => [call, group.indices.length] as const),
    ),
    ...graph.epilogue.map((call) => [call, 1] as const),
  ];
  const sum = (of: (call: TimedCall) => number): number =>
    all.reduce((value, [call, count]) => value + count * of(call), 0);
  const busy = (engine: Engine | "dma"): number => sum((call) => call.busy[engine] ?? 0) / 1e9;
  const moved = (cause?: string): number =>
    sum((call) =>
      (call.call.work?.moves ?? []).reduce(
        (bytes, move) => bytes + (cause === undefined || move.cause === cause ? move.bytes : 0),
        0,
      ),
    );
  // Cycles at full array use: what the model's products need, utilisation taken out by the kernels.
  const rate = tensorRate(siteOf(plan, graph.shape), plan.formats.dense);
  const cyclesToFlops = 2 * 128 * 128 * rate;
  const hardwareFlops = sum((call) => call.call.work?.cycles.tensor ?? 0) * cyclesToFlops;
  const peak = cyclesToFlops * chip.clockHz.tensor * rank.cores;
  const collectives = sum((call) => (call.call.collective === undefined ? 0 : call.nanos)) / 1e9;
  const bandwidth = (chip.hbmBytesPerSecond / chip.cores) * rank.cores;
  const engine = (name: Engine) => ({
    [`${name}_engine_active_time`]: busy(name),
    [`${name}_engine_active_time_percent`]: busy(name) / total,
  });
  return {
    is_simulation: true,
    instance_type: plan.instance.name,
    total_time: total,
    hardware_flops: hardwareFlops,
    hfu_estimated_percent: hardwareFlops / (peak * total),
    hbm_read_bytes: moved(),
    weight_size_bytes: moved("weights"),
    mbu_estimated_percent: moved() / (bandwidth * total),
    mm_arithmetic_intensity: hardwareFlops / Math.max(1, moved()),
    peak_flops_bandwidth_ratio: peak / bandwidth,
    dma_active_time: busy("dma"),
    dma_active_time_percent: busy("dma") / total,
    ...engine("tensor"),
    ...engine("vector"),
    ...engine("scalar"),
    ...engine("gpsimd"),
    cc_op_active_time: collectives,
    cc_op_active_time_percent: collectives / total,
    cc_op_count: sum((call) => (call.call.collective === undefined ? 0 : 1)),
  };
}
