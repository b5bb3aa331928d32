/**
 * Finds the weights of quantised checkpoints in what their tools store, and gives them the
 * names and shapes that the architecture knows. Which method it is stands in config.json's
 * `quantization_config`; tensors that a tool left alone stay as they are.
 */
import { join } from "node:path";
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
    const must: Found["must"] = (tensor, dtypes, shape) => {
      const like = (size: number | undefined, i: number): boolean =>
        size === undefined || size === tensor.shape[i];
      if (
        dtypes.includes(tensor.dtype) &&
        shape.length === tensor.shape.length &&
        shape.every(like)
      )
        return;
      const said = shape.map((size) => size ?? "…").join(", ");
      throw new CheckpointError(
        `${join(checkpoint.folder, tensor.file)}: tensor "${tensor.name}": expected ${dtypes.join(" or ")} of shape [${said}], found ${tensor.dtype} [${tensor.shape.join(", ")}]`,
      );
    };
    const at = { stem, stored, section, tensors: checkpoint.tensors, find, must, put };
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
  /** Throws CheckpointError for another dtype or shape; undefined: any size. */
  readonly must: (
    tensor: StoredTensor,
    dtypes: readonly string[],
    shape: readonly (number | undefined)[],
  ) => void;
  readonly put: (
    name: string,
    stored: StoredTensor,
    shape: readonly number[],
    packing: Packing,
  ) => void;
}

const WORDS = ["I32"];
const FLOATS = ["F16", "BF16", "F32"];

/** Groups of inputs that `scales` has along its axis; they divide them evenly. */
function groupsOf(scales: StoredTensor, axis: number, inputs: number): number {
  const groups = scales.shape[axis] ?? 1;
  if (groups > 0 && inputs % groups === 0) return groups;
  throw new CheckpointError(
    `${scales.file}: tensor "${scales.name}": its ${groups} groups do not divide ${inputs} inputs evenly`,
  );
}

/** GPTQ and AWQ. */
function byWords({ stem, stored, section, tensors, find, must, put }: Found): void {
  const method = section.choice("quant_method", ["gptq", "awq"]);
  const bits = section.integer("bits", section.integer("w_bit", 4));
  if (bits !== 4 && (bits !== 8 || method === "awq"))
    section.fail("bits", method === "awq" ? "4" : "4 or 8");
  must(stored, WORDS, [undefined, undefined]);
  const [rows = 0, columns = 0] = stored.shape;
  const each = 32 / bits;
  const shape = method === "gptq" ? [columns, rows * each] : [columns * each, rows];
  const [outputs = 0, inputs = 0] = shape;
  const [scales, zeros] = [find(`${stem}.scales`), find(`${stem}.qzeros`)];
  must(scales, FLOATS, [undefined, outputs]);
  must(zeros, WORDS, [groupsOf(scales, 0, inputs), Math.ceil(outputs / each)]);
  const order = tensors.get(`${stem}.g_idx`);
  if (method === "gptq" && section.boolean("desc_act", false)) find(`${stem}.g_idx`);
  if (order && method === "gptq") must(order, WORDS, [inputs]);
  const second = section.string("checkpoint_format", "gptq") === "gptq_v2";
  put(`${stem}.weight`, stored, shape, {
    kind: method,
    bits,
    scales,
    zeros,
    zeroOffset: method === "gptq" && !second ? 1 : 0,
    ...(order && method === "gptq" && { order }),
  });
}

/** compressed-tensors, `pack-quantized`. */
function packed({ stem, stored, section, tensors, find, must, put }: Found): void {
  const weights = section.section("config_groups")?.section("group_0")?.section("weights");
  const bits = weights?.integer("num_bits", 4) ?? 4;
  if (weights && bits !== 4) weights.fail("num_bits", "4");
  if (tensors.has(`${stem}.weight_zero_point`) && weights)
    weights.fail("symmetric", "true: zero points of compressed-tensors are not read");
  must(stored, WORDS, [undefined, undefined]);
  const [rows = 0, words = 0] = stored.shape;
  const scales = find(`${stem}.weight_scale`);
  must(scales, FLOATS, [rows, groupsOf(scales, 1, words * 8)]);
  const order = tensors.get(`${stem}.weight_g_idx`);
  if (order) must(order, WORDS, [words * 8]);
  put(`${stem}.weight`, stored, [rows, words * 8], {
    kind: "packed",
    bits,
    scales,
    zeroOffset: 0,
    ...(order && { order }),
  });
}

/** gpt-oss: `NAME_blocks` and `NAME_scales`. */
function mxfp4(name: string, { stored, find, must, put }: Found): void {
  const stem = name.slice(0, -"_blocks".length);
  const blocks = stored.shape.at(-2) ?? 0;
  const scales = find(`${stem}_scales`);
  must(stored, ["U8"], [...stored.shape.slice(0, -1), 16]);
  must(scales, ["U8", "F8_E8M0"], stored.shape.slice(0, -1));
  put(stem, stored, [...stored.shape.slice(0, -2), blocks * 32], {
    kind: "mxfp4",
    scales,
  });
}

/** FP8 of DeepSeek (`weight_scale_inv`), of compressed-tensors and others (`weight_scale`); int8 of the former. */
function scaled({ stem, stored, section, tensors, find, must, put }: Found): void {
  const inverse = tensors.get(`${stem}.weight_scale_inv`);
  const scales = inverse ?? find(`${stem}.weight_scale`);
  const [rows = 1, columns = 1] = stored.shape;
  const whole = scales.shape.every((size) => size === 1);
  must(
    scales,
    FLOATS,
    whole || stored.dtype !== "I8" ? scales.shape : [rows, 1].slice(0, scales.shape.length),
  );
  if (stored.dtype === "I8") {
    put(`${stem}.weight`, stored, stored.shape, { kind: "int8", scales });
    return;
  }
  const [down = 1, across = 1] = scales.shape;
  const perRow = down === rows && across === 1;
  const said = section.has("weight_block_size") ? section.integers("weight_block_size") : [];
  const block: readonly [number, number] = whole
    ? [rows, columns]
    : perRow
      ? [1, columns]
      : [said[0] ?? 128, said[1] ?? 128];
  const fits = Math.ceil(rows / block[0]) === down && Math.ceil(columns / block[1]) === across;
  if (!fits && !whole)
    throw new CheckpointError(
      `${scales.file}: tensor "${scales.name}": shape [${scales.shape.join(", ")}] does not fit blocks of ${block.join(" × ")}`,
    );
  put(`${stem}.weight`, stored, stored.shape, { kind: "fp8", scales, block });
}
