/** Shapes that are compared with llama.cpp, and the tensors of each in both its namings. */

export interface Shape {
  /** config.json. */
  readonly config: {
    readonly hidden_size: number;
    readonly num_hidden_layers: number;
    readonly num_attention_heads: number;
    readonly num_key_value_heads: number;
    readonly head_dim: number;
    readonly intermediate_size: number;
    readonly vocab_size: number;
    readonly max_position_embeddings: number;
    readonly rms_norm_eps: number;
    readonly rope_theta: number;
    readonly moe_intermediate_size?: number;
    readonly num_experts?: number;
    readonly num_experts_per_tok?: number;
  } & Readonly<Record<string, unknown>>;
  /** GGUF's `general.architecture`. */
  readonly arch: "qwen2" | "llama" | "qwen3moe";
}

const COMMON = {
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: true,
  hidden_act: "silu",
} as const;

export const SHAPES: Readonly<Record<string, Shape>> = {
  /** huggingface.co/Qwen/Qwen2.5-0.5B/blob/main/config.json */
  "494m": {
    arch: "qwen2",
    config: {
      ...COMMON,
      architectures: ["Qwen2ForCausalLM"],
      model_type: "qwen2",
      hidden_size: 896,
      num_hidden_layers: 24,
      num_attention_heads: 14,
      num_key_value_heads: 2,
      head_dim: 64,
      intermediate_size: 4864,
      vocab_size: 151_936,
      rope_theta: 1_000_000,
    },
  },
  /** huggingface.co/HuggingFaceTB/SmolLM2-135M/blob/main/config.json */
  "135m": {
    arch: "llama",
    config: {
      ...COMMON,
      architectures: ["LlamaForCausalLM"],
      model_type: "llama",
      hidden_size: 576,
      num_hidden_layers: 30,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      head_dim: 64,
      intermediate_size: 1536,
      vocab_size: 49_152,
      rope_theta: 100_000,
    },
  },
  /** 1.3B parameters, of which a token uses 0.25B: of no model, made for its size. */
  moe: {
    arch: "qwen3moe",
    config: {
      ...COMMON,
      architectures: ["Qwen3MoeForCausalLM"],
      model_type: "qwen3_moe",
      hidden_size: 1024,
      num_hidden_layers: 16,
      num_attention_heads: 16,
      num_key_value_heads: 4,
      head_dim: 64,
      intermediate_size: 768,
      moe_intermediate_size: 768,
      num_experts: 32,
      num_experts_per_tok: 4,
      norm_topk_prob: true,
      vocab_size: 49_152,
      rope_theta: 1_000_000,
    },
  },
};

/** A tensor of llama.cpp's, and those of the folder that it holds one after the other. */
export interface Pair {
  readonly gguf: string;
  readonly names: readonly string[];
  /** Of one of `names`, row-major. */
  readonly shape: readonly number[];
}

export function tensorPairs({ config, arch }: Shape): readonly Pair[] {
  const { hidden_size: hidden, head_dim: head, vocab_size: vocab } = config;
  const [q, kv] = [config.num_attention_heads * head, config.num_key_value_heads * head];
  const one = (gguf: string, name: string, ...shape: number[]): Pair => ({
    gguf,
    names: [name],
    shape,
  });
  const layer = (index: number): readonly Pair[] => {
    const [mine, its] = [`model.layers.${index}`, `blk.${index}`];
    const width = { q, k: kv, v: kv } as const;
    const attention = (["q", "k", "v"] as const).flatMap((part) => [
      one(
        `${its}.attn_${part}.weight`,
        `${mine}.self_attn.${part}_proj.weight`,
        width[part],
        hidden,
      ),
      ...(arch === "qwen2"
        ? [one(`${its}.attn_${part}.bias`, `${mine}.self_attn.${part}_proj.bias`, width[part])]
        : []),
      ...(arch === "qwen3moe" && part !== "v"
        ? [one(`${its}.attn_${part}_norm.weight`, `${mine}.self_attn.${part}_norm.weight`, head)]
        : []),
    ]);
    return [
      one(`${its}.attn_norm.weight`, `${mine}.input_layernorm.weight`, hidden),
      ...attention,
      one(`${its}.attn_output.weight`, `${mine}.self_attn.o_proj.weight`, hidden, q),
      one(`${its}.ffn_norm.weight`, `${mine}.post_attention_layernorm.weight`, hidden),
      ...(arch === "qwen3moe" ? experts(config, mine, its) : dense(config, mine, its)),
    ];
  };
  return [
    one("token_embd.weight", "model.embed_tokens.weight", vocab, hidden),
    ...Array.from({ length: config.num_hidden_layers }, (_, index) => layer(index)).flat(),
    one("output_norm.weight", "model.norm.weight", hidden),
  ];
}

const PARTS = ["gate", "up", "down"] as const;

/** [out, in] of a feed-forward matrix. */
const sizeOf = (part: (typeof PARTS)[number], inner: number, hidden: number): readonly number[] =>
  part === "down" ? [hidden, inner] : [inner, hidden];

function dense(config: Shape["config"], mine: string, its: string): readonly Pair[] {
  return PARTS.map((part) => ({
    gguf: `${its}.ffn_${part}.weight`,
    names: [`${mine}.mlp.${part}_proj.weight`],
    shape: sizeOf(part, config.intermediate_size, config.hidden_size),
  }));
}

function experts(config: Shape["config"], mine: string, its: string): readonly Pair[] {
  const { hidden_size: hidden, num_experts = 0, moe_intermediate_size: inner = 0 } = config;
  return [
    {
      gguf: `${its}.ffn_gate_inp.weight`,
      names: [`${mine}.mlp.gate.weight`],
      shape: [num_experts, hidden],
    },
    ...PARTS.map((part) => ({
      gguf: `${its}.ffn_${part}_exps.weight`,
      names: Array.from(
        { length: num_experts },
        (_, expert) => `${mine}.mlp.experts.${expert}.${part}_proj.weight`,
      ),
      shape: sizeOf(part, inner, hidden),
    })),
  ];
}
