/** Granite 3: Llama with factors on the embedding, on the scores, on what each half adds, and on the logits. */
import { attentionBlock } from "./attention.ts";
import type { ConfigReader } from "./config.ts";
import { decoder, gatedMlp, layoutCache, readActivation, readSize } from "./decoder.ts";
import { describeDense } from "./dense.ts";
import type { Family } from "./family.ts";
import { readRotary } from "./rope.ts";

/** As decoder.ts takes them; also of Granite 4. */
export const graniteFactors = (config: ConfigReader) => ({
  embedding: config.number("embedding_multiplier", 1),
  residual: config.number("residual_multiplier", 1),
  logits: 1 / config.number("logits_scaling", 1),
});

export const granite: Family = {
  name: "granite",
  architectures: ["GraniteForCausalLM"],
  priced: describeDense,
  describe(config) {
    const size = readSize(config);
    const cache = layoutCache(size);
    const bias = config.boolean("attention_bias", false);
    return decoder(size, {
      family: "granite",
      cache,
      factors: graniteFactors(config),
      attention: attentionBlock(size, {
        rotary: readRotary(config, size.headDim),
        cache,
        qkvBias: bias,
        outBias: bias,
        scale: config.number("attention_multiplier", 1),
      }),
      mlp: gatedMlp(size.hidden, {
        intermediate: config.integer("intermediate_size"),
        activation: readActivation(config),
        bias: config.boolean("mlp_bias", false),
      }),
    });
  },
};
