/**
 * The index of a checkpoint: model.safetensors, or the shards that
 * model.safetensors.index.json names. Only headers are read. Format:
 * 8 bytes of header length (little endian), a JSON header, then the data, to
 * which the header's offsets are relative.
 * https://huggingface.co/docs/safetensors (format section)
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Architecture } from "../architecture.ts";
import { architectureWeights } from "../architecture.ts";
import { isObject } from "../config.ts";
import type { Checkpoint, StoredTensor } from "../model.ts";
import type { Weight, WeightFormat } from "../ops.ts";
import { readText } from "./files.ts";

/** A checkpoint is damaged, incomplete, or not the one that config.json describes. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
}

/** Bits of an element, by safetensors dtype. */
const DTYPE_BITS: Readonly<Record<string, number>> = Object.freeze({
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  U16: 16,
  I16: 16,
  F16: 16,
  BF16: 16,
  U32: 32,
  I32: 32,
  F32: 32,
  U64: 64,
  I64: 64,
  F64: 64,
});

const FORMATS: Readonly<Record<string, WeightFormat>> = Object.freeze({
  F32: "f32",
  F16: "f16",
  BF16: "bf16",
  F8_E4M3: "fp8",
  I8: "int8",
  Q2_K: "int4",
  Q3_K: "int4",
  Q4_0: "int4",
  Q4_1: "int4",
  Q4_K: "int4",
  IQ4_NL: "int4",
  IQ4_XS: "int4",
  MXFP4: "mxfp4",
  Q5_0: "int8",
  Q5_1: "int8",
  Q5_K: "int8",
  Q6_K: "int8",
  Q8_0: "int8",
});

/** As the reference implementation limits it, in bytes. */
const HEADER_LIMIT = 100_000_000;

/** What to do about a file that was cut. */
const AGAIN = "; fetch it again";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** Does the folder hold weights that `indexCheckpoint` can read? */
export function hasCheckpoint(folder: string): boolean {
  return existsSync(join(folder, SINGLE)) || existsSync(join(folder, INDEX));
}

/** Reads the headers. Throws CheckpointError that names the file and what is wrong with it. */
export function indexCheckpoint(folder: string): Checkpoint {
  return checkpointOf(
    folder,
    existsSync(join(folder, INDEX)) ? readShards(folder) : readHeader(folder, SINGLE),
  );
}

/** The same of one safetensors file of any name. */
export function indexFile(folder: string, file: string): Checkpoint {
  return checkpointOf(folder, readHeader(folder, file));
}

function checkpointOf(folder: string, tensors: Map<string, StoredTensor>): Checkpoint {
  let bytes = 0;
  for (const tensor of tensors.values()) bytes += tensor.end - tensor.begin;
  return { folder, tensors, bytes };
}

function readShards(folder: string): Map<string, StoredTensor> {
  const path = join(folder, INDEX);
  const index = parseJson(path, readText(path));
  const map = index["weight_map"];
  if (!isObject(map)) throw new CheckpointError(`${path}: "weight_map" must be an object`);
  const shards = new Map<string, Map<string, StoredTensor>>();
  const tensors = new Map<string, StoredTensor>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== "string" || file.includes("/") || file.includes("\\"))
      throw new CheckpointError(`${path}: tensor "${name}" must name a file of this folder`);
    if (!shards.has(file) && !existsSync(join(folder, file)))
      throw new CheckpointError(
        `${join(folder, file)}: no such file, though ${INDEX} names it; fetch it too`,
      );
    const shard = shards.get(file) ?? readHeader(folder, file);
    shards.set(file, shard);
    const tensor = shard.get(name);
    if (!tensor)
      throw new CheckpointError(
        `${join(folder, file)}: tensor "${name}" is missing, though ${INDEX} says it is here`,
      );
    tensors.set(name, tensor);
  }
  return tensors;
}

function readHeader(folder: string, file: string): Map<string, StoredTensor> {
  const path = join(folder, file);
  if (!existsSync(path)) throw new CheckpointError(`${path}: no such file`);
  if (!statSync(path).isFile()) throw new CheckpointError(`${path}: not a file`);
  const descriptor = openSync(path, "r");
  try {
    const size = fstatSync(descriptor).size;
    const prefix = Buffer.alloc(8);
    if (readSync(descriptor, prefix, 0, 8, 0) < 8)
      throw new CheckpointError(
        `${path}: truncated: expected at least 8 bytes, found ${size}${AGAIN}`,
      );
    const length = Number(prefix.readBigUInt64LE());
    if (length > HEADER_LIMIT)
      throw new CheckpointError(
        `${path}: not a safetensors file: its first 8 bytes give a header of ${length} bytes`,
      );
    const header = Buffer.alloc(Math.min(length, Math.max(size - 8, 0)));
    readSync(descriptor, header, 0, header.length, 8);
    if (header.length < length)
      throw new CheckpointError(
        `${path}: truncated: expected a header of ${length} bytes, found ${header.length}${AGAIN}`,
      );
    return readTensors(path, file, parseJson(path, header.toString("utf8")), 8 + length, size);
  } finally {
    closeSync(descriptor);
  }
}

function readTensors(
  path: string,
  file: string,
  header: Readonly<Record<string, unknown>>,
  dataBegin: number,
  fileSize: number,
): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const tensor = readTensor(path, file, name, entry, dataBegin);
    if (tensor.end > fileSize)
      throw new CheckpointError(
        `${path}: truncated: tensor "${name}" ends at byte ${tensor.end}, the file has ${fileSize} bytes${AGAIN}`,
      );
    tensors.set(name, tensor);
  }
  return tensors;
}

function readTensor(
  path: string,
  file: string,
  name: string,
  entry: unknown,
  dataBegin: number,
): StoredTensor {
  const refuse = (why: string): never => {
    throw new CheckpointError(`${path}: tensor "${name}": ${why}`);
  };
  if (!isObject(entry)) return refuse("its header entry must be an object");
  const { dtype, shape, data_offsets: offsets } = entry;
  const bits = typeof dtype === "string" ? DTYPE_BITS[dtype] : undefined;
  if (typeof dtype !== "string" || bits === undefined)
    return refuse(
      `dtype must be one of ${Object.keys(DTYPE_BITS).join(", ")}, found ${JSON.stringify(dtype)}`,
    );
  if (!isSizes(shape))
    return refuse(`shape must be a list of sizes, found ${JSON.stringify(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2)
    return refuse(`data_offsets must be two byte offsets, found ${JSON.stringify(offsets)}`);
  const [begin = 0, end = 0] = offsets;
  const expected = (shape.reduce((product, size) => product * size, 1) * bits) / 8;
  if (end - begin !== expected)
    return refuse(
      `expected ${expected} bytes for ${dtype} [${shape.join(", ")}], found ${end - begin}`,
    );
  return { name, file, dtype, shape, begin: dataBegin + begin, end: dataBegin + end };
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function parseJson(path: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (cause) {
    throw new CheckpointError(`${path}: corrupt: its JSON does not parse`, { cause });
  }
  throw new CheckpointError(`${path}: corrupt: expected a JSON object`);
}

/** The tensors a weight stands for, and their shape: itself, or with `{e}` in it one per expert. */
function storedAs(weight: Weight): {
  readonly names: readonly string[];
  readonly shape: readonly number[];
} {
  const { within } = weight;
  if (within !== undefined) {
    const { name, shape, transposed } = within;
    const turned = [...shape.slice(0, -2), ...shape.slice(-2).reverse()];
    return { names: [name], shape: transposed ? turned : shape };
  }
  if (!weight.name.includes("{e}")) return { names: [weight.name], shape: weight.shape };
  const names = Array.from({ length: weight.shape[0] ?? 0 }, (_, expert) =>
    weight.name.replace("{e}", String(expert)),
  );
  return { names, shape: weight.shape.slice(1) };
}

/** Throws CheckpointError unless every weight of the architecture is there, in shape and in a readable dtype. */
export function checkWeights(checkpoint: Checkpoint, architecture: Architecture): void {
  for (const weight of architectureWeights(architecture)) {
    const { names, shape } = storedAs(weight);
    for (const name of names) {
      const stored = findTensor(checkpoint, name);
      const where = `${join(checkpoint.folder, stored.file)}: tensor "${name}"`;
      if (stored.shape.length !== shape.length || shape.some((size, i) => size !== stored.shape[i]))
        throw new CheckpointError(
          `${where}: expected shape [${shape.join(", ")}] from config.json, found [${stored.shape.join(", ")}]`,
        );
      if (stored.packing === undefined && !["F32", "F16", "BF16"].includes(stored.dtype))
        throw new CheckpointError(
          `${where}: expected dtype F32, F16 or BF16, found ${stored.dtype}`,
        );
    }
  }
}

/** A decoder that was saved without its head has no `model.` in front of its names: with it they are as usual. */
export function underModel(checkpoint: Checkpoint): Checkpoint {
  if (!checkpoint.tensors.has("embed_tokens.weight")) return checkpoint;
  const entries = [...checkpoint.tensors].map(
    ([name, stored]) => [`model.${name}`, stored] as const,
  );
  return { ...checkpoint, tensors: new Map(entries) };
}

/** The tensor of that name. Throws CheckpointError when it is missing. */
export function findTensor(checkpoint: Checkpoint, name: string): StoredTensor {
  const stored = checkpoint.tensors.get(name);
  if (stored) return stored;
  const count = checkpoint.tensors.size;
  const files = new Set([...checkpoint.tensors.values()].map(({ file }) => file));
  const [only = ""] = files.size === 1 ? files : [];
  throw new CheckpointError(
    `${join(checkpoint.folder, only)}: tensor "${name}" is missing; the checkpoint has ${count} tensors${nearest(checkpoint, name)}`,
  );
}

/** Names what stands at the same place, to make a wrong prefix visible. */
function nearest(checkpoint: Checkpoint, name: string): string {
  const tail = name.split(".").slice(-3).join(".");
  const like = [...checkpoint.tensors.keys()].find((other) => other.endsWith(tail));
  return like ? `, among them "${like}"` : "";
}

/** The format most bytes of the checkpoint are in; undefined when that is no format of ours. */
export function checkpointFormat(checkpoint: Checkpoint): WeightFormat | undefined {
  const bytes = new Map<string, number>();
  for (const { dtype, begin, end } of checkpoint.tensors.values())
    bytes.set(dtype, (bytes.get(dtype) ?? 0) + end - begin);
  const most = [...bytes].reduce<[string, number]>((a, b) => (b[1] > a[1] ? b : a), ["", -1]);
  return FORMATS[most[0]];
}
