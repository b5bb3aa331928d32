/**
 * Granite 4 whose layers are all attention (micro, 1B, 350M): Granite 3 with one MLP that
 * holds gate above up. With Mamba layers it is priced, not computed.
 */
import { attentionBlock } from "./attention.ts";
import type { ConfigReader } from "./config.ts";
import { decoder, gatedMlp, layoutCache, readActivation, readSize } from "./decoder.ts";
import type { Family } from "./family.ts";
import { graniteFactors } from "./granite.ts";
import { hybrid } from "./hybrid.ts";
import { readRotary } from "./rope.ts";

export const granite4: Family = {
  name: "granitemoehybrid",
  architectures: ["GraniteMoeHybridForCausalLM"],
  pricedOnly(config) {
    if (isRecurrent(config)) return `"layer_types" has recurrent layers, which are not built`;
    return isRouted(config)
      ? `"num_local_experts" asks for experts, which are not built here`
      : undefined;
  },
  describe(config) {
    if (isRecurrent(config) || isRouted(config)) return hybrid.describe(config);
    const size = readSize(config);
    const cache = layoutCache(size);
    const bias = config.boolean("attention_bias", false);
    const turns = config.string("position_embedding_type", "nope") === "rope";
    return decoder(size, {
      family: "granitemoehybrid",
      cache,
      factors: graniteFactors(config),
      attention: attentionBlock(size, {
        ...(turns && { rotary: readRotary(config, size.headDim) }),
        cache,
        qkvBias: bias,
        outBias: bias,
        scale: config.number("attention_multiplier", 1),
      }),
      mlp: gatedMlp(size.hidden, {
        intermediate: config.integer("shared_intermediate_size", 1024),
        activation: readActivation(config),
        path: "shared_mlp",
        fused: "input_linear",
        down: "output_linear",
      }),
    });
  },
};

/** Published files say mamba, newer ones linear_attention; without a list all layers are. */
const isRecurrent = (config: ConfigReader): boolean =>
  !config.has("layer_types") ||
  config.strings("layer_types").some((type) => !["attention", "full_attention"].includes(type));

const isRouted = (config: ConfigReader): boolean => config.integer("num_local_experts", 0, 0) > 0;
