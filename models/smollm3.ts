/** SmolLM3: Llama whose every fourth layer does not rotate. */
import { attentionBlock } from "./attention.ts";
import type { ConfigReader } from "./config.ts";
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

export const smollm3: Family = {
  name: "smollm3",
  architectures: ["SmolLM3ForCausalLM"],
  priced: describeDense,
  describe(config) {
    const size = readSize(config);
    const turning = turningLayers(config, size.layers);
    const window = config.boolean("use_sliding_window", false)
      ? config.optionalInteger("sliding_window")
      : undefined;
    const cache = layoutCache(
      size,
      readWindows(config, size.layers, window, (layer) => turning[layer] === false),
    );
    const rotary = readRotary(config, size.headDim, 2e6);
    const bias = config.boolean("attention_bias", false);
    return decoder(size, {
      family: "smollm3",
      cache,
      attention: attentionBlock(size, {
        rotary: (layer) => (turning[layer] ? rotary : undefined),
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

/** `no_rope_layers` marks with 1 the layers that do rotate. */
function turningLayers(config: ConfigReader, layers: number): readonly boolean[] {
  const every = config.integer("no_rope_layer_interval", 4);
  if (!config.has("no_rope_layers"))
    return Array.from({ length: layers }, (_, layer) => (layer + 1) % every !== 0);
  const marks = config.integers("no_rope_layers");
  if (marks.length < layers) config.fail("no_rope_layers", `a list of ${layers}`);
  return marks.map((mark) => mark !== 0);
}
