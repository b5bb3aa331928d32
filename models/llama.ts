/** Llama 2 and 3.x: the plain decoder; optional biases; llama3 rope scaling comes with the config. */
import { attentionBlock } from "./attention.ts";
import { decoder, gatedMlp, layoutCache, readActivation, readSize } from "./decoder.ts";
import type { Family } from "./family.ts";
import { readRotary } from "./rope.ts";

export const llama: Family = {
  name: "llama",
  architectures: ["LlamaForCausalLM"],
  describe(config) {
    const size = readSize(config);
    const cache = layoutCache(size);
    const bias = config.boolean("attention_bias", false);
    return decoder(size, {
      family: "llama",
      cache,
      attention: attentionBlock(size, {
        rotary: readRotary(config, size.headDim),
        cache,
        qkvBias: bias,
        outBias: bias,
      }),
      mlp: gatedMlp(size.hidden, {
        intermediate: config.integer("intermediate_size"),
        activation: readActivation(config),
        bias: config.boolean("mlp_bias", false),
      }),
    });
  },
};
