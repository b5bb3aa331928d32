/** Mistral 7B to Nemo and Small: Llama with a window on every layer (older files) and its own head size. */
import { attentionBlock } from "./attention.ts";
import {
  decoder,
  gatedMlp,
  layoutCache,
  readActivation,
  readSize,
  readWindows,
} from "./decoder.ts";
import type { Family } from "./family.ts";
import { readRotary } from "./rope.ts";

export const mistral: Family = {
  name: "mistral",
  architectures: ["MistralForCausalLM"],
  describe(config) {
    const size = readSize(config);
    // null says no window; a file that does not mention it means 4096, as in transformers.
    const window = config.mentions("sliding_window")
      ? config.optionalInteger("sliding_window")
      : 4096;
    const cache = layoutCache(
      size,
      readWindows(config, size.layers, window, () => true),
    );
    return decoder(size, {
      family: "mistral",
      cache,
      attention: attentionBlock(size, { rotary: readRotary(config, size.headDim), cache }),
      mlp: gatedMlp(size.hidden, {
        intermediate: config.integer("intermediate_size"),
        activation: readActivation(config),
      }),
    });
  },
};
