/**
 * The closed vocabulary of ops. A model is a straight-line program over named
 * values; each value is a matrix `[tokens, width]` unless an op says otherwise.
 * The ONNX builder (device/cpu) and the cost model (device/trainium) read the
 * same program. Ops mark how a weight is sharded and which results are partial
 * sums over ranks; they never name a collective: each device lowers a partial
 * sum in its own way. Everything here is plain data (it crosses threads).
 */

/** A value of the program. Names are local to one op list, except `hidden`. */
export type Value = string;

/** How the storage of a weight is encoded. `int4`/`int8` are chosen at load time. */
export type WeightFormat = "f32" | "f16" | "bf16" | "fp8" | "mxfp8" | "mxfp4" | "int8" | "int4";

/**
 * How a weight `[out, in]` is divided over N tensor-parallel ranks.
 *
 * | kind       | rank r holds                                             |
 * |------------|----------------------------------------------------------|
 * | replicated | everything                                               |
 * | column     | rows `[r·out/N, (r+1)·out/N)`: its output is a slice     |
 * | row        | columns `[r·in/N, (r+1)·in/N)`: its output is a partial sum |
 * | kv-head    | as column by whole heads; heads < N: head ⌊r·heads/N⌋, replicated |
 * | vocab      | rows `[r·⌈V/N⌉, …)` of a table or head                   |
 * | expert     | expert axis 0 under expert parallelism, else split inside each expert |
 */
export type ShardKind = "replicated" | "column" | "row" | "kv-head" | "vocab" | "expert";

/** A tensor of the checkpoint, by its Hugging Face name. */
export interface Weight {
  readonly name: string;
  /** Logical shape; matrices are `[out, in]`, expert stacks `[experts, out, in]`. */
  readonly shape: readonly number[];
  readonly shard: ShardKind;
  /** Indivisible units along the sharded axis (heads); absent: every row or column is one. */
  readonly units?: number;
  /** Format in the checkpoint when it differs from the model's (MXFP4 experts). */
  readonly format?: WeightFormat;
  /** Where the checkpoint keeps it when not under its own name; absent: there, as it is. */
  readonly within?: Within;
}

/**
 * Rows of another tensor, all but whose last axis are seen as one: row i of the
 * weight is row `row + i · step` of it. A vector's rows are its elements.
 */
export interface Within {
  readonly name: string;
  /** Shape of that tensor, as `[…, out, in]`. */
  readonly shape: readonly number[];
  readonly row: number;
  /** Absent: 1. */
  readonly step?: number;
  /** It is stored as `[…, in, out]` (experts of gpt-oss and Llama 4). */
  readonly transposed?: true;
}

/** RoPE frequencies; `kind` and its numbers as in Hugging Face `rope_scaling`. */
export interface RopeScaling {
  readonly kind: "linear" | "llama3" | "yarn" | "dynamic" | "longrope";
  readonly factor: number;
  readonly originalContext: number;
  readonly lowFrequencyFactor?: number;
  readonly highFrequencyFactor?: number;
  readonly betaFast?: number;
  readonly betaSlow?: number;
  /** YaRN: multiplies cos and sin (0.1·ln(factor)+1 unless given). */
  readonly attentionFactor?: number;
  readonly mscale?: number;
  readonly mscaleAllDim?: number;
  readonly truncate?: boolean;
  /** LongRoPE: a divisor of every pair's frequency, within the original context and beyond. */
  readonly shortFactors?: readonly number[];
  readonly longFactors?: readonly number[];
}

interface OpBase {
  /** Module path as in the checkpoint, e.g. `model.layers.0.self_attn.q_proj`. */
  readonly path: string;
  readonly out: Value;
}

/** out[t] = table[ids[t]]; out is a partial sum when the table is sharded by vocabulary. */
export interface EmbedOp extends OpBase {
  readonly op: "embed";
  readonly table: Weight;
  /** Factor on the rows; absent: 1. */
  readonly scale?: number;
}

/** RMS norm over the last axis of size `width`; `heads` > 1 norms each head apart (QK-norm). */
export interface RmsNormOp extends OpBase {
  readonly op: "rms-norm";
  readonly in: Value;
  /** Elements normed as one. */
  readonly width: number;
  /** `[width]`; absent: 1 throughout (Llama 4). */
  readonly weight?: Weight;
  /** The weight is stored less 1 (Gemma). */
  readonly lessOne?: true;
  readonly eps: number;
  /** Heads in the input, each of `width` elements; absent: 1. */
  readonly heads?: number;
}

/** out = in · weightᵀ (+ bias). `partial`: each rank holds a term of the sum (bias is added once). */
export interface LinearOp extends OpBase {
  readonly op: "linear";
  readonly in: Value;
  readonly weight: Weight;
  readonly bias?: Weight;
  /** Factor on the output; absent: 1. */
  readonly scale?: number;
  readonly partial?: true;
}

/** Rotary position embedding of `heads` heads of `headDim`, half-split layout unless `interleaved`. */
export interface RopeOp extends OpBase {
  readonly op: "rope";
  readonly in: Value;
  readonly heads: number;
  readonly headDim: number;
  /** First `rotaryDim` elements of each head are rotated. */
  readonly rotaryDim: number;
  readonly theta: number;
  readonly scaling?: RopeScaling;
  /** Neighbours turn together: elements 2i and 2i + 1 (DeepSeek, Llama 4). */
  readonly interleaved?: true;
}

/** Causal attention with grouped KV heads over the paged cache; K and V of the step are stored first. */
export interface AttentionOp extends OpBase {
  readonly op: "attention";
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly scale: number;
  /** A query at position p sees keys in `(p − window, p]`; absent: all. */
  readonly window?: number;
  /** Windows lie end to end: it sees keys in `[⌊p / window⌋ · window, p]` (Llama 4). */
  readonly chunked?: true;
  /** A query at position p is scaled by 1 + scale · ln(1 + ⌊(p + 1) / floor⌋) (Llama 4). */
  readonly temperature?: { readonly floor: number; readonly scale: number };
  /** One learned logit per head that joins the softmax and is dropped (gpt-oss). */
  readonly sinks?: Weight;
  /** Index into `Architecture.kvGroups`. */
  readonly kvGroup: number;
}

/**
 * Multi-head latent attention (DeepSeek): the cache holds one latent of
 * `latentDim` and one rotary key of `ropeDim` a token, shared by all heads.
 */
export interface LatentAttentionOp extends OpBase {
  readonly op: "latent-attention";
  /** Queries `[tokens, heads · (nopeDim + ropeDim)]`; the end of each turns as `ropeKey` did. */
  readonly q: Value;
  /** Normed latent `[tokens, latentDim]`. */
  readonly latent: Value;
  /** Rotated key `[tokens, ropeDim]`. */
  readonly ropeKey: Value;
  /** `[heads · (nopeDim + valueDim), latentDim]`, sharded by head. */
  readonly kvUp: Weight;
  readonly heads: number;
  readonly nopeDim: number;
  readonly ropeDim: number;
  readonly valueDim: number;
  readonly latentDim: number;
  readonly scale: number;
  readonly kvGroup: number;
}

/** `silu`: silu(gate)·up. `sigmoid`: σ(gate)·up, of a gate that is as wide or of one column. `swiglu-oai`: (up+1)·gate·σ(alpha·gate), both clamped at `limit` (gpt-oss). */
export interface Activation {
  readonly kind: "silu" | "sigmoid" | "gelu" | "gelu-tanh" | "swiglu-oai";
  readonly limit?: number;
  readonly alpha?: number;
}

export interface GatedActivationOp extends OpBase {
  readonly op: "gated-activation";
  readonly gate: Value;
  readonly up: Value;
  readonly activation: Activation;
}

/** Scores `[tokens, experts]` → the chosen experts and their weights (value `out`). */
export interface RouterOp extends OpBase {
  readonly op: "router";
  readonly in: Value;
  readonly weight: Weight;
  readonly bias?: Weight;
  /** Added to the scores for choosing only (DeepSeek `e_score_correction_bias`). */
  readonly choiceBias?: Weight;
  readonly experts: number;
  readonly topK: number;
  /** `softmax`: over all, then top-k. `topk-softmax`: top-k, then softmax. `sigmoid`: elementwise. */
  readonly scoring: "softmax" | "topk-softmax" | "sigmoid";
  readonly normalise: boolean;
  readonly scale: number;
  readonly groups?: number;
  readonly groupsChosen?: number;
}

/** Weighted sum of the chosen experts' gated MLPs; always a partial sum. */
export interface ExpertsOp extends OpBase {
  readonly op: "experts";
  readonly in: Value;
  readonly routing: Value;
  readonly experts: number;
  readonly topK: number;
  readonly hidden: number;
  readonly intermediate: number;
  /** `[experts, 2·intermediate, hidden]` as the checkpoint stores it: fused, or two stacks by name pattern `{e}`. */
  readonly gateUp: readonly Weight[];
  /** How a fused stack holds an expert's rows: gate and up in turn, or all of gate first. Absent: in turn. */
  readonly fused?: "interleaved" | "halves";
  readonly gateUpBias?: Weight;
  readonly down: Weight;
  readonly downBias?: Weight;
  readonly activation: Activation;
  /** An expert's weight scales what it reads, not what it gives (Llama 4). */
  readonly scalesInput?: true;
  readonly partial: true;
}

/** out = a + b. A partial sum among them is summed over the ranks here. */
export interface AddOp extends OpBase {
  readonly op: "add";
  readonly a: Value;
  readonly b: Value;
  /** Factor on `b`; absent: 1. */
  readonly scale?: number;
}

/** Keeps the rows whose logits (or hidden state) the batch wants: `[wanted, width]`. */
export interface TakeWantedOp extends OpBase {
  readonly op: "take-wanted";
  readonly in: Value;
}

export type Op =
  | EmbedOp
  | RmsNormOp
  | LinearOp
  | RopeOp
  | AttentionOp
  | LatentAttentionOp
  | GatedActivationOp
  | RouterOp
  | ExpertsOp
  | AddOp
  | TakeWantedOp;

/** Every weight an op reads, in a fixed order. */
export function weightsOf(op: Op): readonly Weight[] {
  const some = (...weights: readonly (Weight | undefined)[]): Weight[] =>
    weights.filter((weight) => weight !== undefined);
  switch (op.op) {
    case "embed":
      return [op.table];
    case "rms-norm":
      return some(op.weight);
    case "linear":
      return some(op.weight, op.bias);
    case "attention":
      return some(op.sinks);
    case "latent-attention":
      return [op.kvUp];
    case "router":
      return some(op.weight, op.bias, op.choiceBias);
    case "experts":
      return some(...op.gateUp, op.gateUpBias, op.down, op.downBias);
    case "rope":
    case "gated-activation":
    case "add":
    case "take-wanted":
      return [];
  }
}
