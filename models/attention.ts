/** Grouped-query attention, from the normed hidden state to its output projection, as the families differ in it. */
import { type Block, type CacheLayout, type DecoderSize, linear, norm } from "./decoder.ts";
import type { AttentionOp, Op, Value } from "./ops.ts";
import type { Rotary } from "./rope.ts";

/** What differs between the grouped-query attentions of the families. */
export interface AttentionChoices {
  /** Of every layer, or of each; absent: nothing rotates, as where positions are learned. */
  readonly rotary?: Rotary | ((layer: number) => Rotary | undefined);
  readonly cache: CacheLayout;
  /** Bias on q, k and v. */
  readonly qkvBias?: boolean;
  /** Bias on the output projection. */
  readonly outBias?: boolean;
  /**
   * RMS norm of Q and K before the rotation: of each head (Qwen3), of all heads as one (OLMo 2),
   * or of each head of a layer that rotates, without weights (Llama 4).
   */
  readonly qkNorm?: boolean | "whole" | "unit";
  /** Weights of those norms are stored less 1. */
  readonly lessOne?: boolean;
  /** The module that holds q above k above v; absent: one each. */
  readonly fused?: string;
  /** One learned logit per head that joins the softmax (gpt-oss). */
  readonly sinks?: boolean;
  /** Factor on the scores; absent: 1/√headDim. */
  readonly scale?: number;
  /** Windows lie end to end. */
  readonly chunked?: boolean;
  /** Of the queries of a layer; absent: they are not scaled by position. */
  readonly temperature?: (layer: number) => AttentionOp["temperature"];
}

/** q, k, v → (norm) → rotation → attention → output projection, which is a partial sum. */
export function attentionBlock(size: DecoderSize, choices: AttentionChoices): Block {
  const { hidden, heads, kvHeads, headDim } = size;
  const { cache, sinks, scale = 1 / Math.sqrt(headDim), outBias = false } = choices;
  return (at) => {
    const path = `${at.path}.self_attn`;
    const group = cache.groupOf[at.layer] ?? 0;
    const window = cache.groups[group]?.window;
    const temperature = choices.temperature?.(at.layer);
    const of = { size, choices, path, layer: at.layer, in: at.in };
    const [q, k, v] = [
      projected("q", heads, of),
      projected("k", kvHeads, of),
      projected("v", kvHeads, of),
    ];
    return [
      ...q,
      ...k,
      ...v,
      {
        op: "attention",
        path,
        q: q.at(-1)?.out ?? "q",
        k: k.at(-1)?.out ?? "k",
        v: "v",
        out: "attended",
        heads,
        kvHeads,
        headDim,
        scale,
        kvGroup: group,
        ...(window !== undefined && { window }),
        ...(window !== undefined && choices.chunked && { chunked: true as const }),
        ...(temperature && { temperature }),
        ...(sinks && {
          sinks: { name: `${path}.sinks`, shape: [heads], shard: "column", units: heads },
        }),
      },
      linear(
        `${path}.o_proj`,
        { in: "attended", out: at.out },
        { out: hidden, in: heads * headDim, shard: "row", units: heads, bias: outBias },
      ),
    ];
  };
}

interface Projecting {
  readonly size: DecoderSize;
  readonly choices: AttentionChoices;
  readonly path: string;
  readonly layer: number;
  readonly in: Value;
}

/** `in` as the heads of q, k or v; q and k are (normed and) rotated. */
function projected(name: "q" | "k" | "v", heads: number, of: Projecting): readonly Op[] {
  const { headDim, eps } = of.size;
  const { qkNorm = false, rotary, lessOne = false } = of.choices;
  const projection = project(name, heads, of);
  if (name === "v") return [projection];
  const whole = qkNorm === "whole";
  const shape = {
    eps,
    lessOne,
    ...(whole ? { width: heads * headDim } : { width: headDim, heads }),
  };
  const flow = { in: name, out: `${name}-normed` };
  const turning = typeof rotary === "function" ? rotary(of.layer) : rotary;
  const unit = qkNorm === "unit";
  const isNormed = unit ? turning !== undefined : qkNorm !== false;
  const normed = isNormed ? [norm(`${of.path}.${name}_norm`, flow, { ...shape, unit })] : [];
  if (turning === undefined) return [projection, ...normed];
  const rotation: Op = {
    op: "rope",
    path: `${of.path}.rotary_emb`,
    in: isNormed ? flow.out : name,
    out: `${name}-rotated`,
    heads,
    headDim,
    ...turning,
  };
  return [projection, ...normed, rotation];
}

function project(name: "q" | "k" | "v", heads: number, of: Projecting): Op {
  const { hidden, headDim, heads: queryHeads, kvHeads } = of.size;
  const { qkvBias: bias = false, qkNorm, fused } = of.choices;
  // All heads are normed as one: every rank makes them all, and attends with its own.
  const whole = qkNorm === "whole" && name !== "v";
  const shard = whole ? "replicated" : name === "q" ? "column" : "kv-head";
  const row = { q: 0, k: queryHeads, v: queryHeads + kvHeads }[name] * headDim;
  return linear(
    `${of.path}.${name}_proj`,
    { in: of.in, out: name },
    {
      out: heads * headDim,
      in: hidden,
      shard,
      units: heads,
      bias,
      ...(fused !== undefined && {
        within: { path: `${of.path}.${fused}`, out: (queryHeads + 2 * kvHeads) * headDim, row },
      }),
    },
  );
}
