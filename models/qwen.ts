/**
 * Dense Qwen. 2 and 2.5 have a bias on q, k and v; 3 has none, norms each head
 * of Q and K, and a head size of its own. Both can slide from a layer on.
 */
import { type AttentionChoices, attentionBlock } from "./attention.ts";
import type { ConfigReader } from "./config.ts";
import {
  type DecoderSize,
  decoder,
  gatedMlp,
  layoutCache,
  readActivation,
  readSize,
  readWindows,
} from "./decoder.ts";
import type { Family } from "./family.ts";
import { readRotary } from "./rope.ts";

export const qwen2: Family = {
  name: "qwen2",
  architectures: ["Qwen2ForCausalLM"],
  describe: (config) => describeDense("qwen2", config, { qkvBias: true }),
};

export const qwen3: Family = {
  name: "qwen3",
  architectures: ["Qwen3ForCausalLM"],
  describe(config) {
    const bias = config.boolean("attention_bias", false);
    return describeDense("qwen3", config, { qkNorm: true, qkvBias: bias, outBias: bias });
  },
};

/** Sliding layers of a Qwen: off unless `use_sliding_window`, then from `max_window_layers` on. */
export function qwenWindows(
  config: ConfigReader,
  size: DecoderSize,
): readonly (number | undefined)[] {
  const used = config.boolean("use_sliding_window", false);
  const window = used ? config.optionalInteger("sliding_window") : undefined;
  const first = config.integer("max_window_layers", size.layers, 0);
  return readWindows(config, size.layers, window, (layer) => layer >= first);
}

function describeDense(
  family: string,
  config: ConfigReader,
  choices: Omit<AttentionChoices, "rotary" | "cache">,
) {
  const size = readSize(config);
  const cache = layoutCache(size, qwenWindows(config, size));
  return decoder(size, {
    family,
    cache,
    attention: attentionBlock(size, {
      rotary: readRotary(config, size.headDim),
      cache,
      ...choices,
    }),
    mlp: gatedMlp(size.hidden, {
      intermediate: config.integer("intermediate_size"),
      activation: readActivation(config),
    }),
  });
}
