/** A model by its config.json alone, as the catalogue has them: nothing is read from a disk. */
import { ConfigReader } from "./config.ts";
import type { Model } from "./model.ts";
import type { WeightFormat } from "./ops.ts";
import { describe } from "./registry.ts";

const DTYPES: Readonly<Record<string, WeightFormat>> = {
  float32: "f32",
  float16: "f16",
  bfloat16: "bf16",
};

/** Format of most weights, as config.json declares it. */
export function declaredFormat(config: ConfigReader): WeightFormat {
  const method = config.section("quantization_config")?.raw("quant_method");
  if (method === "fp8" || method === "compressed-tensors") return "fp8";
  const dtype = config.raw("dtype") ?? config.raw("torch_dtype");
  return DTYPES[String(dtype)] ?? "bf16";
}

/** Without weights, words and an end of text. Throws ModelConfigError. */
export function declaredModel(config: Readonly<Record<string, unknown>>, source: string): Model {
  const reader = new ConfigReader(config, source);
  return {
    source,
    config,
    architecture: describe(config, source),
    format: declaredFormat(reader),
    generation: { eosTokenIds: reader.integers("eos_token_id", []) },
  };
}
