/**
 * Qwen2 and Qwen3 MoE: many small experts; some layers may stay dense. Qwen3 norms its heads;
 * Qwen2 has biases, and an expert that every token visits as far as a gate lets it.
 */
import { attentionBlock } from "./attention.ts";
import { decoder, gatedMlp, layoutCache, readActivation, readSize } from "./decoder.ts";
import type { Family } from "./family.ts";
import { moeBlock } from "./moe.ts";
import { qwenWindows } from "./qwen.ts";
import { readRotary } from "./rope.ts";

export const qwenMoe: Family = {
  name: "qwen3_moe",
  architectures: ["Qwen2MoeForCausalLM", "Qwen3MoeForCausalLM"],
  describe(config) {
    const size = readSize(config);
    const second = config.strings("architectures", []).includes("Qwen2MoeForCausalLM");
    const cache = layoutCache(size, qwenWindows(config, size));
    const activation = readActivation(config);
    const every = config.integer("decoder_sparse_step", 1);
    const dense = new Set(
      config.has("mlp_only_layers") ? denseLayers(config.raw("mlp_only_layers")) : [],
    );
    const moe = moeBlock(size.hidden, {
      // Newer transformers save it by the other name.
      experts: config.integer(config.has("num_experts") ? "num_experts" : "num_local_experts"),
      topK: config.integer("num_experts_per_tok"),
      intermediate: config.integer("moe_intermediate_size"),
      activation,
      scoring: "softmax",
      normalise: config.boolean("norm_topk_prob", false),
      ...(second && {
        shared: {
          intermediate: config.integer("shared_expert_intermediate_size"),
          module: "mlp.shared_expert",
          gate: "mlp.shared_expert_gate",
        },
      }),
    });
    const mlp = gatedMlp(size.hidden, {
      intermediate: config.integer("intermediate_size"),
      activation,
    });
    const bias = config.boolean("attention_bias", false);
    return decoder(size, {
      family: "qwen3_moe",
      cache,
      attention: attentionBlock(size, {
        rotary: readRotary(config, size.headDim, 1e6),
        cache,
        qkNorm: !second,
        qkvBias: second ? config.boolean("qkv_bias", true) : bias,
        outBias: bias,
      }),
      mlp: (at) => (dense.has(at.layer) || (at.layer + 1) % every !== 0 ? mlp(at) : moe(at)),
    });
  },
};

function denseLayers(value: unknown): readonly number[] {
  return Array.isArray(value)
    ? value.filter((layer): layer is number => Number.isInteger(layer))
    : [];
}
