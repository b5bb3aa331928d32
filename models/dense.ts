/**
 * Dense decoders of many makers that differ from Llama in what costs nothing to
 * tell: norms before and after, parallel blocks, multipliers, learned positions,
 * soft caps. Priced, not computed: shapes, biases, windows and whether the MLP
 * has a gate are all that is described.
 */

import type { Architecture } from "./architecture.ts";
import { attentionBlock } from "./attention.ts";
import type { ConfigReader } from "./config.ts";
import {
  type Block,
  type DecoderSize,
  decoder,
  gatedMlp,
  layoutCache,
  linear,
  readWindows,
} from "./decoder.ts";
import type { Family } from "./family.ts";
import { readRotary } from "./rope.ts";

/** Classes that add positions to the embeddings and rotate nothing. */
const LEARNED_POSITIONS = [
  "GPT2LMHeadModel",
  "OPTForCausalLM",
  "GPTBigCodeForCausalLM",
  "XGLMForCausalLM",
  "BioGptForCausalLM",
];

/** Classes whose MLP is up and down alone. */
const WITHOUT_GATE = [
  "GPT2LMHeadModel",
  "OPTForCausalLM",
  "PhiForCausalLM",
  "GPTNeoXForCausalLM",
  "FalconForCausalLM",
  "Starcoder2ForCausalLM",
  "GPTBigCodeForCausalLM",
  "XGLMForCausalLM",
  "BioGptForCausalLM",
  "PersimmonForCausalLM",
  "ApertusForCausalLM",
  "ArceeForCausalLM",
];

export const dense: Family = {
  name: "dense_decoder",
  pricedOnly: "norms, multipliers or activations of its own are not built",
  architectures: [
    ...WITHOUT_GATE,
    "InternLM3ForCausalLM",
    "Glm4ForCausalLM",
    "GlmForCausalLM",
    "SeedOssForCausalLM",
    "HunYuanDenseV1ForCausalLM",
    "MiniCPMForCausalLM",
    "Ernie4_5ForCausalLM",
    "Cohere2ForCausalLM",
    "StableLmForCausalLM",
    "OrionForCausalLM",
  ],
  describe: describeDense,
};

/** As priced; also of families that are computed by a description of their own. */
export function describeDense(config: ConfigReader): Architecture {
  const size = readDense(config);
  const window = config.optionalInteger("sliding_window");
  const every = config.integer("sliding_window_pattern", 1);
  const cache = layoutCache(
    size,
    readWindows(config, size.layers, window, (layer) => every > 1 && (layer + 1) % every !== 0),
  );
  const bias = config.boolean("attention_bias", false);
  const intermediate = first(config, ["intermediate_size", "ffn_dim", "n_inner"], 4 * size.hidden);
  const names = config.strings("architectures", []);
  const mlpBias = config.boolean("mlp_bias", false);
  return decoder(size, {
    family: "dense_decoder",
    cache,
    attention: attentionBlock(size, {
      ...(!names.some((name) => LEARNED_POSITIONS.includes(name)) && {
        rotary: readRotary(config, size.headDim),
      }),
      cache,
      qkvBias: bias,
      outBias: bias && config.boolean("out_bias", bias),
      qkNorm: config.boolean("use_qk_norm", false),
    }),
    mlp: names.some((name) => WITHOUT_GATE.includes(name))
      ? plainMlp(size.hidden, { intermediate, bias: mlpBias })
      : gatedMlp(size.hidden, { intermediate, activation: { kind: "gelu" }, bias: mlpBias }),
  });
}

/** The first of several spellings of a size. */
function first(config: ConfigReader, keys: readonly string[], fallback?: number): number {
  const key = keys.find((name) => config.has(name));
  return config.integer(key ?? keys[0] ?? "", key === undefined ? fallback : undefined);
}

function readDense(config: ConfigReader): DecoderSize {
  const hidden = first(config, ["hidden_size", "n_embd", "d_model"]);
  const heads = first(config, ["num_attention_heads", "n_head", "attention_heads"]);
  const shared = config.boolean("multi_query", false) ? 1 : heads;
  return {
    hidden,
    layers: first(config, ["num_hidden_layers", "n_layer", "num_layers"]),
    vocabSize: config.integer("vocab_size"),
    maxContext: first(config, ["max_position_embeddings", "n_positions"]),
    heads,
    kvHeads: first(config, ["num_key_value_heads", "num_kv_heads"], shared),
    headDim: config.integer("head_dim", Math.floor(hidden / heads)),
    eps: config.number("rms_norm_eps", 1e-6),
    tiedHead: config.boolean("tie_word_embeddings", false),
  };
}

/** down(activation(up)): a partial sum. */
export function plainMlp(
  hidden: number,
  mlp: { readonly intermediate: number; readonly bias: boolean },
): Block {
  return (at) => {
    const path = `${at.path}.mlp`;
    const { intermediate, bias } = mlp;
    return [
      linear(
        `${path}.up_proj`,
        { in: at.in, out: "up" },
        { out: intermediate, in: hidden, shard: "column", bias },
      ),
      {
        op: "gated-activation",
        path,
        gate: "up",
        up: "up",
        out: "activated",
        activation: { kind: "gelu" },
      },
      linear(
        `${path}.down_proj`,
        { in: "activated", out: at.out },
        { out: hidden, in: intermediate, shard: "row", bias },
      ),
    ];
  };
}
