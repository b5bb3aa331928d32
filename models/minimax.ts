/** MiniMax-M2: rotation of half a head, sigmoid routing with a correction, many small experts. */
import { attentionBlock } from "./attention.ts";
import { decoder, layoutCache, readActivation, readSize } from "./decoder.ts";
import type { Family } from "./family.ts";
import { moeBlock } from "./moe.ts";
import { readRotary } from "./rope.ts";

export const minimax: Family = {
  name: "minimax_m2",
  architectures: ["MiniMaxM2ForCausalLM"],
  describe(config) {
    const size = readSize(config);
    const cache = layoutCache(size);
    const rotary = readRotary(config, size.headDim, 5e6);
    return decoder(size, {
      family: "minimax_m2",
      cache,
      attention: attentionBlock(size, {
        rotary: { ...rotary, rotaryDim: config.integer("rotary_dim", rotary.rotaryDim) },
        cache,
        // Its norm runs over all heads at once; as work it equals a norm of each head.
        qkNorm: config.boolean("use_qk_norm", true),
      }),
      mlp: moeBlock(size.hidden, {
        experts: config.integer("num_local_experts"),
        topK: config.integer("num_experts_per_tok"),
        intermediate: config.integer("intermediate_size"),
        activation: readActivation(config),
        scoring: "sigmoid",
        normalise: true,
        choiceBias: config.boolean("use_routing_bias", true),
        router: "block_sparse_moe.gate",
        module: "block_sparse_moe.experts",
        names: ["w1", "w3", "w2"],
      }),
    });
  },
};
