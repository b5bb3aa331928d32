/**
 * Which part of a weight a tensor-parallel rank holds: the rules of `ShardKind`
 * (models/ops.ts) as half-open ranges. Pure. Four query heads and one KV head
 * on two ranks:
 *
 *     q_proj  column, 4 units   rank 0: rows of heads [0, 2)   rank 1: heads [2, 4)
 *     k_proj  kv-head, 1 unit   rank 0: head 0                 rank 1: head 0
 *     o_proj  row, 4 units      rank 0: columns of heads [0, 2) …
 */
import type { Architecture } from "../architecture.ts";
import { architectureWeights } from "../architecture.ts";
import type { Weight } from "../ops.ts";

/** Indices `[begin, end)` along one axis of a tensor. */
export interface Range {
  readonly axis: number;
  readonly begin: number;
  readonly end: number;
}

/** A model cannot be divided over so many ranks. */
export class ShardError extends Error {
  override readonly name = "ShardError";
}

/**
 * The rank's range of the weight; undefined: all of it. Throws ShardError when
 * the heads or columns cannot be divided.
 */
export function shardWeight(weight: Weight, rank: number, ranks: number): Range | undefined {
  if (ranks === 1 || weight.shard === "replicated") return undefined;
  const axis = weight.shard === "row" ? weight.shape.length - 1 : 0;
  const size = weight.shape[axis] ?? 0;
  switch (weight.shard) {
    case "column":
    case "row":
    case "expert":
      return divide(weight, { axis, begin: 0, end: size }, rank, ranks);
    case "kv-head":
      return divideHeads(weight, { axis, begin: 0, end: size }, rank, ranks);
    case "vocab": {
      const share = Math.ceil(size / ranks);
      return { axis, begin: Math.min(rank * share, size), end: Math.min((rank + 1) * share, size) };
    }
  }
}

/** Shape of the rank's part. */
export function shardShape(weight: Weight, rank: number, ranks: number): readonly number[] {
  const range = shardWeight(weight, rank, ranks);
  if (!range) return weight.shape;
  return weight.shape.map((size, axis) => (axis === range.axis ? range.end - range.begin : size));
}

/** KV heads of a rank: its share, or the one head that it shares with others. */
export function kvHeadsPerRank(kvHeads: number, ranks: number): number {
  return Math.max(1, Math.floor(kvHeads / ranks));
}

/** Throws ShardError, in vLLM's words, when the model cannot be divided over `ranks`. */
export function checkShards(architecture: Architecture, ranks: number): void {
  const { heads } = architecture;
  if (heads % ranks !== 0)
    throw new ShardError(
      `Total number of attention heads (${heads}) must be divisible by tensor parallel size (${ranks}).`,
    );
  for (const weight of architectureWeights(architecture)) shardWeight(weight, 0, ranks);
}

function divide(weight: Weight, whole: Range, rank: number, ranks: number): Range {
  const units = weight.units ?? whole.end;
  if (units % ranks !== 0)
    throw new ShardError(
      `${weight.name}: ${units} ${unitName(weight)} cannot be divided over ${ranks} ranks`,
    );
  const share = whole.end / ranks;
  return { axis: whole.axis, begin: rank * share, end: (rank + 1) * share };
}

function divideHeads(weight: Weight, whole: Range, rank: number, ranks: number): Range {
  const heads = weight.units ?? whole.end;
  if (heads >= ranks) return divide(weight, whole, rank, ranks);
  if (ranks % heads !== 0)
    throw new ShardError(
      `${weight.name}: ${heads} KV heads can be neither divided over ${ranks} ranks nor shared evenly by them`,
    );
  const head = Math.floor((rank * heads) / ranks);
  const width = whole.end / heads;
  return { axis: whole.axis, begin: head * width, end: (head + 1) * width };
}

function unitName(weight: Weight): string {
  if (weight.shard === "expert") return "experts";
  if (weight.units !== undefined) return "heads";
  return weight.shard === "row" ? "columns" : "rows";
}
