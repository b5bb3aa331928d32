/**
 * Keys of `--additional-config` as vLLM's plug-in for Neuron and NxD Inference have them.
 * A key that is none of these is a slip, and refused: what it meant to set would silently not be.
 */

/** Keys of the object itself. */
const OUTER: ReadonlySet<string> = new Set(["neuron_config", "override_neuron_config"]);

/** Read here. */
const READ = [
  "batch_size",
  "decode_context_length_buckets",
  "logical_nc_config",
  "moe_ep_degree",
  "num_batched_tokens_buckets",
  "num_seqs_buckets",
  "on_device_sampling_config",
  "quantization",
  "quantization_dtype",
  "seq_len",
] as const;

/** Known there, and without effect on a price here. */
const WITHOUT_EFFECT = [
  "async_mode",
  "attention_dtype",
  "attn_block_cte_nki_kernel_enabled",
  "attn_block_tkg_nki_kernel_enabled",
  "attn_kernel_enabled",
  "attn_tkg_nki_kernel_enabled",
  "buckets",
  "cast_type",
  "cc_pipeline_tiling_factor",
  "chunked_prefill_config",
  "context_encoding_buckets",
  "cp_degree",
  "ctx_batch_size",
  "attention_dp_degree",
  "enable_bucketing",
  "enable_eagle_draft_input_norm",
  "enable_eagle_speculation",
  "enable_fused_speculation",
  "enable_output_completion_notifications",
  "ep_degree",
  "flash_decoding_enabled",
  "fused_qkv",
  "is_block_kv_layout",
  "is_chunked_prefill",
  "is_continuous_batching",
  "is_eagle3",
  "is_prefill_stage",
  "is_prefix_caching",
  "kv_cache_batch_size",
  "kv_cache_quant",
  "kv_segment_size_buckets",
  "k_cache_transposed",
  "lm_head_pad",
  "max_batch_size",
  "max_context_length",
  "max_length",
  "max_new_tokens",
  "mlp_kernel_enabled",
  "mlp_kernel_fuse_residual_add",
  "mlp_tkg_nki_kernel_enabled",
  "modules_to_not_convert",
  "moe_tp_degree",
  "n_active_tokens",
  "n_positions",
  "output_logits",
  "pa_block_size",
  "pa_num_blocks",
  "padding_side",
  "prefix_buckets",
  "qk_layernorm",
  "qkv_kernel_enabled",
  "qkv_kernel_nbsd_layout",
  "quantization_type",
  "quantized",
  "quantized_checkpoints_path",
  "quantized_mlp_kernel_enabled",
  "rmsnorm_quantize_kernel_enabled",
  "rpl_reduce_dtype",
  "save_sharded_checkpoint",
  "scratchpad_page_size",
  "sequence_parallel_enabled",
  "skip_sharding",
  "skip_warmup",
  "speculation_length",
  "strided_context_parallel_kernel_enabled",
  "tkg_batch_size",
  "token_generation_buckets",
  "torch_dtype",
  "tp_degree",
  "vocab_parallel",
  "weights_to_skip_layout_optimization",
  "world_size",
] as const;

const INNER: ReadonlySet<string> = new Set([...READ, ...WITHOUT_EFFECT]);

/** Throws an Error that names the first key that is not known, and those that have an effect. */
export function checkNeuronKeys(
  outer: Readonly<Record<string, unknown>>,
  inner: Readonly<Record<string, unknown>>,
): void {
  const strange = Object.keys(outer).find((key) => !OUTER.has(key));
  if (strange !== undefined) {
    const inside = INNER.has(strange) ? ` Write it inside neuron_config.` : "";
    throw new Error(
      `--additional-config: the key "${strange}" is not known; known are ${[...OUTER].join(", ")}.${inside}`,
    );
  }
  const unknown = Object.keys(inner).find((key) => !INNER.has(key));
  if (unknown !== undefined) {
    throw new Error(
      `--additional-config: neuron_config has no key "${unknown}"; those with an effect are ${READ.join(", ")}.`,
    );
  }
}
