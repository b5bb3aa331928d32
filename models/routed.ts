/**
 * Grouped-query attention with routed experts as several makers publish it:
 * Solar-Open, Sarvam, MiMo-V2, Trinity (AFMoE), MiniMax-M3; Llama 4 without weights. They differ
 * in numbers: dense first layers, dense layers between, windows, sigmoid or
 * softmax scores, a shared expert. Priced, not computed: output gates, extra
 * norms, chunked masks and block-sparse choices are left out, as the README says.
 */
import { attentionBlock } from "./attention.ts";
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
import { moeBlock } from "./moe.ts";
import { readRotary } from "./rope.ts";

export const routed: Family = {
  name: "routed_moe",
  pricedOnly: "gates, norms or masks of its own are not built",
  architectures: [
    "SolarOpenForCausalLM",
    "SarvamMoEForCausalLM",
    "MiMoV2FlashForCausalLM",
    "AfmoeForCausalLM",
    "MiniMaxM3ForCausalLM",
    "PhiMoEForCausalLM",
    "DbrxForCausalLM",
  ],
  describe(config) {
    const size = readSize(config);
    const cache = layoutCache(size, windowsOf(config, size));
    const activation = readActivation(config);
    const width = config.integer("moe_intermediate_size", config.integer("intermediate_size"));
    const shared = config.integer("n_shared_experts", 0, 0);
    const moe = moeBlock(size.hidden, {
      experts: config.integer("n_routed_experts"),
      topK: config.integer("num_experts_per_tok"),
      intermediate: width,
      activation,
      scoring: config.choice("scoring_func", ["sigmoid", "softmax"], "sigmoid"),
      normalise: config.boolean("norm_topk_prob", true),
      scale: config.number("routed_scaling_factor", 1),
      choiceBias: true,
      ...(shared > 0 && { shared: { intermediate: shared * width, module: "mlp.shared_experts" } }),
    });
    const mlp = gatedMlp(size.hidden, {
      intermediate: config.integer("intermediate_size"),
      activation,
    });
    const first = config.integer("first_k_dense_replace", 0, 0);
    const every = config.integer("moe_layer_freq", 1);
    return decoder(size, {
      family: "routed_moe",
      cache,
      attention: attentionBlock(size, {
        rotary: readRotary(config, size.headDim),
        cache,
        qkNorm: config.boolean("use_qk_norm", false),
        sinks: config.boolean("attention_sinks", false),
      }),
      mlp: (at) => (at.layer < first || (at.layer + 1) % every !== 0 ? mlp(at) : moe(at)),
    });
  },
};

/** Every `full_attention_interval`-th layer sees everything, the rest a window. */
function windowsOf(config: ConfigReader, size: DecoderSize) {
  const interval = config.integer("full_attention_interval", 1);
  return readWindows(
    config,
    size.layers,
    config.optionalInteger("sliding_window"),
    (layer) => interval > 1 && (layer + 1) % interval !== 0,
  );
}
