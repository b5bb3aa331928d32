/** EXAONE 3 and 3.5: Llama by other names, in config.json and in its weights. */
import { attentionBlock } from "./attention.ts";
import { readContext } from "./context.ts";
import { type DecoderSize, decoder, gatedMlp, layoutCache } from "./decoder.ts";
import type { Family } from "./family.ts";
import { renameWeights } from "./rename.ts";
import { readRotary } from "./rope.ts";

/** Our names of modules, and theirs. */
const NAMES: readonly (readonly [ours: RegExp, theirs: string])[] = [
  [/^model\.embed_tokens\./, "transformer.wte."],
  [/^model\.norm\./, "transformer.ln_f."],
  [/^model\.layers\./, "transformer.h."],
  [/\.self_attn\.o_proj\./, ".attn.attention.out_proj."],
  [/\.self_attn\./, ".attn.attention."],
  [/\.input_layernorm\./, ".ln_1."],
  [/\.post_attention_layernorm\./, ".ln_2."],
  [/\.mlp\.gate_proj\./, ".mlp.c_fc_0."],
  [/\.mlp\.up_proj\./, ".mlp.c_fc_1."],
  [/\.mlp\.down_proj\./, ".mlp.c_proj."],
];

export const exaone: Family = {
  name: "exaone",
  architectures: ["ExaoneForCausalLM"],
  describe(config) {
    const hidden = config.integer("hidden_size");
    const heads = config.integer("num_attention_heads");
    const size: DecoderSize = {
      hidden,
      layers: config.integer(config.has("num_layers") ? "num_layers" : "num_hidden_layers"),
      vocabSize: config.integer("vocab_size"),
      ...readContext(config),
      heads,
      kvHeads: config.integer("num_key_value_heads", heads),
      headDim: config.integer("head_dim", Math.floor(hidden / heads)),
      eps: config.number("layer_norm_epsilon", 1e-5),
      tiedHead: config.boolean("tie_word_embeddings", false),
    };
    config.choice("activation_function", ["silu", "swish"], "silu");
    const cache = layoutCache(size);
    const bias = config.boolean("attention_bias", false) || config.boolean("bias", false);
    const architecture = decoder(size, {
      family: "exaone",
      cache,
      attention: attentionBlock(size, {
        rotary: readRotary(config, size.headDim),
        cache,
        qkvBias: bias,
        outBias: bias,
      }),
      mlp: gatedMlp(hidden, {
        intermediate: config.integer("intermediate_size"),
        activation: { kind: "silu" },
        bias: config.boolean("mlp_bias", false),
      }),
    });
    return renameWeights(architecture, (name) =>
      NAMES.reduce((its, [ours, theirs]) => its.replace(ours, theirs), name),
    );
  },
};
