/** How a config.json says that its weights are encoded. */
import type { ConfigReader } from "./config.ts";
import type { WeightFormat } from "./ops.ts";

const DTYPES: Readonly<Record<string, WeightFormat>> = {
  float32: "f32",
  float16: "f16",
  bfloat16: "bf16",
};

/** Format of most weights: by `quantization_config`, else by `dtype`. */
export function declaredFormat(config: ConfigReader): WeightFormat {
  const section = config.section("quantization_config");
  const quantized = section && quantizedFormat(section);
  if (quantized !== undefined) return quantized;
  const dtype = config.raw("dtype") ?? config.raw("torch_dtype");
  return DTYPES[String(dtype)] ?? "bf16";
}

/** Undefined: not of most weights (MXFP4 is of the experts alone), or not known. */
function quantizedFormat(section: ConfigReader): WeightFormat | undefined {
  switch (String(section.raw("quant_method")).toLowerCase()) {
    case "fp8":
    case "fbgemm_fp8":
      return "fp8";
    case "modelopt":
      return /fp8/i.test(String(section.raw("quant_algo") ?? "fp8")) ? "fp8" : "mxfp4";
    case "compressed-tensors":
      return compressedFormat(section);
    case "bitsandbytes":
      return section.boolean("load_in_4bit", false) ? "int4" : "int8";
    case "mxfp4":
    case "undefined":
      return undefined;
    default:
      return integerFormat(
        section.raw("bits") ??
          section.raw("w_bit") ??
          section.raw("nbits") ??
          section.raw("num_bits"),
      );
  }
}

/** The first group of compressed-tensors speaks for all: `{ weights: { num_bits, type } }`. */
function compressedFormat(section: ConfigReader): WeightFormat {
  const groups = section.section("config_groups");
  const weights = groups?.section("group_0")?.section("weights") ?? section.section("weights");
  const bits = weights?.raw("num_bits");
  if (weights === undefined || weights.raw("type") !== "int") return bits === 4 ? "mxfp4" : "fp8";
  return integerFormat(bits) ?? "int8";
}

function integerFormat(bits: unknown): WeightFormat | undefined {
  return bits === 4 ? "int4" : bits === 8 ? "int8" : undefined;
}
