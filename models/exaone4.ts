/**
 * EXAONE 4: norms stand after each half, and each head of Q and K is normed. Where layers
 * have windows (32B), those without do not rotate.
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

export const exaone4: Family = {
  name: "exaone4",
  architectures: ["Exaone4ForCausalLM"],
  priced: describeDense,
  describe(config) {
    const size = readSize(config);
    const window = config.optionalInteger("sliding_window");
    const windows = readWindows(config, size.layers, window, (layer) => (layer + 1) % 4 !== 0);
    const cache = layoutCache(size, windows);
    const rotary = readRotary(config, size.headDim);
    return decoder(size, {
      family: "exaone4",
      cache,
      norms: { afterAttention: "post_attention_layernorm", afterMlp: "post_feedforward_layernorm" },
      attention: attentionBlock(size, {
        rotary: (layer) =>
          window === undefined || windows[layer] !== undefined ? rotary : undefined,
        cache,
        qkNorm: true,
      }),
      mlp: gatedMlp(size.hidden, {
        intermediate: config.integer("intermediate_size"),
        activation: readActivation(config),
      }),
    });
  },
};
