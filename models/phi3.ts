/** Phi-3, 3.5, 4 and 4-mini: q, k and v are one matrix, and so are gate and up; LongRoPE; a part of a head may turn. */
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

export const phi3: Family = {
  name: "phi3",
  architectures: ["Phi3ForCausalLM"],
  priced: describeDense,
  describe(config) {
    const size = readSize(config);
    const window = config.optionalInteger("sliding_window");
    const cache = layoutCache(
      size,
      readWindows(config, size.layers, window, () => true),
    );
    return decoder(size, {
      family: "phi3",
      cache,
      attention: attentionBlock(size, {
        rotary: readRotary(config, size.headDim),
        cache,
        fused: "qkv_proj",
      }),
      mlp: gatedMlp(size.hidden, {
        intermediate: config.integer("intermediate_size"),
        activation: readActivation(config),
        fused: "gate_up_proj",
      }),
    });
  },
};
