/**
 * Gemma 4: sliding layers and, every so often, global ones with other heads; in
 * the 26B a dense MLP beside the experts. Priced, not computed: soft caps, four
 * norms a layer and keys that serve as values are left out.
 */

import type { KvGroup } from "./architecture.ts";
import { attentionBlock } from "./attention.ts";
import { type CacheLayout, type DecoderSize, decoder, gatedMlp, readSize } from "./decoder.ts";
import type { Family } from "./family.ts";
import { moeBlock } from "./moe.ts";
import type { Activation } from "./ops.ts";
import { readRotary } from "./rope.ts";

export const gemma4: Family = {
  name: "gemma4",
  pricedOnly: "its per-layer embeddings and shared caches are not built",
  architectures: ["Gemma4ForCausalLM"],
  describe(config) {
    const size = readSize(config);
    const wide: DecoderSize = {
      ...size,
      kvHeads: config.integer("num_global_key_value_heads"),
      headDim: config.integer("global_head_dim"),
    };
    const every = config.integer("sliding_window_pattern");
    const isGlobal = (layer: number): boolean => (layer + 1) % every === 0;
    const layers = Array.from({ length: size.layers }, (_, layer) => layer);
    const group = (its: DecoderSize, kind: KvGroup["kind"], window?: number): KvGroup => ({
      kind,
      layers: layers.filter((layer) => isGlobal(layer) === (kind === "full")),
      kvHeads: its.kvHeads,
      keyDim: its.headDim,
      valueDim: its.headDim,
      ...(window !== undefined && { window }),
    });
    const cache: CacheLayout = {
      groups: [group(size, "window", config.integer("sliding_window")), group(wide, "full")],
      groupOf: layers.map((layer) => (isGlobal(layer) ? 1 : 0)),
    };
    const attention = (its: DecoderSize) =>
      attentionBlock(its, { rotary: readRotary(config, its.headDim), cache, qkNorm: true });
    const [sliding, global] = [attention(size), attention(wide)];
    const activation: Activation = { kind: "gelu" };
    const intermediate = config.integer("intermediate_size");
    const mlp = config.has("num_experts")
      ? moeBlock(size.hidden, {
          experts: config.integer("num_experts"),
          topK: config.integer("num_experts_per_tok"),
          intermediate: config.integer("moe_intermediate_size"),
          activation,
          scoring: "softmax",
          normalise: true,
          shared: { intermediate, module: "mlp" },
        })
      : gatedMlp(size.hidden, { intermediate, activation });
    return decoder(size, {
      family: "gemma4",
      cache,
      attention: (at) => (isGlobal(at.layer) ? global(at) : sliding(at)),
      mlp,
    });
  },
};
