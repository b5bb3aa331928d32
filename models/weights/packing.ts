/**
 * Finds the weights of quantised checkpoints in what their tools store, and gives them the
 * names and shapes that the architecture knows. Which method it is stands in config.json's
 * `quantization_config`; tensors that a tool left alone stay as they are.
 */
import type { ConfigReader } from "../config.ts";
import type { Checkpoint, Packing, StoredTensor } from "../model.ts";
import { CheckpointError } from "./checkpoint.ts";

/** `quant_method`s that are read. */
export const READ_METHODS = [
  "fp8",
  "fbgemm_fp8",
  "compressed-tensors",
  "mxfp4",
  "gptq",
  "awq",
] as const;

/** The checkpoint with packed weights under their own names. Throws CheckpointError where a part is missing. */
export function unpackNames(checkpoint: Checkpoint, config: ConfigReader): Checkpoint {
  const section = config.section("quantization_config") ?? config.section("compression_config");
  if (section === undefined) return checkpoint;
  const tensors = new Map(checkpoint.tensors);
  const find = (name: string): StoredTensor => {
    const found = checkpoint.tensors.get(name);
    if (found) return found;
    throw new CheckpointError(
      `${checkpoint.folder}: tensor "${name}" is missing beside its packed weight`,
    );
  };
  const put = (
    name: string,
    stored: StoredTensor,
    shape: readonly number[],
    packing: Packing,
  ): void => {
    tensors.set(name, { ...stored, name, shape, packing });
  };
  for (const [name, stored] of checkpoint.tensors) {
    const stem = name.slice(0, name.lastIndexOf("."));
    const at = { stem, stored, section, tensors: checkpoint.tensors, find, put };
    if (name.endsWith(".qweight")) byWords(at);
    else if (name.endsWith(".weight_packed")) packed(at);
    else if (name.endsWith("_blocks")) mxfp4(name, at);
    else if (name.endsWith(".weight") && /^(F8_E4M3|I8)$/.test(stored.dtype)) scaled(at);
  }
  return { ...checkpoint, tensors };
}

interface Found {
  /** Module of the weight. */
  readonly stem: string;
  readonly stored: StoredTensor;
  readonly section: ConfigReader;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly find: (name: string) => StoredTensor;
  readonly put: (
    name: string,
    stored: StoredTensor,
    shape: readonly number[],
    packing: Packing,
  ) => void;
}

/** GPTQ and AWQ. */
function byWords({ stem, stored, section, tensors, find, put }: Found): void {
  const method = section.choice("quant_method", ["gptq", "awq"]);
  const bits = section.integer("bits", section.integer("w_bit", 4));
  if (bits !== 4 && (bits !== 8 || method === "awq"))
    section.fail("bits", method === "awq" ? "4" : "4 or 8");
  const [rows = 0, columns = 0] = stored.shape;
  const each = 32 / bits;
  const shape = method === "gptq" ? [columns, rows * each] : [columns * each, rows];
  const order = tensors.get(`${stem}.g_idx`);
  const second = section.string("checkpoint_format", "gptq") === "gptq_v2";
  put(`${stem}.weight`, stored, shape, {
    kind: method,
    bits,
    scales: find(`${stem}.scales`),
    zeros: find(`${stem}.qzeros`),
    zeroOffset: method === "gptq" && !second ? 1 : 0,
    ...(order && method === "gptq" && { order }),
  });
}

/** compressed-tensors, `pack-quantized`. */
function packed({ stem, stored, section, tensors, find, put }: Found): void {
  const weights = section.section("config_groups")?.section("group_0")?.section("weights");
  const bits = weights?.integer("num_bits", 4) ?? 4;
  if (weights && bits !== 4) weights.fail("num_bits", "4");
  if (tensors.has(`${stem}.weight_zero_point`) && weights)
    weights.fail("symmetric", "true: zero points of compressed-tensors are not read");
  const [rows = 0, words = 0] = stored.shape;
  const order = tensors.get(`${stem}.weight_g_idx`);
  put(`${stem}.weight`, stored, [rows, words * 8], {
    kind: "packed",
    bits,
    scales: find(`${stem}.weight_scale`),
    zeroOffset: 0,
    ...(order && { order }),
  });
}

/** gpt-oss: `NAME_blocks` and `NAME_scales`. */
function mxfp4(name: string, { stored, find, put }: Found): void {
  const stem = name.slice(0, -"_blocks".length);
  const blocks = stored.shape.at(-2) ?? 0;
  put(stem, stored, [...stored.shape.slice(0, -2), blocks * 32], {
    kind: "mxfp4",
    scales: find(`${stem}_scales`),
  });
}

/** FP8 of DeepSeek (`weight_scale_inv`), of compressed-tensors and others (`weight_scale`); int8 of the former. */
function scaled({ stem, stored, section, tensors, find, put }: Found): void {
  const inverse = tensors.get(`${stem}.weight_scale_inv`);
  const scales = inverse ?? find(`${stem}.weight_scale`);
  if (stored.dtype === "I8") {
    put(`${stem}.weight`, stored, stored.shape, { kind: "int8", scales });
    return;
  }
  const [rows = 1, columns = 1] = stored.shape;
  const [down = 1, across = 1] = scales.shape;
  const whole = scales.shape.every((size) => size === 1);
  const perRow = down === rows && across === 1;
  const said = section.has("weight_block_size") ? section.integers("weight_block_size") : [];
  const block: readonly [number, number] = whole
    ? [rows, columns]
    : perRow
      ? [1, columns]
      : [said[0] ?? 128, said[1] ?? 128];
  if (Math.ceil(rows / block[0]) !== down && !whole)
    throw new CheckpointError(
      `${scales.file}: tensor "${scales.name}": shape [${scales.shape.join(", ")}] does not fit blocks of ${block.join(" × ")}`,
    );
  put(`${stem}.weight`, stored, stored.shape, { kind: "fp8", scales, block });
}
