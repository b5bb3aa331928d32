/**
 * A GGUF file's header: metadata and the places of its tensors. Only that much is read.
 * Layout: "GGUF", version, two counts, metadata (key, type, value), tensors (name, axes,
 * type, offset), padding to `general.alignment`, data.
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import { closeSync, fstatSync, openSync } from "node:fs";
import { basename } from "node:path";
import { HeaderReader } from "./header-reader.ts";
import { READ_TYPES, TENSOR_TYPES } from "./types.ts";

export type MetadataValue = string | number | boolean | readonly string[] | ArrayLike<number>;

export interface GgufTensor {
  readonly name: string;
  /** Name of the file that it lies in. */
  readonly file: string;
  /** As ggml names it: F32, Q4_0, … */
  readonly type: string;
  /** Outermost axis first, as everywhere here; the file has it the other way round. */
  readonly shape: readonly number[];
  /** Bytes [begin, end) of the file. */
  readonly begin: number;
  readonly end: number;
}

export interface GgufFile {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  readonly tensors: readonly GgufTensor[];
}

/** More than any vocabulary takes. */
const HEADER_LIMIT = 256 * 2 ** 20;
const MOST_AXES = 4;
/** Least bytes of an entry: a length, a type, and for tensors axes and offset. */
const LEAST_KEY = 13;
const LEAST_TENSOR = 32;

/** One file, be it a part. Throws CheckpointError that names it and what of it is missing, damaged or not read. */
export function readGguf(path: string): GgufFile {
  const descriptor = openSync(path, "r");
  try {
    const { size } = fstatSync(descriptor);
    const from: HeaderReader = new HeaderReader(path, descriptor, { size, limit: HEADER_LIMIT });
    const [tensorCount, keyCount] = readCounts(from);
    const metadata = readMetadata(from, keyCount);
    const alignment = metadata.get("general.alignment") ?? 32;
    if (typeof alignment !== "number" || alignment < 8 || !Number.isInteger(Math.log2(alignment)))
      from.fail(`damaged: key "general.alignment" says ${alignment}, which is no power of two ≥ 8`);
    const entries = readEntries(from, tensorCount);
    const data = Math.ceil(from.position / alignment) * alignment;
    return {
      path,
      metadata,
      tensors: entries.map((entry) => ({
        file: basename(path),
        ...place(entry, { from, data, size, alignment }),
      })),
    };
  } finally {
    closeSync(descriptor);
  }
}

function readCounts(from: HeaderReader): readonly [tensors: number, keys: number] {
  if (from.bytes(4).toString("latin1") !== "GGUF")
    from.fail("not a GGUF file: it does not begin with GGUF");
  const version = from.u32();
  if (version % 65_536 === 0 && version > 0)
    from.fail("a big-endian GGUF file; convert it with gguf-convert-endian little");
  if (version !== 2 && version !== 3)
    from.fail(`GGUF version ${version} is not read, 2 and 3 are; convert the model again`);
  from.what = "the count of its tensors";
  const tensors = from.u64();
  from.what = "the count of its keys";
  const keys = from.u64();
  from.what = `metadata of ${keys} keys`;
  from.expect(keys, LEAST_KEY);
  return [tensors, keys];
}

function readMetadata(from: HeaderReader, count: number): Map<string, MetadataValue> {
  const metadata = new Map<string, MetadataValue>();
  for (let i = 0; i < count; i++) {
    from.what = `the name of key ${i + 1} of ${count}`;
    const key = from.string();
    from.what = `key "${key}"`;
    if (metadata.has(key)) from.fail(`damaged: key "${key}" stands twice`);
    metadata.set(key, readValue(from, from.u32()));
  }
  return metadata;
}

interface Scalar {
  readonly bytes: number;
  readonly read: (bytes: Buffer) => number;
  readonly many: new (length: number) => { [index: number]: number; readonly length: number };
}

/** By their number in the file; 7 is a boolean, 8 a string, 9 a list. */
const SCALARS: Readonly<Record<number, Scalar>> = {
  0: { bytes: 1, read: (bytes) => bytes.readUInt8(), many: Uint8Array },
  1: { bytes: 1, read: (bytes) => bytes.readInt8(), many: Int8Array },
  2: { bytes: 2, read: (bytes) => bytes.readUInt16LE(), many: Uint16Array },
  3: { bytes: 2, read: (bytes) => bytes.readInt16LE(), many: Int16Array },
  4: { bytes: 4, read: (bytes) => bytes.readUInt32LE(), many: Uint32Array },
  5: { bytes: 4, read: (bytes) => bytes.readInt32LE(), many: Int32Array },
  6: { bytes: 4, read: (bytes) => bytes.readFloatLE(), many: Float32Array },
  7: { bytes: 1, read: (bytes) => bytes.readUInt8(), many: Uint8Array },
  10: { bytes: 8, read: (bytes) => Number(bytes.readBigUInt64LE()), many: Float64Array },
  11: { bytes: 8, read: (bytes) => Number(bytes.readBigInt64LE()), many: Float64Array },
  12: { bytes: 8, read: (bytes) => bytes.readDoubleLE(), many: Float64Array },
};
const BOOLEAN = 7;
const STRING = 8;
const LIST = 9;

function readValue(from: HeaderReader, type: number): MetadataValue {
  if (type === STRING) return from.string();
  if (type === LIST) return readList(from);
  const scalar = SCALARS[type];
  if (scalar === undefined)
    return from.fail(`damaged: ${from.what} is of type ${type}, which is none`);
  const value = scalar.read(from.bytes(scalar.bytes));
  return type === BOOLEAN ? value !== 0 : value;
}

function readList(from: HeaderReader): readonly string[] | ArrayLike<number> {
  const type = from.u32();
  const count = from.u64();
  const scalar = SCALARS[type];
  if (type === STRING) {
    from.expect(count, 8);
    const strings: string[] = [];
    for (let i = 0; i < count; i++) strings.push(from.string());
    return strings;
  }
  if (scalar === undefined) return from.fail(`damaged: ${from.what} is a list of type ${type}`);
  from.expect(count, scalar.bytes);
  const values = new scalar.many(count);
  for (let i = 0; i < count; i++) values[i] = scalar.read(from.bytes(scalar.bytes));
  return values;
}

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly offset: number;
}

function readEntries(from: HeaderReader, count: number): readonly Entry[] {
  from.what = `the list of ${count} tensors`;
  from.expect(count, LEAST_TENSOR);
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    from.what = `the name of tensor ${i + 1} of ${count}`;
    const name = from.string();
    from.what = `tensor "${name}"`;
    const axes = from.u32();
    if (axes > MOST_AXES) from.fail(`damaged: ${from.what} has ${axes} axes`);
    const shape: number[] = [];
    for (let axis = 0; axis < axes; axis++) shape.unshift(from.u64());
    entries.push({ name, shape, type: from.u32(), offset: from.u64() });
  }
  return entries;
}

function place(
  { name, shape, type, offset }: Entry,
  file: { from: HeaderReader; data: number; size: number; alignment: number },
): Omit<GgufTensor, "file"> {
  const { from, data, size, alignment } = file;
  const { name: typeName = `of number ${type}`, block, bytes = 0 } = TENSOR_TYPES[type] ?? {};
  if (block === undefined)
    return from.fail(
      `tensor "${name}": type ${typeName} is not read (${READ_TYPES.join(", ")} are); quantize the model to one of them`,
    );
  const width = shape.at(-1) ?? 1;
  if (width % block !== 0)
    from.fail(`damaged: tensor "${name}": a row of ${width} is no number of ${typeName} blocks`);
  if (offset % alignment !== 0)
    from.fail(`damaged: tensor "${name}": its offset ${offset} is not aligned to ${alignment}`);
  const begin = data + offset;
  const end = begin + (shape.reduce((product, axis) => product * axis, 1) / block) * bytes;
  if (!(end <= size))
    from.fail(
      `truncated: tensor "${name}" ends at byte ${end}, the file has ${size} bytes; fetch it again`,
    );
  return { name, type: typeName, shape, begin, end };
}
