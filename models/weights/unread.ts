/**
 * Weights that stand in a model's folder and cannot be read: what they are, and
 * what to do. Nobody shall be served a simulation because a file is missing.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { ConfigReader } from "../config.ts";
import { isDangling, isLfsPointer } from "./files.ts";
import { READ_METHODS } from "./packing.ts";

/** Files that hold weights, by name, and what becomes of them. */
const KINDS: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [
    /^adapter_(model|config)\./,
    "an adapter without its base model; serve the base with --enable-lora, or merge the two",
  ],
  [/^consolidated.*\.safetensors$/, "Mistral's own layout; use the Hugging Face one"],
  [/^model-\d+-of-\d+\.safetensors$/, "shards without their model.safetensors.index.json"],
  [/\.safetensors$/, "of another name than model.safetensors"],
  [/\.gguf$/, "a GGUF file is a model by itself; give its own path, not the folder's"],
  [/\.(bin|pt|pth|ckpt)$/, "PyTorch files are not read; save the model as safetensors"],
  [/\.(npz|h5|msgpack|onnx|tflite)$/, "only safetensors are read"],
];

/** Files of a training run beside the weights. */
const NO_WEIGHTS = /^(training_args|optimizer|scheduler|rng_state|scaler)/;

/** Why the folder's weights are not read, in one sentence; undefined: they can be, or there are none. */
export function unreadWeights(folder: string, config: ConfigReader): string | undefined {
  const names = readdirSync(folder).sort();
  const readable = names.filter((name) => /^model\.safetensors(\.index\.json)?$/.test(name));
  for (const name of names) {
    if (!isWeights(name)) continue;
    if (isDangling(join(folder, name))) return `${join(folder, name)}: a link to nothing`;
    if (isLfsPointer(join(folder, name))) {
      return `${join(folder, name)}: a Git LFS pointer, not the weights; run git lfs pull in the folder`;
    }
  }
  if (readable.length > 0) return quantized(config);
  for (const [pattern, advice] of KINDS) {
    const found = names.filter((name) => pattern.test(name) && !NO_WEIGHTS.test(name));
    const [first] = found;
    if (first === undefined) continue;
    const more = found.length > 1 ? ` and ${found.length - 1} more` : "";
    return `${join(folder, first)}${more}: ${advice}`;
  }
  return undefined;
}

function isWeights(name: string): boolean {
  return (
    name.startsWith("model.safetensors") ||
    (KINDS.some(([pattern]) => pattern.test(name)) && !NO_WEIGHTS.test(name))
  );
}

function quantized(config: ConfigReader): string | undefined {
  if (config.section("quantization")?.has("group_size")) {
    return `${config.file}: "quantization" is MLX's; MLX weights are not read, use the model they were made from`;
  }
  const section = config.section("quantization_config");
  const method = section?.raw("quant_method");
  if (method === undefined || READ_METHODS.some((name) => name === method)) return undefined;
  return `${config.file}: "quantization_config.quant_method" says ${String(method)}, which is not read (${READ_METHODS.join(", ")} are); use the model it was made from, which --quantization int8 or int4 packs when it is loaded`;
}
