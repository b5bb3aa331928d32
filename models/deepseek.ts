/**
 * Multi-head latent attention with routed experts: DeepSeek-V3 and R1, Kimi-K2,
 * GLM-4.7-Flash, GLM-5, Mistral-Small-4. The cache holds one latent and one
 * rotary key a token (DeepSeek-V2, arXiv 2405.04434, §2.1). Sparse indexers
 * (GLM-5) are not described: attention is taken as full.
 */
import type { ConfigReader } from "./config.ts";
import { readContext } from "./context.ts";
import {
  type Block,
  type DecoderSize,
  decoder,
  gatedMlp,
  linear,
  norm,
  readActivation,
} from "./decoder.ts";
import type { Family } from "./family.ts";
import { moeBlock } from "./moe.ts";
import type { Op, Value } from "./ops.ts";
import { readRotary } from "./rope.ts";

interface LatentSize {
  readonly queryRank: number | undefined;
  readonly latentDim: number;
  readonly nopeDim: number;
  readonly ropeDim: number;
  readonly valueDim: number;
}

export const deepseek: Family = {
  name: "deepseek_v3",
  architectures: [
    "DeepseekV3ForCausalLM",
    "KimiK2ForCausalLM",
    "Glm4MoeLiteForCausalLM",
    "GlmMoeDsaForCausalLM",
    "Mistral4ForCausalLM",
  ],
  describe(config) {
    const latent: LatentSize = {
      queryRank: config.optionalInteger("q_lora_rank"),
      latentDim: config.integer("kv_lora_rank"),
      nopeDim: config.integer("qk_nope_head_dim"),
      ropeDim: config.integer("qk_rope_head_dim"),
      valueDim: config.integer("v_head_dim"),
    };
    const heads = config.integer("num_attention_heads");
    const size: DecoderSize = {
      hidden: config.integer("hidden_size"),
      layers: config.integer("num_hidden_layers"),
      vocabSize: config.integer("vocab_size"),
      ...readContext(config),
      heads,
      kvHeads: 1,
      headDim: latent.nopeDim + latent.ropeDim,
      eps: config.number("rms_norm_eps", 1e-6),
      tiedHead: config.boolean("tie_word_embeddings", false),
    };
    const activation = readActivation(config);
    const dense = config.integer("first_k_dense_replace", 0, 0);
    const experts = config.integer("moe_intermediate_size");
    const shared = config.integer("n_shared_experts", 1, 0);
    const moe = moeBlock(size.hidden, {
      experts: config.integer("n_routed_experts"),
      topK: config.integer("num_experts_per_tok"),
      intermediate: experts,
      activation,
      scoring: config.choice("scoring_func", ["sigmoid", "softmax"], "sigmoid"),
      normalise: config.boolean("norm_topk_prob", true),
      scale: config.number("routed_scaling_factor", 1),
      groups: config.integer("n_group", 1),
      groupsChosen: config.integer("topk_group", 1),
      choiceBias: true,
      ...(shared > 0 && {
        shared: { intermediate: shared * experts, module: "mlp.shared_experts" },
      }),
    });
    const mlp = gatedMlp(size.hidden, {
      intermediate: config.integer("intermediate_size"),
      activation,
    });
    return decoder(size, {
      family: "deepseek_v3",
      cache: {
        groups: [
          {
            kind: "latent",
            layers: Array.from({ length: size.layers }, (_, layer) => layer),
            kvHeads: 1,
            keyDim: latent.latentDim + latent.ropeDim,
            valueDim: 0,
          },
        ],
        groupOf: new Array<number>(size.layers).fill(0),
      },
      attention: latentAttention(config, size, latent),
      mlp: (at) => (at.layer < dense ? mlp(at) : moe(at)),
    });
  },
};

/** x → (down → norm → up) queries; x → latent and rotary key; attention in the latent space → output. */
function latentAttention(config: ConfigReader, size: DecoderSize, latent: LatentSize): Block {
  const { hidden, heads, eps } = size;
  const { latentDim, nopeDim, ropeDim, valueDim } = latent;
  const rotary = readRotary(config, ropeDim);
  return (at) => {
    const path = `${at.path}.self_attn`;
    return [
      ...latentQueries(size, latent, { path, in: at.in }),
      linear(
        `${path}.kv_a_proj_with_mqa`,
        { in: at.in, out: "kv-low" },
        { out: latentDim + ropeDim, in: hidden, shard: "replicated" },
      ),
      norm(`${path}.kv_a_layernorm`, { in: "kv-low", out: "latent" }, { width: latentDim, eps }),
      {
        op: "rope",
        path: `${path}.rotary_emb`,
        in: "kv-low",
        out: "rope-key",
        heads: 1,
        headDim: ropeDim,
        ...rotary,
      },
      {
        op: "latent-attention",
        path,
        q: "q",
        latent: "latent",
        ropeKey: "rope-key",
        out: "attended",
        kvUp: {
          name: `${path}.kv_b_proj.weight`,
          shape: [heads * (nopeDim + valueDim), latentDim],
          shard: "column",
          units: heads,
        },
        heads,
        nopeDim,
        ropeDim,
        valueDim,
        latentDim,
        scale: 1 / Math.sqrt(nopeDim + ropeDim),
        kvGroup: 0,
      },
      linear(
        `${path}.o_proj`,
        { in: "attended", out: at.out },
        { out: hidden, in: heads * valueDim, shard: "row", units: heads },
      ),
    ];
  };
}

/** `in` as `q`: at once, or by way of a low rank. */
function latentQueries(
  { hidden, heads, eps }: DecoderSize,
  { queryRank, nopeDim, ropeDim }: LatentSize,
  at: { readonly path: string; readonly in: Value },
): readonly Op[] {
  const queries = { out: heads * (nopeDim + ropeDim), shard: "column", units: heads } as const;
  if (queryRank === undefined) {
    return [linear(`${at.path}.q_proj`, { in: at.in, out: "q" }, { ...queries, in: hidden })];
  }
  const down = { out: queryRank, in: hidden, shard: "replicated" } as const;
  const width = { width: queryRank, eps };
  return [
    linear(`${at.path}.q_a_proj`, { in: at.in, out: "q-low" }, down),
    norm(`${at.path}.q_a_layernorm`, { in: "q-low", out: "q-normed" }, width),
    linear(`${at.path}.q_b_proj`, { in: "q-normed", out: "q" }, { ...queries, in: queryRank }),
  ];
}
