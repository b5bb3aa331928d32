/**
 * Gemma 1 and 3: embeddings times √hidden, norms stored less 1, GELU by tanh. Gemma 3 norms
 * before and after each half and each head of Q and K; five of six layers see a window and
 * turn by a base of their own. (Gemma 2 caps its scores, which no kernel here does.)
 */
import { attentionBlock } from "./attention.ts";
import type { ConfigReader } from "./config.ts";
import { decoder, gatedMlp, layoutCache, readSize, readWindows } from "./decoder.ts";
import { describeDense } from "./dense.ts";
import type { Family } from "./family.ts";
import type { Activation } from "./ops.ts";
import { type Rotary, readRotary } from "./rope.ts";

export const gemma3: Family = {
  name: "gemma3_text",
  architectures: ["GemmaForCausalLM", "Gemma3ForCausalLM"],
  priced: describeDense,
  describe(config) {
    const third = config
      .strings("architectures", ["Gemma3ForCausalLM"])
      .includes("Gemma3ForCausalLM");
    const size = {
      ...readSize(config),
      // Its config states the length after scaling, as vLLM knows.
      maxContext: config.integer("max_position_embeddings", third ? 131_072 : 8192),
      tiedHead: config.boolean("tie_word_embeddings", true),
    };
    const every = config.integer("sliding_window_pattern", 6);
    const windows = readWindows(
      config,
      size.layers,
      third ? config.integer("sliding_window", 4096) : undefined,
      (layer) => (layer + 1) % every !== 0,
    );
    const cache = layoutCache(size, windows);
    const full = readRotary(config, size.headDim, third ? 1e6 : 1e4, "full_attention");
    const sliding = third ? localRotary(config, size.headDim) : full;
    const scalar = config.number("query_pre_attn_scalar", third ? 256 : size.headDim);
    const bias = config.boolean("attention_bias", false);
    return decoder(size, {
      family: "gemma3_text",
      cache,
      lessOne: true,
      factors: { embedding: Math.fround(Math.sqrt(size.hidden)) },
      ...(third && {
        norms: {
          beforeAttention: "input_layernorm",
          afterAttention: "post_attention_layernorm",
          beforeMlp: "pre_feedforward_layernorm",
          afterMlp: "post_feedforward_layernorm",
        },
      }),
      attention: attentionBlock(size, {
        rotary: (layer) => (windows[layer] === undefined ? full : sliding),
        cache,
        qkNorm: third,
        lessOne: true,
        qkvBias: bias,
        outBias: bias,
        scale: 1 / Math.sqrt(scalar),
      }),
      mlp: gatedMlp(size.hidden, {
        intermediate: config.integer("intermediate_size"),
        activation: activationOf(config),
      }),
    });
  },
};

/** Of the layers with a window: a base of their own, never scaled. */
function localRotary(config: ConfigReader, headDim: number): Rotary {
  const nested = config.section("rope_parameters")?.section("sliding_attention");
  const theta =
    nested?.optionalNumber("rope_theta") ?? config.number("rope_local_base_freq", 10_000);
  return { rotaryDim: headDim, theta };
}

/** Older files say gelu and mean the tanh form, as transformers reads them. */
function activationOf(config: ConfigReader): Activation {
  const key = config.has("hidden_activation") ? "hidden_activation" : "hidden_act";
  config.choice(key, ["gelu", "gelu_pytorch_tanh"], "gelu_pytorch_tanh");
  return { kind: "gelu-tanh" };
}
