/**
 * What any model of costs must beat on the same rows: two constants (0.85 of the bytes at peak
 * bandwidth, 0.180 ms a layer), and the floor of the data sheet.
 */

import type { StepShape } from "../../../device/trainium/kernels/kernel.ts";
import { kvBytesPerToken, localBytes } from "../../../device/trainium/memory.ts";
import { rankOf } from "../../../device/trainium/plan.ts";
import { floorNanos } from "../../../device/trainium/price/floor.ts";
import type { Architecture } from "../../../models/architecture.ts";
import { architectureWeights } from "../../../models/architecture.ts";
import type { SetUp } from "./setup.ts";

const streamed = new WeakMap<SetUp, number>();

/** Weight bytes that a decode step streams on one rank: all but the embedding table. */
function weightBytes(setUp: SetUp): number {
  const known = streamed.get(setUp);
  if (known !== undefined) return known;
  const bytes = countWeightBytes(setUp);
  streamed.set(setUp, bytes);
  return bytes;
}

function countWeightBytes(setUp: SetUp): number {
  const { plan, moe } = setUp;
  const its = plan.architecture;
  const table = its.tiedHead ? "" : "model.embed_tokens.weight";
  return architectureWeights(its)
    .filter((weight) => weight.name !== table)
    .reduce(
      (sum, weight) =>
        sum +
        localBytes(weight, plan) * (moe && weight.shard === "expert" ? activeShare(its, setUp) : 1),
      0,
    );
}

function activeShare(architecture: Architecture, setUp: SetUp): number {
  for (const layer of architecture.layers) {
    for (const op of layer.ops) {
      if (op.op === "experts") return Math.min(1, (setUp.batch * op.topK) / op.experts);
    }
  }
  return 1;
}

function kvBytes(setUp: SetUp): number {
  const { plan } = setUp;
  return plan.architecture.kvGroups.reduce((sum, group) => {
    const context = Math.min(plan.maxContext, group.window ?? plan.maxContext);
    return sum + kvBytesPerToken(group, plan) * context * setUp.batch;
  }, 0);
}

/** The two-constant baseline: 0.85 × (weights + KV) / peak HBM + 0.180 ms a layer. */
function baselineStep(setUp: SetUp): number {
  const { plan } = setUp;
  const { chip } = plan.instance;
  const peak = (chip.hbmBytesPerSecond / chip.cores) * rankOf(plan).cores;
  const bytes = weightBytes(setUp) + kvBytes(setUp);
  return 0.85 * (bytes / peak) * 1e3 + 0.18 * plan.architecture.layers.length;
}

/** Its kin for prompts: FLOPs at half of peak and the same constant a layer. */
function baselinePrompt(setUp: SetUp): number {
  const { plan } = setUp;
  const { chip } = plan.instance;
  const tokens = setUp.bucket ?? 2 ** Math.ceil(Math.log2(setUp.prompt ?? 128));
  const parameters = weightBytes(setUp) / 2;
  const core = 2 * 128 * 128 * chip.clockHz.tensor;
  return (
    ((2 * parameters * tokens) / (0.5 * core * plan.logicalCore)) * 1e3 +
    0.18 * plan.architecture.layers.length
  );
}

/** Another model's ms of a step of the compiled batch and of one prompt. */
export interface Peer {
  readonly step: (setUp: SetUp) => number;
  readonly prompt: (setUp: SetUp) => number;
}

export const TWO_CONSTANTS: Peer = { step: baselineStep, prompt: baselinePrompt };

const floored = new WeakMap<SetUp, Map<string, number>>();

function floorMilliseconds(setUp: SetUp, shape: StepShape): number {
  const known = floored.get(setUp) ?? new Map<string, number>();
  floored.set(setUp, known);
  const ms = known.get(shape.phase) ?? floorNanos(setUp.plan, shape) / 1e6;
  known.set(shape.phase, ms);
  return ms;
}

export const FLOOR: Peer = {
  step: (setUp) =>
    floorMilliseconds(setUp, {
      phase: "decode",
      rows: setUp.batch,
      queries: 1,
      context: Math.round((setUp.prompt ?? 128) + (setUp.output ?? 0) / 2),
    }),
  prompt: (setUp) => {
    const tokens = Math.round(setUp.prompt ?? setUp.bucket ?? 128);
    return floorMilliseconds(setUp, {
      phase: "prefill",
      rows: 1,
      queries: tokens,
      context: tokens,
    });
  },
};

/** A peer's serving: the law of one prefill at a time over its own step and prompt. */
export function peerServing(peer: Peer, setUp: SetUp): (metric: string) => number {
  const live = (setUp.live ?? 1) / setUp.replicas;
  const output = setUp.output ?? 1;
  const running = Math.min(live, setUp.batch);
  const prompt = peer.prompt(setUp);
  const step = peer.step(setUp) + ((running - 1) * prompt) / output;
  const e2e = prompt + step * output;
  const total = (e2e * live) / running;
  return (metric) => {
    switch (metric) {
      case "TPOT":
        return step;
      case "TTFT":
        return prompt + (total - e2e);
      case "e2e_latency":
        return total;
      case "latency_per_token":
        return total / output;
      case "per_request_throughput":
        return 1000 / step;
      case "request_rate":
        return (1000 * running * setUp.replicas) / e2e;
      case "output_throughput":
        return (1000 * running * output * setUp.replicas) / e2e;
      default:
        return Number.NaN;
    }
  };
}
