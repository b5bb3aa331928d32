/** Small models with random F32 weights, made in a temporary folder: for tests of devices. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { architectureWeights } from "../../models/architecture.ts";
import type { Model, StoredTensor } from "../../models/model.ts";
import type { Weight } from "../../models/ops.ts";
import { describeComputed } from "../../models/registry.ts";

export const QWEN_LIKE = {
  architectures: ["Qwen2ForCausalLM"],
  model_type: "qwen2",
  hidden_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  intermediate_size: 160,
  vocab_size: 301,
  max_position_embeddings: 1024,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  tie_word_embeddings: true,
} as const;

export const MISTRAL_LIKE = {
  ...QWEN_LIKE,
  architectures: ["MistralForCausalLM"],
  model_type: "mistral",
  head_dim: 20,
  sliding_window: 37,
  tie_word_embeddings: false,
} as const;

/** Latent attention in dense layers. */
export const DEEPSEEK_LIKE = {
  ...QWEN_LIKE,
  architectures: ["DeepseekV3ForCausalLM"],
  model_type: "deepseek_v3",
  q_lora_rank: 40,
  kv_lora_rank: 48,
  qk_nope_head_dim: 20,
  qk_rope_head_dim: 12,
  v_head_dim: 16,
  first_k_dense_replace: 2,
  moe_intermediate_size: 32,
  n_routed_experts: 4,
  num_experts_per_tok: 2,
  tie_word_embeddings: false,
} as const;

/** Experts enough that each is one thread's. */
export const MOE_LIKE = {
  ...QWEN_LIKE,
  architectures: ["Qwen3MoeForCausalLM"],
  model_type: "qwen3_moe",
  hidden_size: 128,
  num_attention_heads: 4,
  head_dim: 32,
  intermediate_size: 64,
  moe_intermediate_size: 64,
  num_experts: 20,
  num_experts_per_tok: 4,
  norm_topk_prob: true,
} as const;

/** Numbers in [0, 1) that repeat with the seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface RandomModel {
  readonly model: Model;
  remove(): void;
}

/** As a checkpoint stores it: a stack by name pattern is a tensor an expert. */
function tensorsOf(weight: Weight): readonly Pick<Weight, "name" | "shape">[] {
  const { name, shape } = weight.within ?? weight;
  if (!name.includes("{e}")) return [{ name, shape }];
  return Array.from({ length: shape[0] ?? 0 }, (_, expert) => ({
    name: name.replace("{e}", String(expert)),
    shape: shape.slice(1),
  }));
}

/** Weights uniform around 0 (norms around 1), so that logits spread over a few units. */
export function randomModel(config: Readonly<Record<string, unknown>>, seed = 1): RandomModel {
  const random = seeded(seed);
  const folder = mkdtempSync(join(tmpdir(), "trainyard-test-"));
  const architecture = describeComputed(config);
  const tensors = new Map<string, StoredTensor>();
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const { name, shape } of architectureWeights(architecture).flatMap(tensorsOf)) {
    if (tensors.has(name)) continue;
    const count = shape.reduce((product, size) => product * size, 1);
    const scale = shape.length === 1 ? 0.2 : 2 / Math.sqrt(shape[1] ?? 1);
    const middle = name.endsWith("norm.weight") ? 1 : 0;
    const data = Float32Array.from({ length: count }, () => middle + (random() - 0.5) * scale * 2);
    parts.push(new Uint8Array(data.buffer));
    const begin = end;
    end += data.byteLength;
    tensors.set(name, { name, file: "weights.bin", dtype: "F32", shape, begin, end });
  }
  writeFileSync(join(folder, "weights.bin"), Buffer.concat(parts));
  return {
    model: {
      source: folder,
      config,
      architecture,
      format: "f32",
      checkpoint: { folder, tensors, bytes: end },
      generation: { eosTokenIds: [] },
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
