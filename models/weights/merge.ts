/**
 * Consolidates an adapter into its base model: a folder whose weights are
 * weight + scale · B · A. One tensor is in memory at a time. What the adapter leaves alone
 * keeps its bytes; quantised weights are widened, since what is added fits no code of theirs.
 */
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type AdapterModule, type AdapterWeights, adaptedProducts } from "../adapters.ts";
import type { Checkpoint, Model, StoredTensor } from "../model.ts";
import { AdapterError } from "./adapter-config.ts";
import { readJson } from "./folder.ts";
import { WeightReader } from "./read.ts";
import { DTYPE_BYTES, type RoundedDtype, rounded } from "./round.ts";
import { type WrittenTensor, writeSafetensors } from "./write.ts";

/** What weights are written in where the base's own dtype does not hold them. */
const WIDENED: RoundedDtype = "BF16";

const WEIGHTS = /\.(safetensors|bin|pt|pth|gguf)$|\.index\.json$/;

export interface Merged {
  /** Tensors that were added to, and all of them. */
  readonly adapted: number;
  readonly tensors: number;
  readonly bytes: number;
}

/** `dtype`: of all weights; absent: each as it is stored. Throws AdapterError, and for a folder that is not empty. */
export function mergeAdapter(
  base: Model,
  adapter: AdapterWeights,
  { out, dtype }: { readonly out: string; readonly dtype?: RoundedDtype },
): Merged {
  const { checkpoint } = base;
  if (checkpoint === undefined) throw new AdapterError(`${base.source} has no weights.`);
  if (existsSync(out) && readdirSync(out).length > 0)
    throw new AdapterError(`${out} is not empty.`);
  mkdirSync(out, { recursive: true });
  const deltas = deltasOf(base, adapter);
  const readers = {
    base: new WeightReader(checkpoint),
    adapter: new WeightReader(adapter.checkpoint),
  };
  try {
    const tensors = [...checkpoint.tensors.values()].map((stored) => {
      const its = deltas.get(stored.name) ?? [];
      return tensorOf(stored, its, { checkpoint, readers, ...(dtype && { dtype }) });
    });
    writeSafetensors(join(out, "model.safetensors"), tensors);
    copyRest(checkpoint.folder, out, dtype);
    const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
    return { adapted: deltas.size, tensors: tensors.length, bytes };
  } finally {
    readers.base.close();
    readers.adapter.close();
  }
}

/** A module and the first row of its weight in the tensor that holds it. */
interface Delta {
  readonly module: AdapterModule;
  readonly row: number;
}

/** By the tensor that each adds to. */
function deltasOf(base: Model, { modules }: AdapterWeights): ReadonlyMap<string, readonly Delta[]> {
  const products = adaptedProducts(base.architecture);
  const deltas = new Map<string, Delta[]>();
  for (const module of modules) {
    const weight = products.get(module.path)?.weight;
    if (weight === undefined) throw new AdapterError(`${module.path} is no product of the base.`);
    const { name, within } = weight;
    if (within?.transposed || (within?.step ?? 1) !== 1)
      throw new AdapterError(`${module.path} lies in ${within?.name}, whose rows are not its own.`);
    const tensor = within?.name ?? name;
    deltas.set(tensor, [...(deltas.get(tensor) ?? []), { module, row: within?.row ?? 0 }]);
  }
  return deltas;
}

interface From {
  readonly checkpoint: Checkpoint;
  readonly readers: { readonly base: WeightReader; readonly adapter: WeightReader };
  readonly dtype?: RoundedDtype;
}

function tensorOf(
  stored: StoredTensor,
  deltas: readonly Delta[],
  { checkpoint, readers, dtype }: From,
): WrittenTensor {
  const { name, shape, packing } = stored;
  const plain = packing === undefined;
  const floats = isRounded(stored.dtype);
  if (plain && deltas.length === 0 && (dtype === undefined || dtype === stored.dtype || !floats)) {
    const bytes = stored.end - stored.begin;
    const data = (): Uint8Array => rawBytes(checkpoint, stored);
    return { name, dtype: stored.dtype, shape, bytes, data };
  }
  const to = dtype ?? (plain && isRounded(stored.dtype) ? stored.dtype : WIDENED);
  const count = shape.reduce((product, size) => product * size, 1);
  const data = (): Uint8Array => {
    const values = readers.base.read(name);
    for (const delta of deltas) add(values, shape.at(-1) ?? 1, delta, readers.adapter);
    return rounded(values, to);
  };
  return { name, dtype: to, shape, bytes: count * DTYPE_BYTES[to], data };
}

const isRounded = (dtype: string): dtype is RoundedDtype => Object.hasOwn(DTYPE_BYTES, dtype);

function rawBytes({ folder }: Checkpoint, { file, begin, end }: StoredTensor): Uint8Array {
  const bytes = new Uint8Array(end - begin);
  const opened = openSync(join(folder, file), "r");
  try {
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(opened, bytes, at, bytes.length - at, begin + at);
      if (read === 0) throw new AdapterError(`${join(folder, file)}: truncated`);
      at += read;
    }
  } finally {
    closeSync(opened);
  }
  return bytes;
}

/** Sums in double precision: a weight is rounded once. */
function add(
  values: Float32Array,
  width: number,
  { module: { a, b, rank, scale }, row: first }: Delta,
  reader: WeightReader,
): void {
  const down = reader.read(a.name);
  const up = reader.read(b.name);
  const [outputs = 0] = b.shape;
  const sums = new Float64Array(width);
  for (let row = 0; row < outputs; row++) {
    sums.fill(0);
    for (let k = 0; k < rank; k++) {
      const factor = (up[row * rank + k] as number) * scale;
      for (let i = 0; i < width; i++)
        sums[i] = (sums[i] as number) + factor * (down[k * width + i] as number);
    }
    const at = (first + row) * width;
    for (let i = 0; i < width; i++)
      values[at + i] = (values[at + i] as number) + (sums[i] as number);
  }
}

/** Tokenizer, template, generation config; config.json without what the weights are no more. */
function copyRest(from: string, out: string, dtype: RoundedDtype | undefined): void {
  for (const name of readdirSync(from)) {
    if (WEIGHTS.test(name) || name === "config.json" || name.startsWith(".")) continue;
    cpSync(join(from, name), join(out, name), { recursive: true, dereference: true });
  }
  const { quantization_config: quantised, ...config } = readJson(join(from, "config.json"));
  const spelt = { F32: "float32", BF16: "bfloat16", F16: "float16" };
  const told = dtype ?? (quantised === undefined ? undefined : WIDENED);
  const key = "dtype" in config ? "dtype" : "torch_dtype";
  const whole = told === undefined ? config : { ...config, [key]: spelt[told] };
  writeFileSync(join(out, "config.json"), `${JSON.stringify(whole, null, 2)}\n`);
}
