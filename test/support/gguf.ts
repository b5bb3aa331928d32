/** Writes GGUF headers piece by piece, also such as nobody's tool would. */

export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
export const u64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
export const text = (value: string): Buffer =>
  Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

/** A key whose value is a string, a 32-bit number, or bytes as they are (type first). */
export function entry(key: string, value: string | number | Buffer): Buffer {
  if (typeof value === "string") return Buffer.concat([text(key), u32(8), text(value)]);
  if (typeof value === "number") return Buffer.concat([text(key), u32(4), u32(value)]);
  return Buffer.concat([text(key), value]);
}

/** A tensor's line; `shape` as the file has it, innermost first. */
export function tensor(
  name: string,
  {
    shape,
    type = 0,
    offset = 0,
  }: { shape: readonly (number | bigint)[]; type?: number; offset?: number },
): Buffer {
  return Buffer.concat([text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(offset)]);
}

/** Counts are those of the lists unless given. */
export function gguf(parts: {
  readonly version?: number;
  readonly keys?: readonly Buffer[];
  readonly tensors?: readonly Buffer[];
  readonly keyCount?: number | bigint;
  readonly tensorCount?: number | bigint;
  /** Bytes of data. */
  readonly data?: number;
}): Buffer {
  const { version = 3, keys = [], tensors = [], data = 0 } = parts;
  const head = Buffer.concat([
    Buffer.from("GGUF"),
    u32(version),
    u64(parts.tensorCount ?? tensors.length),
    u64(parts.keyCount ?? keys.length),
    ...keys,
    ...tensors,
  ]);
  return Buffer.concat([head, Buffer.alloc(((32 - (head.length % 32)) % 32) + data)]);
}
