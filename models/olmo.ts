/**
 * OLMo 2 and 3: norms stand after each half, and all heads of Q (and of K) are normed as
 * one. Three of four layers of OLMo 3 see a window, and turn unscaled.
 */
import { attentionBlock } from "./attention.ts";
import {
  decoder,
  gatedMlp,
  layoutCache,
  readActivation,
  readSize,
  readWindows,
} from "./decoder.ts";
import { describeDense } from "./dense.ts";
import type { Family } from "./family.ts";
import { readRotary } from "./rope.ts";

export const olmo: Family = {
  name: "olmo2",
  architectures: ["Olmo2ForCausalLM", "Olmo3ForCausalLM"],
  priced: describeDense,
  describe(config) {
    const size = readSize(config);
    const third = config.strings("architectures", []).includes("Olmo3ForCausalLM");
    const windows = readWindows(
      config,
      size.layers,
      third ? config.integer("sliding_window", 4096) : undefined,
      (layer) => (layer + 1) % 4 !== 0,
    );
    const cache = layoutCache(size, windows);
    const full = readRotary(config, size.headDim, 10_000, "full_attention");
    const { scaling: _, ...sliding } = readRotary(
      config,
      size.headDim,
      10_000,
      "sliding_attention",
    );
    const bias = config.boolean("attention_bias", false);
    return decoder(size, {
      family: "olmo2",
      cache,
      norms: { afterAttention: "post_attention_layernorm", afterMlp: "post_feedforward_layernorm" },
      attention: attentionBlock(size, {
        rotary: (layer) => (windows[layer] === undefined ? full : sliding),
        cache,
        qkNorm: "whole",
        qkvBias: bias,
        outBias: bias,
      }),
      mlp: gatedMlp(size.hidden, {
        intermediate: config.integer("intermediate_size"),
        activation: readActivation(config),
      }),
    });
  },
};
