/**
 * The architectures of GGUF files that are read: what llama.cpp calls their tensors against
 * the names of Hugging Face, and how its converter changed them. `general.architecture` names one.
 */

/** A name within a layer, and what it is called in a Hugging Face checkpoint. */
type Names = Readonly<Record<string, string>>;

export interface GgufArchitecture {
  /** `architectures` of config.json; of its experts where it has any. */
  readonly name: string;
  readonly routedName?: string;
  /** Modules within a layer. */
  readonly layer: Names;
  /** Stacks of experts, `{e}` being one. */
  readonly experts?: Names;
  /** Rows of q and k were laid so that pairs of a rotation are neighbours. */
  readonly interleaved?: true;
  /** 1 was added to norms. */
  readonly normsPlusOne?: true;
  /** Settings that the file's keys do not say. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Settings under keys of its own: config.json's against `ARCHITECTURE.…`. */
  readonly keys?: Names;
}

const ATTENTION: Names = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
};
const HEAD_NORMS: Names = { attn_q_norm: "self_attn.q_norm", attn_k_norm: "self_attn.k_norm" };
const MLP: Names = {
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};
const DENSE: Names = { ...ATTENTION, ffn_norm: "post_attention_layernorm", ...MLP };
const GEMMA = { normsPlusOne: true, config: { hidden_activation: "gelu_pytorch_tanh" } } as const;

export const ARCHITECTURES: Readonly<Record<string, GgufArchitecture>> = {
  llama: {
    name: "LlamaForCausalLM",
    routedName: "MixtralForCausalLM",
    layer: { ...DENSE, ffn_gate_inp: "block_sparse_moe.gate" },
    experts: {
      ffn_gate: "block_sparse_moe.experts.{e}.w1",
      ffn_up: "block_sparse_moe.experts.{e}.w3",
      ffn_down: "block_sparse_moe.experts.{e}.w2",
    },
    interleaved: true,
  },
  qwen2: { name: "Qwen2ForCausalLM", layer: DENSE },
  qwen3: { name: "Qwen3ForCausalLM", layer: { ...DENSE, ...HEAD_NORMS } },
  qwen3moe: {
    name: "Qwen3MoeForCausalLM",
    routedName: "Qwen3MoeForCausalLM",
    layer: { ...DENSE, ...HEAD_NORMS, ffn_gate_inp: "mlp.gate" },
    experts: {
      ffn_gate: "mlp.experts.{e}.gate_proj",
      ffn_up: "mlp.experts.{e}.up_proj",
      ffn_down: "mlp.experts.{e}.down_proj",
    },
    // llama.cpp always scales the chosen weights to sum to 1.
    config: { norm_topk_prob: true },
  },
  phi3: {
    name: "Phi3ForCausalLM",
    layer: { ...DENSE, attn_qkv: "self_attn.qkv_proj", ffn_up: "mlp.gate_up_proj" },
    keys: { sliding_window: "attention.sliding_window" },
  },
  gemma: { name: "GemmaForCausalLM", layer: DENSE, ...GEMMA },
  gemma2: { name: "Gemma2ForCausalLM", layer: DENSE, ...GEMMA },
  gemma3: {
    name: "Gemma3ForCausalLM",
    layer: {
      ...ATTENTION,
      ...HEAD_NORMS,
      ...MLP,
      post_attention_norm: "post_attention_layernorm",
      ffn_norm: "pre_feedforward_layernorm",
      post_ffw_norm: "post_feedforward_layernorm",
    },
    ...GEMMA,
    keys: {
      sliding_window: "attention.sliding_window",
      rope_local_base_freq: "rope.freq_base_swa",
      final_logit_softcapping: "final_logit_softcapping",
    },
  },
};
