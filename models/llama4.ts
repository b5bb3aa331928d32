/**
 * Llama 4's text decoder: three of four layers rotate and see chunks, the fourth sees all,
 * does not rotate and scales its queries by position; experts whose weights scale what they
 * read, and one that every token visits.
 */
import { attentionBlock } from "./attention.ts";
import type { ConfigReader } from "./config.ts";
import { decoder, gatedMlp, layoutCache, readActivation, readSize } from "./decoder.ts";
import type { Family } from "./family.ts";
import { moeBlock } from "./moe.ts";
import { type Rotary, readRotary } from "./rope.ts";
import { routed } from "./routed.ts";

export const llama4: Family = {
  name: "llama4_text",
  architectures: ["Llama4ForCausalLM"],
  priced: routed.describe,
  describe(config) {
    const size = readSize(config);
    const { layers } = size;
    const turning = marked(config, "no_rope_layers", layers, (layer) => (layer + 1) % 4 !== 0);
    const chunk = config.optionalInteger("attention_chunk_size");
    const cache = layoutCache(
      size,
      turning.map((turns) => (turns ? chunk : undefined)),
    );
    const rotary: Rotary = { ...readRotary(config, size.headDim, 500_000), interleaved: true };
    const tuned = config.boolean("attn_temperature_tuning", true);
    const temperature = {
      floor: config.integer("floor_scale", 8192),
      scale: config.number("attn_scale", 0.1),
    };
    const bias = config.boolean("attention_bias", false);
    const activation = readActivation(config);
    const intermediate = config.integer("intermediate_size");
    const moe = moeBlock(size.hidden, {
      experts: config.integer("num_local_experts"),
      topK: config.integer("num_experts_per_tok", 1),
      intermediate,
      activation,
      scoring: "sigmoid",
      normalise: false,
      router: "feed_forward.router",
      module: "feed_forward.experts",
      names: "fused",
      transposed: true,
      halves: true,
      scalesInput: true,
      shared: { intermediate, module: "feed_forward.shared_expert" },
    });
    const mlp = gatedMlp(size.hidden, {
      intermediate: config.integer("intermediate_size_mlp", intermediate),
      activation,
      path: "feed_forward",
    });
    const routes = routedLayers(config, layers);
    return decoder(size, {
      family: "llama4_text",
      cache,
      attention: attentionBlock(size, {
        rotary: (layer) => (turning[layer] ? rotary : undefined),
        cache,
        chunked: true,
        qkNorm: config.boolean("use_qk_norm", true) ? "unit" : false,
        temperature: (layer) => (tuned && !turning[layer] ? temperature : undefined),
        qkvBias: bias,
        outBias: bias,
      }),
      mlp: (at) => (routes.has(at.layer) ? moe(at) : mlp(at)),
    });
  },
};

/** Layers that a list marks with 1; without it, or where it is empty, by `otherwise`. */
function marked(
  config: ConfigReader,
  key: string,
  layers: number,
  otherwise: (layer: number) => boolean,
): readonly boolean[] {
  const marks = config.has(key) ? config.integers(key) : [];
  if (marks.length === 0) return Array.from({ length: layers }, (_, layer) => otherwise(layer));
  if (marks.length < layers) config.fail(key, `a list of ${layers}`);
  return marks.map((mark) => mark !== 0);
}

/** `moe_layers`; without it every `interleave_moe_layer_step`-th. */
function routedLayers(config: ConfigReader, layers: number): ReadonlySet<number> {
  if (config.has("moe_layers")) return new Set(config.integers("moe_layers"));
  const step = config.integer("interleave_moe_layer_step", 1);
  const all = Array.from({ length: layers }, (_, layer) => layer);
  return new Set(all.filter((layer) => (layer + 1) % step === 0));
}
