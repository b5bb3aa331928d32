/**
 * What LoRA adapters add to a model: for each module of one
 *
 *     out = in · weightᵀ + scale · (in · Aᵀ) · Bᵀ        A [rank, in], B [out, rank]
 *
 * Ranks divide A and B as they divide the weight: B with its rows, A with its columns.
 * Plain data, so that it crosses threads; weights/adapter.ts reads it.
 */
import type { Architecture } from "./architecture.ts";
import type { Checkpoint } from "./model.ts";
import type { LinearOp, Weight } from "./ops.ts";

/** Modules that can be adapted, by the last part of their path. */
export const ADAPTED_MODULES: readonly string[] = [
  "q_proj",
  "k_proj",
  "v_proj",
  "o_proj",
  "gate_proj",
  "up_proj",
  "down_proj",
];

/** What an adapter adds to one product. */
export interface AdapterModule {
  /** Module path of the product it adds to. */
  readonly path: string;
  /** `[rank, in]` */
  readonly a: Weight;
  /** `[out, rank]` */
  readonly b: Weight;
  readonly rank: number;
  readonly scale: number;
}

export interface AdapterWeights {
  readonly folder: string;
  readonly checkpoint: Checkpoint;
  /** The largest of its modules'. */
  readonly rank: number;
  readonly modules: readonly AdapterModule[];
}

/** A product that adapters may add to. */
export function isAdapted(path: string): boolean {
  return ADAPTED_MODULES.includes(path.slice(path.lastIndexOf(".") + 1));
}

/** The products that adapters may add to, by module path. */
export function adaptedProducts({ layers }: Architecture): ReadonlyMap<string, LinearOp> {
  const products = layers.flatMap(({ ops }) =>
    ops.flatMap((op) => (op.op === "linear" && isAdapted(op.path) ? [op] : [])),
  );
  return new Map(products.map((op) => [op.path, op]));
}
