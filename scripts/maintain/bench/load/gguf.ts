/** A GGUF file of 495M random parameters, its tensors of the types that llama.cpp's quantize gives them. */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { architectureWeights } from "../../../../models/architecture.ts";
import { describe } from "../../../../models/registry.ts";
import { ARCHITECTURES } from "../../../../models/weights/gguf/architectures.ts";
import { TENSOR_TYPES } from "../../../../models/weights/gguf/types.ts";
import { SHAPE_OF_256 } from "../shapes.ts";

interface Mix {
  readonly most: string;
  /** Of the table, which is the head too. */
  readonly table?: string;
  /** Of values and of the way down, in half of the layers. */
  readonly some?: string;
}

export const MIXES: Readonly<Record<string, Mix>> = {
  F16: { most: "F16" },
  Q8_0: { most: "Q8_0" },
  Q4_0: { most: "Q4_0", table: "Q6_K" },
  Q4_K_M: { most: "Q4_K", table: "Q6_K", some: "Q6_K" },
  Q5_K_M: { most: "Q5_K", table: "Q6_K", some: "Q6_K" },
  Q6_K: { most: "Q6_K" },
};

/** Where a block has halves: other bits than those would be no numbers. */
const HALVES: Readonly<Record<string, readonly number[]>> = {
  F16: [0],
  Q8_0: [0],
  Q4_0: [0],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
};

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const f32 = (value: number): Buffer => Buffer.from(Float32Array.of(value).buffer);
const text = (value: string): Buffer => Buffer.concat([u64(value.length), Buffer.from(value)]);
/** Keys of type 4 (32 bits), 6 (float) and 8 (text). */
const KEYS: readonly (readonly [key: string, type: number, value: Buffer])[] = [
  ["general.architecture", 8, text("qwen2")],
  ["qwen2.context_length", 4, u32(SHAPE_OF_256.max_position_embeddings)],
  ["qwen2.embedding_length", 4, u32(SHAPE_OF_256.hidden_size)],
  ["qwen2.block_count", 4, u32(SHAPE_OF_256.num_hidden_layers)],
  ["qwen2.feed_forward_length", 4, u32(SHAPE_OF_256.intermediate_size)],
  ["qwen2.attention.head_count", 4, u32(SHAPE_OF_256.num_attention_heads)],
  ["qwen2.attention.head_count_kv", 4, u32(SHAPE_OF_256.num_key_value_heads)],
  ["qwen2.attention.layer_norm_rms_epsilon", 6, f32(SHAPE_OF_256.rms_norm_eps)],
  ["qwen2.rope.freq_base", 6, f32(SHAPE_OF_256.rope_theta)],
];

interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: string;
  readonly bytes: number;
}

/** Writes model.gguf. */
export function writeGguf(folder: string, name: string): void {
  const mix = MIXES[name];
  if (mix === undefined) throw new Error(`no mix ${name}`);
  mkdirSync(folder, { recursive: true });
  const tensors = architectureWeights(describe(SHAPE_OF_256)).map(
    ({ name: weight, shape }): Tensor => {
      const type = shape.length === 1 ? "F32" : typeOf(weight, mix);
      const { block = 1, bytes = 0 } = layoutOf(type);
      const count = shape.reduce((product, size) => product * size, 1);
      return { name: named(weight), shape, type, bytes: (count / block) * bytes };
    },
  );
  const file = openSync(join(folder, "model.gguf"), "w");
  const head = Buffer.concat([
    Buffer.from("GGUF"),
    u32(3),
    u64(tensors.length),
    u64(KEYS.length),
    ...KEYS.flatMap(([key, type, value]) => [text(key), u32(type), value]),
    ...lines(tensors),
  ]);
  writeSync(file, Buffer.concat([head, Buffer.alloc(padding(head.length))]));
  for (const tensor of tensors) writeTensor(file, tensor);
  closeSync(file);
}

const padding = (bytes: number): number => (32 - (bytes % 32)) % 32;

function lines(tensors: readonly Tensor[]): readonly Buffer[] {
  let offset = 0;
  return tensors.map(({ name, shape, type, bytes }) => {
    const axes = [...shape].reverse().map(u64);
    const line = [text(name), u32(shape.length), ...axes, u32(numberOf(type)), u64(offset)];
    offset += bytes + padding(bytes);
    return Buffer.concat(line);
  });
}

/** Its name in the file. */
function named(weight: string): string {
  if (weight === "model.embed_tokens.weight") return "token_embd.weight";
  if (weight === "model.norm.weight") return "output_norm.weight";
  const [, layer, module, kind] = /^model\.layers\.(\d+)\.(.*)\.(weight|bias)$/.exec(weight) ?? [];
  const names = Object.entries(ARCHITECTURES["qwen2"]?.layer ?? {});
  const own = names.find(([, theirs]) => theirs === module)?.[0];
  return `blk.${layer}.${own}.${kind}`;
}

function typeOf(weight: string, { most, table = most, some = most }: Mix): string {
  if (weight.startsWith("model.embed")) return table;
  const layer = Number(/\d+/.exec(weight)?.[0]);
  return layer % 2 === 0 && /(v_proj|down_proj)/.test(weight) ? some : most;
}

const numberOf = (type: string): number =>
  Number(Object.entries(TENSOR_TYPES).find(([, { name }]) => name === type)?.[0]);
const layoutOf = (type: string) => TENSOR_TYPES[numberOf(type)] ?? { name: type };

/** About a megabyte of blocks over and over: what is read and computed is as much. */
function writeTensor(file: number, { type, bytes: all }: Tensor): void {
  const { bytes: size = 1 } = layoutOf(type);
  const chunk =
    type === "F32"
      ? Buffer.from(new Float32Array(2 ** 18).fill(1).buffer)
      : blocks(type, size, Math.floor(2 ** 20 / size));
  for (let done = 0; done < all; done += chunk.length)
    writeSync(file, chunk, 0, Math.min(chunk.length, all - done));
  writeSync(file, Buffer.alloc(padding(all)));
}

/** Halves between 0.001 and 0.002, and noise. */
function blocks(type: string, size: number, count: number): Buffer {
  let state = 0x9e3779b9;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 24;
  };
  const bytes = Buffer.from(Uint8Array.from({ length: size * count }, random));
  for (let at = 0; at < bytes.length; at += size)
    for (const half of HALVES[type] ?? []) bytes.writeUInt16LE(0x1400 | (random() << 2), at + half);
  return bytes;
}
