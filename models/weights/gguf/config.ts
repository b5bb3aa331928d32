/** A GGUF file's metadata as the config.json that the model was converted from. */
import { ConfigReader } from "../../config.ts";
import { ARCHITECTURES, type GgufArchitecture } from "./architectures.ts";
import type { GgufFile } from "./file.ts";

/** What the rotary tensors hold, by name; absent: the file has none. */
export type ReadFactors = (name: string) => readonly number[] | undefined;

/** The architecture by the file's word. Throws ModelConfigError naming those that are read. */
export function architectureOf(metadata: ConfigReader): GgufArchitecture {
  const known = Object.keys(ARCHITECTURES);
  const name = metadata.choice("general.architecture", known);
  return ARCHITECTURES[name] as GgufArchitecture;
}

/** Metadata as checked getters, the lists aside; messages name file and key. */
export function metadataOf({ path, metadata }: GgufFile): ConfigReader {
  return new ConfigReader(Object.fromEntries(metadata), path);
}

/** Throws ModelConfigError that names the key which is missing or of a value that is none. */
export function configOf(file: GgufFile, factors: ReadFactors): Record<string, unknown> {
  const metadata = metadataOf(file);
  const architecture = architectureOf(metadata);
  const prefix = metadata.string("general.architecture");
  const at = (key: string): string => `${prefix}.${key}`;
  const sizes = new Map(file.tensors.map(({ name, shape }) => [name, shape]));
  const heads = metadata.integer(at("attention.head_count"));
  const hidden = metadata.integer(at("embedding_length"));
  const headDim = metadata.integer(at("attention.key_length"), Math.floor(hidden / heads));
  if (metadata.integer(at("attention.value_length"), headDim) !== headDim)
    metadata.fail(at("attention.value_length"), `${headDim}, as ${at("attention.key_length")}`);
  const experts = metadata.integer(at("expert_count"), 0, 0);
  const own = Object.entries(architecture.keys ?? {}).filter(([, key]) => metadata.has(at(key)));
  return {
    architectures: [
      experts > 0 ? (architecture.routedName ?? architecture.name) : architecture.name,
    ],
    hidden_size: hidden,
    num_hidden_layers: metadata.integer(at("block_count")),
    num_attention_heads: heads,
    num_key_value_heads: metadata.integer(at("attention.head_count_kv"), heads),
    head_dim: headDim,
    intermediate_size: metadata.integer(at("feed_forward_length")),
    rms_norm_eps: metadata.number(at("attention.layer_norm_rms_epsilon")),
    max_position_embeddings: metadata.integer(at("context_length")),
    vocab_size: sizes.get("token_embd.weight")?.[0] ?? metadata.integer(at("vocab_size")),
    tie_word_embeddings: !sizes.has("output.weight"),
    attention_bias: sizes.has("blk.0.attn_q.bias") && sizes.has("blk.0.attn_output.bias"),
    mlp_bias: sizes.has("blk.0.ffn_down.bias"),
    ...(experts > 0 && {
      num_local_experts: experts,
      num_experts: experts,
      num_experts_per_tok: metadata.integer(at("expert_used_count")),
      moe_intermediate_size: metadata.optionalInteger(at("expert_feed_forward_length")),
    }),
    ...rotary(metadata, { at, headDim, factors }),
    ...(prefix === "gemma3" && {
      query_pre_attn_scalar: gemmaScalar(metadata, hidden / heads, headDim),
    }),
    ...architecture.config,
    ...Object.fromEntries(own.map(([name, key]) => [name, metadata.raw(at(key))])),
    ...endsOf(metadata),
  };
}

/** Gemma 3 of 27B alone scales its scores by another size than its heads', and llama.cpp knows it by its layers. */
function gemmaScalar(metadata: ConfigReader, share: number, headDim: number): number {
  return metadata.integer("gemma3.block_count") === 62 ? share : headDim;
}

interface Turning {
  readonly at: (key: string) => string;
  readonly headDim: number;
  readonly factors: ReadFactors;
}

function rotary(metadata: ConfigReader, { at, headDim, factors }: Turning): object {
  const turned = metadata.integer(at("rope.dimension_count"), headDim);
  const theta = metadata.number(at("rope.freq_base"), 10_000);
  const scaling = scalingOf(metadata, at, factors);
  return {
    rope_theta: theta,
    ...(turned !== headDim && { partial_rotary_factor: turned / headDim }),
    ...(scaling && { rope_scaling: scaling }),
  };
}

/** Llama 3's scaling comes as a factor a pair (`rope_freqs`), LongRoPE's as two lists of them. */
function scalingOf(
  metadata: ConfigReader,
  at: Turning["at"],
  factors: ReadFactors,
): Readonly<Record<string, unknown>> | undefined {
  const context = metadata.integer(at("context_length"));
  const original = metadata.integer(at("rope.scaling.original_context_length"), context);
  const long = factors("rope_factors_long.weight");
  const short = factors("rope_factors_short.weight");
  const fixed = factors("rope_freqs.weight");
  if (long !== undefined && short !== undefined)
    return {
      rope_type: "longrope",
      long_factor: long,
      short_factor: short,
      original_max_position_embeddings: original,
      attention_factor: metadata.number(at("rope.scaling.attn_factor"), 1),
    };
  if (fixed !== undefined)
    return {
      rope_type: "longrope",
      long_factor: fixed,
      short_factor: fixed,
      original_max_position_embeddings: context,
      attention_factor: 1,
    };
  const kind = metadata.choice(at("rope.scaling.type"), ["none", "linear", "yarn"], "none");
  const factor = metadata.number(at("rope.scaling.factor"), 1);
  if (kind === "none" || factor === 1) return undefined;
  const fast = metadata.optionalNumber(at("rope.scaling.yarn_beta_fast"));
  const slow = metadata.optionalNumber(at("rope.scaling.yarn_beta_slow"));
  return {
    rope_type: kind,
    factor,
    ...(kind === "yarn" && { original_max_position_embeddings: original }),
    ...(fast !== undefined && { beta_fast: fast }),
    ...(slow !== undefined && { beta_slow: slow }),
  };
}

/** Ids that begin and end a text. */
function endsOf(metadata: ConfigReader): object {
  const begin = metadata.optionalInteger("tokenizer.ggml.bos_token_id", 0);
  const ends = ["eos", "eot", "eom"].flatMap(
    (name) => metadata.optionalInteger(`tokenizer.ggml.${name}_token_id`, 0) ?? [],
  );
  return {
    ...(begin !== undefined && { bos_token_id: begin }),
    ...(ends.length > 0 && { eos_token_id: [...new Set(ends)] }),
  };
}
