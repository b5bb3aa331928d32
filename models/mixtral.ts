/** Mixtral: Mistral's attention and eight large experts, two of them chosen by a softmax over all. */
import { attentionBlock } from "./attention.ts";
import { decoder, layoutCache, readActivation, readSize, readWindows } from "./decoder.ts";
import type { Family } from "./family.ts";
import { moeBlock } from "./moe.ts";
import { readRotary } from "./rope.ts";

export const mixtral: Family = {
  name: "mixtral",
  architectures: ["MixtralForCausalLM"],
  describe(config) {
    const size = readSize(config);
    const window = config.optionalInteger("sliding_window");
    const cache = layoutCache(
      size,
      readWindows(config, size.layers, window, () => true),
    );
    return decoder(size, {
      family: "mixtral",
      cache,
      attention: attentionBlock(size, { rotary: readRotary(config, size.headDim, 1e6), cache }),
      mlp: moeBlock(size.hidden, {
        experts: config.integer("num_local_experts"),
        topK: config.integer("num_experts_per_tok"),
        intermediate: config.integer("intermediate_size"),
        activation: readActivation(config),
        scoring: "softmax",
        normalise: true,
        router: "block_sparse_moe.gate",
        module: "block_sparse_moe.experts",
        names: ["w1", "w3", "w2"],
      }),
    });
  },
};
