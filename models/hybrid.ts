/**
 * Decoders most of whose layers keep a fixed state instead of a cache: Qwen3-Next
 * and Qwen3.5 (gated DeltaNet), Granite 4 (Mamba2). Priced, not computed. A
 * recurrent layer is its matrices and a state that a step reads: `heads` matrices
 * of keyDim × valueDim in FP32, described as attention over a window of so many
 * tokens that its BF16 keys and values are as many bytes, and its products as
 * many FLOPs. The scan over a prompt has no op of its own.
 */

import type { KvGroup } from "./architecture.ts";
import { attentionBlock } from "./attention.ts";
import type { ConfigReader } from "./config.ts";
import {
  type Block,
  type CacheLayout,
  type DecoderSize,
  decoder,
  gatedMlp,
  linear,
  readActivation,
  readSize,
} from "./decoder.ts";
import type { Family } from "./family.ts";
import { moeBlock } from "./moe.ts";
import type { Op } from "./ops.ts";
import { readRotary } from "./rope.ts";

/** A recurrent mixer's numbers. */
interface Mixer {
  /** Columns of the product that makes queries, keys, values and gates. */
  readonly columns: number;
  readonly heads: number;
  readonly keyDim: number;
  readonly valueDim: number;
}

export const hybrid: Family = {
  name: "hybrid_decoder",
  pricedOnly: "its recurrent layers are not built",
  architectures: ["Qwen3NextForCausalLM", "Qwen3_5ForCausalLM", "Qwen3_5MoeForCausalLM"],
  describe(config) {
    const size = readSize(config);
    const full = fullLayers(config, size.layers);
    const mixer = config.has("mamba_n_heads") ? mamba(config) : deltaNet(config);
    const cache = cacheOf(size, full, mixer);
    const gated = config.boolean("attn_output_gate", false);
    const attention = attentionBlock(size, {
      rotary: readRotary(config, size.headDim),
      cache,
      qkNorm: config.boolean("use_qk_norm", false),
    });
    const recurrent = recurrentBlock(size, mixer);
    return decoder(size, {
      family: "hybrid_decoder",
      cache,
      attention: (at) => {
        if (!full.has(at.layer)) return recurrent(at);
        return gated ? withGate(size, attention)(at) : attention(at);
      },
      mlp: feedForward(config, size),
    });
  },
};

function fullLayers(config: ConfigReader, layers: number): ReadonlySet<number> {
  const interval = config.integer("full_attention_interval", 4);
  const types = config.has("layer_types") ? config.strings("layer_types") : undefined;
  const all = Array.from({ length: layers }, (_, layer) => layer);
  return new Set(
    all.filter((layer) =>
      types === undefined ? (layer + 1) % interval === 0 : /attention/.test(types[layer] ?? ""),
    ),
  );
}

function deltaNet(config: ConfigReader): Mixer {
  const keyDim = config.integer("linear_key_head_dim");
  const valueDim = config.integer("linear_value_head_dim");
  const heads = config.integer("linear_num_value_heads");
  const keys = keyDim * config.integer("linear_num_key_heads");
  return { columns: 2 * keys + 2 * valueDim * heads + 2 * heads, heads, keyDim, valueDim };
}

function mamba(config: ConfigReader): Mixer {
  const heads = config.integer("mamba_n_heads");
  const valueDim = config.integer("mamba_d_head");
  const keyDim = config.integer("mamba_d_state");
  const groups = config.integer("mamba_n_groups", 1);
  return { columns: 2 * heads * valueDim + 2 * groups * keyDim + heads, heads, keyDim, valueDim };
}

/** Keys and values in BF16 of `tokens` tokens of `width` are the bytes of one FP32 state. */
function stateOf({ keyDim, valueDim }: Mixer): { readonly tokens: number; readonly width: number } {
  return { tokens: Math.max(keyDim, valueDim), width: Math.min(keyDim, valueDim) };
}

/** Group 0: full layers; group 1: states. */
function cacheOf(size: DecoderSize, full: ReadonlySet<number>, mixer: Mixer): CacheLayout {
  const layers = Array.from({ length: size.layers }, (_, layer) => layer);
  const { tokens, width } = stateOf(mixer);
  const groups: readonly KvGroup[] = [
    {
      kind: "full",
      layers: layers.filter((layer) => full.has(layer)),
      kvHeads: size.kvHeads,
      keyDim: size.headDim,
      valueDim: size.headDim,
    },
    {
      kind: "window",
      layers: layers.filter((layer) => !full.has(layer)),
      kvHeads: mixer.heads,
      keyDim: width,
      valueDim: width,
      window: tokens,
    },
  ];
  return { groups, groupOf: layers.map((layer) => (full.has(layer) ? 0 : 1)) };
}

/** in → queries, keys, values, gates → state → out. */
function recurrentBlock({ hidden }: DecoderSize, mixer: Mixer): Block {
  const { tokens, width } = stateOf(mixer);
  const inner = mixer.heads * mixer.valueDim;
  return (at) => {
    const path = `${at.path}.mixer`;
    return [
      linear(
        `${path}.in_proj`,
        { in: at.in, out: "mixed" },
        { out: mixer.columns, in: hidden, shard: "column" },
      ),
      {
        op: "attention",
        path,
        q: "mixed",
        k: "mixed",
        v: "mixed",
        out: "attended",
        heads: mixer.heads,
        kvHeads: mixer.heads,
        headDim: width,
        scale: 1,
        kvGroup: 1,
        window: tokens,
      },
      linear(
        `${path}.out_proj`,
        { in: "attended", out: at.out },
        { out: hidden, in: inner, shard: "row", units: mixer.heads },
      ),
    ];
  };
}

/** Attention whose result a projection of its input gates. */
function withGate({ hidden, heads, headDim }: DecoderSize, attention: Block): Block {
  return (at) => {
    const ops: Op[] = [...attention(at)];
    const out = ops.pop();
    if (out === undefined) return ops;
    const path = `${at.path}.self_attn`;
    return [
      ...ops,
      linear(
        `${path}.gate_proj`,
        { in: at.in, out: "gate" },
        { out: heads * headDim, in: hidden, shard: "column", units: heads },
      ),
      out,
    ];
  };
}

function feedForward(config: ConfigReader, { hidden }: DecoderSize): Block {
  const activation = readActivation(config);
  if (!config.has("num_experts") && !config.has("num_local_experts"))
    return gatedMlp(hidden, { intermediate: config.integer("intermediate_size"), activation });
  const shared =
    config.optionalInteger("shared_expert_intermediate_size") ??
    config.optionalInteger("shared_intermediate_size");
  return moeBlock(hidden, {
    experts: config.integer(config.has("num_experts") ? "num_experts" : "num_local_experts"),
    topK: config.integer("num_experts_per_tok"),
    intermediate: config.integer(
      config.has("moe_intermediate_size") ? "moe_intermediate_size" : "intermediate_size",
    ),
    activation,
    scoring: "softmax",
    normalise: true,
    ...(shared !== undefined && { shared: { intermediate: shared, module: "mlp.shared_expert" } }),
  });
}
