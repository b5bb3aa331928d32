/**
 * gpt-oss: alternating sliding and full attention with a learned sink logit per
 * head, biases everywhere, and a clamped SwiGLU in 4-bit (MXFP4) experts.
 */
import { attentionBlock } from "./attention.ts";
import { decoder, layoutCache, readSize, readWindows } from "./decoder.ts";
import type { Family } from "./family.ts";
import { moeBlock } from "./moe.ts";
import { readRotary } from "./rope.ts";

export const gptOss: Family = {
  name: "gpt_oss",
  architectures: ["GptOssForCausalLM"],
  describe(config) {
    const size = readSize(config);
    const window = config.optionalInteger("sliding_window");
    const cache = layoutCache(
      size,
      readWindows(config, size.layers, window, (layer) => layer % 2 === 0),
    );
    const quantized = config.section("quantization_config");
    const packed = quantized?.string("quant_method", "") === "mxfp4";
    return decoder(size, {
      family: "gpt_oss",
      cache,
      attention: attentionBlock(size, {
        rotary: readRotary(config, size.headDim, 150_000),
        cache,
        qkvBias: config.boolean("attention_bias", true),
        outBias: config.boolean("attention_bias", true),
        sinks: true,
      }),
      mlp: moeBlock(size.hidden, {
        experts: config.integer("num_local_experts"),
        topK: config.integer("num_experts_per_tok", 4),
        intermediate: config.integer("intermediate_size"),
        activation: {
          kind: "swiglu-oai",
          limit: config.number("swiglu_limit", 7),
          alpha: 1.702,
        },
        scoring: "topk-softmax",
        normalise: false,
        router: "mlp.router",
        routerBias: true,
        names: "fused",
        transposed: !packed,
        expertBias: true,
        ...(packed && { format: "mxfp4" as const }),
      }),
    });
  },
};
