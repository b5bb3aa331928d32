/** A folder and a GGUF of the same random BF16 numbers. */
import { closeSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Pair, type Shape, tensorPairs } from "./shapes.ts";

/** GGML's types of tensors. */
const GGML = { F32: 0, BF16: 30 } as const;
type Type = keyof typeof GGML;
const BYTES = { F32: 4, BF16: 2 } as const;
/** GGUF's types of values. */
const GGUF = { uint32: 4, float32: 6, string: 8 } as const;
const ALIGNED = 32;
/** Numbers of a tensor, over and over. */
const CHUNK = 1 << 20;

/** Writes config.json, model.safetensors and model.gguf, each under its name when it is whole. */
export function writeModels(folder: string, shape: Shape): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(shape.config));
  const pairs = tensorPairs(shape);
  const whole = (name: string, write: (path: string) => void): void => {
    const path = join(folder, name);
    write(`${path}.part`);
    renameSync(`${path}.part`, path);
  };
  whole("model.safetensors", (path) => writeSafetensors(path, pairs));
  whole("model.gguf", (path) => writeGguf(path, shape, pairs));
}

const sizeOf = ({ shape }: Pair): number => shape.reduce((product, size) => product * size, 1);

function writeSafetensors(path: string, pairs: readonly Pair[]): void {
  const each = pairs.flatMap((pair) => pair.names.map((name) => ({ name, pair })));
  let end = 0;
  const entries = each.map(({ name, pair }) => {
    const begin = end;
    end += 2 * sizeOf(pair);
    return [name, { dtype: "BF16", shape: pair.shape, data_offsets: [begin, end] }] as const;
  });
  const json = JSON.stringify(Object.fromEntries(entries));
  const header = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const file = openSync(path, "w");
  writeSync(file, BigUint64Array.of(BigInt(header.length)));
  writeSync(file, header);
  for (const { pair } of each) writeNumbers(file, pair, "BF16");
  closeSync(file);
}

/** Vectors are F32 there, as llama.cpp's own converter has them. */
function writeGguf(path: string, shape: Shape, pairs: readonly Pair[]): void {
  const described = metadata(shape);
  const parts = [Buffer.from("GGUF"), u32(3), u64(pairs.length), u64(described.length)];
  parts.push(...described);
  let end = 0;
  const places = pairs.map((pair) => {
    const type: Type = pair.shape.length === 1 ? "F32" : "BF16";
    const begin = Math.ceil(end / ALIGNED) * ALIGNED;
    end = begin + sizeOf(pair) * pair.names.length * BYTES[type];
    const stack = pair.names.length > 1 ? [pair.names.length, ...pair.shape] : pair.shape;
    const dims = [...stack].reverse();
    parts.push(text(pair.gguf), u32(dims.length), ...dims.map(u64), u32(GGML[type]), u64(begin));
    return { pair, type, begin } as const;
  });
  const header = Buffer.concat(parts);
  const data = Math.ceil(header.length / ALIGNED) * ALIGNED;
  const file = openSync(path, "w");
  writeSync(file, Buffer.concat([header, Buffer.alloc(data - header.length)]));
  let at = 0;
  for (const { pair, type, begin } of places) {
    writeSync(file, Buffer.alloc(begin - at));
    for (const _ of pair.names) writeNumbers(file, pair, type);
    at = begin + sizeOf(pair) * pair.names.length * BYTES[type];
  }
  closeSync(file);
}

/** Keys: github.com/ggml-org/ggml/blob/master/docs/gguf.md */
function metadata({ config, arch }: Shape): readonly Buffer[] {
  const whole = (key: string, value: number): Buffer =>
    Buffer.concat([text(`${arch}.${key}`), u32(GGUF.uint32), u32(value)]);
  const real = (key: string, value: number): Buffer =>
    Buffer.concat([
      text(`${arch}.${key}`),
      u32(GGUF.float32),
      Buffer.from(Float32Array.of(value).buffer),
    ]);
  const word = (key: string, value: string): Buffer =>
    Buffer.concat([text(key), u32(GGUF.string), text(value)]);
  const { num_experts: count, num_experts_per_tok: used, moe_intermediate_size: inner } = config;
  return [
    word("general.architecture", arch),
    word("tokenizer.ggml.model", "no_vocab"),
    whole("vocab_size", config.vocab_size),
    whole("context_length", config.max_position_embeddings),
    whole("embedding_length", config.hidden_size),
    whole("block_count", config.num_hidden_layers),
    whole("feed_forward_length", config.intermediate_size),
    whole("attention.head_count", config.num_attention_heads),
    whole("attention.head_count_kv", config.num_key_value_heads),
    whole("attention.key_length", config.head_dim),
    whole("attention.value_length", config.head_dim),
    whole("rope.dimension_count", config.head_dim),
    real("rope.freq_base", config.rope_theta),
    real("attention.layer_norm_rms_epsilon", config.rms_norm_eps),
    ...(count === undefined ? [] : [whole("expert_count", count)]),
    ...(used === undefined ? [] : [whole("expert_used_count", used)]),
    ...(inner === undefined ? [] : [whole("expert_feed_forward_length", inner)]),
  ];
}

const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number): Buffer => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string): Buffer => Buffer.concat([u64(value.length), Buffer.from(value)]);

/** Norms are 1, biases 0, matrices noise of a size that logits stay small with. */
function writeNumbers(file: number, pair: Pair, type: Type): void {
  const size = sizeOf(pair);
  const vector = pair.shape.length === 1;
  const bytes = vector ? bytesOf(ones(pair, size), type) : noise(type);
  const end = size * BYTES[type];
  for (let at = 0; at < end; at += bytes.length)
    writeSync(file, bytes, 0, Math.min(bytes.length, end - at));
}

const ones = (pair: Pair, size: number): Float32Array =>
  new Float32Array(size).fill(pair.gguf.endsWith(".bias") ? 0 : 1);

const made = new Map<Type, Uint8Array>();

/** Made once: an expert's matrices are thousands. */
function noise(type: Type): Uint8Array {
  const known = made.get(type);
  if (known !== undefined) return known;
  let state = 0x9e3779b9;
  const values = Float32Array.from({ length: CHUNK }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return ((state >>> 8) / 2 ** 23 - 1) * 0.06;
  });
  const bytes = bytesOf(values, type);
  made.set(type, bytes);
  return bytes;
}

/** BF16 is cut, not rounded. */
function bytesOf(values: Float32Array, type: Type): Uint8Array {
  if (type === "F32") return new Uint8Array(values.buffer);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer);
}
