/**
 * What is computed, described once: the decoder as op lists. A family file
 * (models/<family>.ts) yields this from a Hugging Face config; the ONNX builder
 * and the cost model read it. Plain data, so that it crosses threads.
 */
import type { Op, Weight } from "./ops.ts";
import { weightsOf } from "./ops.ts";

/** Layers that share one shape of cache: full, sliding window, or latent. */
export interface KvGroup {
  readonly kind: "full" | "window" | "latent";
  /** Layer indices of the group. */
  readonly layers: readonly number[];
  /** KV heads; 1 for a latent, which every rank holds whole. */
  readonly kvHeads: number;
  /** Elements of one K (latent: latent + rotary key) per head and token. */
  readonly keyDim: number;
  /** Elements of one V per head and token; 0 for a latent. */
  readonly valueDim: number;
  /** Tokens a window keeps; absent: all. */
  readonly window?: number;
}

export interface Layer {
  readonly index: number;
  readonly ops: readonly Op[];
}

/**
 * prologue → layers → epilogue. The value `hidden` `[tokens, hidden]` flows from
 * list to list; the epilogue ends in `logits` `[wanted, vocabulary]`, sharded by
 * vocabulary.
 */
export interface Architecture {
  /** Registry name of the family, e.g. `llama`. */
  readonly family: string;
  readonly hidden: number;
  readonly vocabSize: number;
  /** Positions that can be asked for: context.ts. */
  readonly maxContext: number;
  /** Positions served when nobody asks; absent: all. */
  readonly usualContext?: number;
  /** Query heads of an attention layer: tensor parallelism must divide them. */
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly tiedHead: boolean;
  readonly prologue: readonly Op[];
  readonly layers: readonly Layer[];
  readonly epilogue: readonly Op[];
  readonly kvGroups: readonly KvGroup[];
}

/** Each weight once (a tied head shares the table), in order of first use. */
export function architectureWeights(architecture: Architecture): Weight[] {
  const seen = new Map<string, Weight>();
  const lists = [
    architecture.prologue,
    ...architecture.layers.map((layer) => layer.ops),
    architecture.epilogue,
  ];
  for (const ops of lists) {
    for (const op of ops) {
      for (const weight of weightsOf(op)) if (!seen.has(weight.name)) seen.set(weight.name, weight);
    }
  }
  return [...seen.values()];
}

/** Elements of all weights. */
export function parameterCount(architecture: Architecture): number {
  return architectureWeights(architecture).reduce(
    (sum, weight) => sum + weight.shape.reduce((product, size) => product * size, 1),
    0,
  );
}
