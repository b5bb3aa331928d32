/**
 * What a data sheet alone says a step must take: each operator the longer of its bytes over peak HBM
 * bandwidth and its FLOPs over the peak of its format, one after another, and collectives at the links'
 * peak. No constant, no padding, no kernel.
 */
import { type Op, weightsOf } from "../../../models/ops.ts";
import { localUnits, type StepShape } from "../kernels/kernel.ts";
import { localBytes } from "../memory.ts";
import { FORMAT_BYTES, type Plan } from "../plan.ts";
import { linkBandwidth } from "./collectives.ts";
import { opFlops } from "./flops.ts";
import { layerGroups } from "./lower.ts";

/** ns of a step on one rank. */
export function floorNanos(plan: Plan, shape: StepShape): number {
  const { architecture } = plan;
  const tokens = shape.rows * shape.queries;
  const wanted = shape.phase === "prefill" ? shape.rows : tokens;
  const sum = (ops: readonly Op[], each: number): number =>
    ops.reduce((all, op) => all + opNanos(op, { plan, shape, tokens: each }), 0);
  const layers = layerGroups(architecture).reduce(
    (all, { indices, ops }) => all + indices.length * sum(ops, tokens),
    0,
  );
  return (
    layers +
    sum(architecture.epilogue, wanted) +
    2 * architecture.layers.length * reduceNanos(plan, tokens)
  );
}

interface At {
  readonly plan: Plan;
  readonly shape: StepShape;
  readonly tokens: number;
}

function opNanos(op: Op, at: At): number {
  const { chip } = at.plan.instance;
  const cores = at.plan.logicalCore;
  const bandwidth = (chip.hbmBytesPerSecond / chip.cores) * cores;
  const format = op.op === "experts" ? at.plan.formats.experts : at.plan.formats.dense;
  const product = op.op === "linear" || op.op === "router" || op.op === "experts";
  const rate = product ? (chip.tensorRate[format] ?? 1) : 1;
  const peak = 2 * 128 * 128 * chip.clockHz.tensor * cores * rate;
  const flops =
    opFlops(op, { shape: at.shape, tokens: at.tokens, sizes: "model" }) / at.plan.tensorParallel;
  return 1e9 * Math.max(opBytes(op, at) / bandwidth, flops / peak);
}

function opBytes(op: Op, { plan, shape }: At): number {
  const weights = weightsOf(op).reduce((all, weight) => all + localBytes(weight, plan), 0);
  switch (op.op) {
    case "embed":
      return 0;
    case "experts":
      // As many as tokens that choose at random visit between them.
      return weights * (1 - (1 - op.topK / op.experts) ** (shape.rows * shape.queries));
    case "attention": {
      const heads = localUnits(op.kvHeads, plan.tensorParallel);
      const context = Math.min(shape.context, op.window ?? shape.context);
      return (
        weights + shape.rows * context * 2 * heads * op.headDim * FORMAT_BYTES[plan.formats.kv]
      );
    }
    case "latent-attention":
      return (
        weights +
        shape.rows * shape.context * (op.latentDim + op.ropeDim) * FORMAT_BYTES[plan.formats.kv]
      );
    default:
      return weights;
  }
}

/** One sum over the ranks at the links' peak; within a chip it is free. */
function reduceNanos(plan: Plan, tokens: number): number {
  const ranks = plan.tensorParallel;
  if (ranks <= 1) return 0;
  const bytes = 2 * ((ranks - 1) / ranks) * tokens * plan.architecture.hidden * 2;
  return (1e9 * bytes) / linkBandwidth(plan, "all-reduce", ranks);
}
