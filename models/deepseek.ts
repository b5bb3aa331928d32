/**
 * Multi-head latent attention with routed experts: DeepSeek-V2, V3 and R1, Kimi-K2, and as
 * far as costs go GLM-4.7-Flash, GLM-5, Mistral-Small-4. The cache holds one latent and one
 * rotary key a token (DeepSeek-V2, arXiv 2405.04434, §2.1). Sparse indexers
 * (GLM-5) are not described: attention is taken as full.
 */

import type { Architecture } from "./architecture.ts";
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
import { type Rotary, readRotary, yarnWarmth } from "./rope.ts";

interface LatentSize {
  readonly queryRank: number | undefined;
  readonly latentDim: number;
  readonly nopeDim: number;
  readonly ropeDim: number;
  readonly valueDim: number;
}

/** What is computed beside what is priced: published measurements were fitted by the latter. */
type Reading = "computed" | "priced";

const COMPUTED = ["DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM", "KimiK2ForCausalLM"];

export const deepseek: Family = {
  name: "deepseek_v3",
  architectures: [
    ...COMPUTED,
    "Glm4MoeLiteForCausalLM",
    "GlmMoeDsaForCausalLM",
    "Mistral4ForCausalLM",
  ],
  pricedOnly: (config) =>
    config.strings("architectures", []).some((name) => !COMPUTED.includes(name))
      ? "indexers or scalings of its own are not built"
      : undefined,
  describe: (config) => describeAs("computed", config),
  priced: (config) => describeAs("priced", config),
};

function describeAs(reading: Reading, config: ConfigReader): Architecture {
  const latent: LatentSize = {
    queryRank: config.optionalInteger("q_lora_rank"),
    latentDim: config.integer("kv_lora_rank"),
    nopeDim: config.integer("qk_nope_head_dim"),
    ropeDim: config.integer("qk_rope_head_dim"),
    valueDim: config.integer("v_head_dim"),
  };
  const size: DecoderSize = {
    hidden: config.integer("hidden_size"),
    layers: config.integer("num_hidden_layers"),
    vocabSize: config.integer("vocab_size"),
    ...readContext(config),
    heads: config.integer("num_attention_heads"),
    kvHeads: 1,
    headDim: latent.nopeDim + latent.ropeDim,
    eps: config.number("rms_norm_eps", 1e-6),
    tiedHead: config.boolean("tie_word_embeddings", false),
  };
  const dense = config.integer("first_k_dense_replace", 0, 0);
  const moe = routedExperts(config, size.hidden);
  const mlp = gatedMlp(size.hidden, {
    intermediate: config.integer("intermediate_size"),
    activation: readActivation(config),
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
    attention: latentAttention(config, size, latent, reading),
    mlp: (at) => (at.layer < dense ? mlp(at) : moe(at)),
  });
}

/** V2 scores by softmax, V3 by sigmoid with a correction for choosing; groups of experts are chosen first. */
function routedExperts(config: ConfigReader, hidden: number): Block {
  const second = config.strings("architectures", []).includes("DeepseekV2ForCausalLM");
  const experts = config.integer("moe_intermediate_size");
  const shared = config.integer("n_shared_experts", 1, 0);
  const greedy = second && config.string("topk_method", "greedy") === "greedy";
  return moeBlock(hidden, {
    experts: config.integer(
      config.has("n_routed_experts") ? "n_routed_experts" : "num_local_experts",
    ),
    topK: config.integer("num_experts_per_tok"),
    intermediate: experts,
    activation: readActivation(config),
    scoring: config.choice("scoring_func", ["sigmoid", "softmax"], second ? "softmax" : "sigmoid"),
    normalise: config.boolean("norm_topk_prob", !second),
    scale: config.number("routed_scaling_factor", 1),
    groups: greedy ? 1 : config.integer("n_group", 1),
    groupsChosen: greedy ? 1 : config.integer("topk_group", 1),
    choiceBias: !second,
    ...(shared > 0 && {
      shared: { intermediate: shared * experts, module: "mlp.shared_experts" },
    }),
  });
}

/** x → (down → norm → up) queries; x → latent and rotary key; attention in the latent space → output. */
function latentAttention(
  config: ConfigReader,
  size: DecoderSize,
  latent: LatentSize,
  reading: Reading,
): Block {
  const { hidden, heads, eps } = size;
  const { latentDim, nopeDim, ropeDim, valueDim } = latent;
  if (reading === "computed" && config.boolean("attention_bias", false))
    config.fail("attention_bias", "false: latent attention with biases is not built");
  const rotary: Rotary = {
    ...readRotary(config, ropeDim),
    ...(config.boolean("rope_interleave", true) && { interleaved: true }),
  };
  const low = reading === "computed" ? apart : together;
  return (at) => {
    const path = `${at.path}.self_attn`;
    return [
      ...latentQueries(size, latent, { path, in: at.in }),
      ...low(hidden, latent, { path, in: at.in }),
      norm(`${path}.kv_a_layernorm`, { in: "kv-low", out: "latent" }, { width: latentDim, eps }),
      {
        op: "rope",
        path: `${path}.rotary_emb`,
        in: reading === "computed" ? "rope-low" : "kv-low",
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
        scale: yarnWarmth(rotary) ** 2 / Math.sqrt(nopeDim + ropeDim),
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

type Lowered = (
  hidden: number,
  latent: LatentSize,
  at: { readonly path: string; readonly in: Value },
) => readonly Op[];

/** Latent and rotary key by one product. */
const together: Lowered = (hidden, { latentDim, ropeDim }, at) => [
  linear(
    `${at.path}.kv_a_proj_with_mqa`,
    { in: at.in, out: "kv-low" },
    { out: latentDim + ropeDim, in: hidden, shard: "replicated" },
  ),
];

/** The same as two values. */
const apart: Lowered = (hidden, { latentDim, ropeDim }, at) => {
  const path = `${at.path}.kv_a_proj_with_mqa`;
  const rows = (name: string, out: Value, row: number, count: number): Op =>
    linear(
      `${path}.${name}`,
      { in: at.in, out },
      {
        out: count,
        in: hidden,
        shard: "replicated",
        within: { path, out: latentDim + ropeDim, row },
      },
    );
  return [rows("latent", "kv-low", 0, latentDim), rows("rope", "rope-low", latentDim, ropeDim)];
};

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
