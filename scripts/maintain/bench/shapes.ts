/** Shapes of the models that benchmarks run, as config.json says them. */
export type ShapeConfig = {
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

const COMMON = {
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: true,
  hidden_act: "silu",
} as const;

/** huggingface.co/Qwen/Qwen2.5-0.5B/blob/main/config.json */
export const SHAPE_494M: ShapeConfig = {
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
};

/** The same, with rows of whole blocks of 256: of 896 no type of these blocks can be made. */
export const SHAPE_OF_256: ShapeConfig = {
  ...SHAPE_494M,
  hidden_size: 1024,
  num_attention_heads: 16,
  intermediate_size: 3840,
};

/** huggingface.co/HuggingFaceTB/SmolLM2-135M/blob/main/config.json */
export const SHAPE_135M: ShapeConfig = {
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
};

/** 1.3B parameters, of which a token uses 0.25B: of no model, made for its size. */
export const SHAPE_MOE: ShapeConfig = {
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
};
