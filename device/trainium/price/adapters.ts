/**
 * What serving adapters adds to a layer's graph, as NxD Inference compiles it: beside each
 * adapted product stand A `[max_loras, max_lora_rank, in]` and B `[max_loras, out, max_lora_rank]`
 * in the base's dtype, indexed by each row's adapter. The graph is static: every row is
 * multiplied at the largest rank, those that name no adapter too.
 *
 *     column-parallel   A whole on each rank, B's rows divided
 *     row-parallel      A's columns divided, all-reduce of [tokens, rank], B whole
 *
 * Source: NxD Inference, modules/lora_serving/lora_module.py and lora_layer.py. Assumed: the
 * weights that a row indexes are read once a row, and its two products are the row's own.
 */
import { isAdapted } from "../../../models/adapters.ts";
import type { LinearOp, Op } from "../../../models/ops.ts";
import {
  bytesOf,
  localShape,
  matmulCycles,
  type Site,
  tensorRate,
  vectorWork,
  type Work,
  weightsMove,
} from "../kernels/kernel.ts";
import type { Role } from "../roles.ts";
import type { KernelCall } from "./receipt.ts";

export const ADAPTER_KERNEL = "adapter";

/** The calls that follow a layer's own; none where no adapters are served. */
export function adapterCalls(
  ops: readonly Op[],
  roles: readonly Role[],
  site: Site,
): readonly KernelCall[] {
  const { adapters, tensorParallel } = site.plan;
  if (adapters === undefined) return [];
  const { maxRank } = adapters;
  return ops.flatMap((op, index): readonly KernelCall[] => {
    if (op.op !== "linear" || !isAdapted(op.path)) return [];
    const role = roles[index] ?? "residual";
    const call: KernelCall = {
      role,
      kernel: ADAPTER_KERNEL,
      path: op.path,
      work: work(op, maxRank, site),
    };
    if (op.weight.shard !== "row" || tensorParallel === 1) return [call];
    const collective = {
      kind: "all-reduce",
      bytes: site.tokens * maxRank * 2,
      ranks: tensorParallel,
    } as const;
    return [call, { role, kernel: "all-reduce", path: op.path, collective }];
  });
}

/** Both products of a row and the scaled sum: three regions. */
function work(op: LinearOp, rank: number, site: Site): Work {
  const [out, width] = localShape(op.weight, site.plan);
  const { rows, queries } = site.shape;
  const { dense } = site.plan.formats;
  const rate = tensorRate(site, dense);
  const tensor =
    rows * (matmulCycles(queries, width, rank, rate) + matmulCycles(queries, rank, out, rate));
  const sum = vectorWork(site, out, 2);
  return {
    cycles: { ...sum.cycles, tensor },
    moves: [...sum.moves, weightsMove(site, rows * rank * (width + out) * bytesOf(dense))],
    regions: 3,
    fixed: 0,
  };
}
