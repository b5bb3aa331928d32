/**
 * A small random model with the bundled vocabulary, and PEFT adapters of it, all drawn from a
 * seed: what the goldens of test/conformance/adapters were asked of, made again by the tests.
 *
 *     node --import tsx scripts/maintain/goldens/adapter-folders.ts OUT
 */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { adaptedProducts } from "../../../models/adapters.ts";
import { architectureWeights } from "../../../models/architecture.ts";
import { describe } from "../../../models/registry.ts";
import { writeSafetensors } from "../../../models/weights/write.ts";

const BUNDLED = fileURLToPath(new URL("../../../models/bundled/trainyard-tiny/", import.meta.url));

/** Heads of 32: vLLM's CPU build computes no smaller ones. */
export const BASE_CONFIG = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 8192,
  hidden_size: 256,
  intermediate_size: 512,
  num_hidden_layers: 4,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 32,
  max_position_embeddings: 512,
  rope_theta: 10_000,
  rms_norm_eps: 1e-5,
  hidden_act: "silu",
  tie_word_embeddings: false,
  bos_token_id: 0,
  eos_token_id: 2,
  torch_dtype: "float32",
} as const;

export interface AdapterShape {
  readonly rank: number;
  readonly alpha: number;
  readonly rslora?: boolean;
  /** Absent: all seven. */
  readonly targets?: readonly string[];
  readonly seed: number;
  readonly dtype?: "F32" | "BF16";
}

/** The adapters that vLLM was asked with. */
export const ADAPTERS: Readonly<Record<string, AdapterShape>> = {
  r8: { rank: 8, alpha: 16, seed: 8 },
  r64: { rank: 64, alpha: 32, rslora: true, seed: 64 },
};

/** Numbers in [−1, 1) that repeat with the seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

interface Drawn {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

function write(path: string, drawn: readonly Drawn[], dtype = "F32"): void {
  const tensors = drawn.map(({ name, shape, data }) => {
    const bytes = dtype === "F32" ? new Uint8Array(data.buffer) : halves(data);
    return { name, dtype, shape, bytes: bytes.byteLength, data: () => bytes };
  });
  writeSafetensors(path, tensors);
}

/** The upper halves of F32: BF16, cut. */
function halves(data: Float32Array): Uint8Array {
  const words = new Uint16Array(data.buffer);
  return new Uint8Array(
    Uint16Array.from({ length: data.length }, (_, i) => words[2 * i + 1] ?? 0).buffer,
  );
}

/** Even noise of the deviation that keeps a product's outputs as large as its inputs, and a bit more. */
export function makeBase(
  folder: string,
  config: Readonly<Record<string, unknown>> = BASE_CONFIG,
): void {
  mkdirSync(folder, { recursive: true });
  for (const file of ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]) {
    cpSync(join(BUNDLED, file), join(folder, file));
  }
  writeFileSync(join(folder, "config.json"), JSON.stringify(config, null, 2));
  const random = seeded(1);
  const drawn = architectureWeights(describe(config)).map(({ name, shape }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const half =
      shape.length === 1 ? 0.3 : name.includes("embed") ? 1 : 3.5 / Math.sqrt(shape[1] ?? 1);
    const middle = name.endsWith("norm.weight") ? 1 : 0;
    return {
      name,
      shape,
      data: Float32Array.from({ length: count }, () => middle + half * random()),
    };
  });
  write(join(folder, "model.safetensors"), drawn);
}

/** What it adds is about half as large as what the weights give. */
export function makeAdapter(
  folder: string,
  { rank, alpha, rslora = false, targets, seed, dtype = "F32" }: AdapterShape,
  config: Readonly<Record<string, unknown>> = BASE_CONFIG,
): void {
  mkdirSync(folder, { recursive: true });
  const random = seeded(seed);
  const scale = rslora ? alpha / Math.sqrt(rank) : alpha / rank;
  const drawn: Drawn[] = [];
  for (const [path, { weight }] of adaptedProducts(describe(config))) {
    if (targets && !targets.some((target) => path.endsWith(`.${target}`))) continue;
    const [out = 0, width = 0] = weight.shape;
    const name = `base_model.model.${path}`;
    const draw = (count: number, half: number): Float32Array =>
      Float32Array.from({ length: count }, () => half * random());
    const a = draw(rank * width, Math.sqrt(3 / width));
    const b = draw(out * rank, Math.sqrt(3 / rank) / scale);
    drawn.push({ name: `${name}.lora_A.weight`, shape: [rank, width], data: a });
    drawn.push({ name: `${name}.lora_B.weight`, shape: [out, rank], data: b });
  }
  write(join(folder, "adapter_model.safetensors"), drawn, dtype);
  const told = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: "base",
    r: rank,
    lora_alpha: alpha,
    use_rslora: rslora,
    target_modules: targets ?? [
      "q_proj",
      "k_proj",
      "v_proj",
      "o_proj",
      "gate_proj",
      "up_proj",
      "down_proj",
    ],
    bias: "none",
    lora_dropout: 0,
  };
  writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(told, null, 2));
}

/** OUT/base, and a folder for each of ADAPTERS. */
export function makeFolders(
  out: string,
  config: Readonly<Record<string, unknown>> = BASE_CONFIG,
): void {
  makeBase(join(out, "base"), config);
  for (const [name, shape] of Object.entries(ADAPTERS)) makeAdapter(join(out, name), shape, config);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , out] = process.argv;
  if (out === undefined) throw new Error("usage: adapter-folders.ts OUT");
  makeFolders(out);
}
