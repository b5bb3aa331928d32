/** Writes a safetensors file: 8 bytes of header length, the header, the tensors one after the other. */
import { closeSync, openSync, writeSync } from "node:fs";

/** A tensor to write; `data` is asked for when its turn comes, and held no longer. */
export interface WrittenTensor {
  readonly name: string;
  /** As safetensors spells it. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly data: () => Uint8Array;
}

/** Throws when a tensor's data is not as long as it was said to be. */
export function writeSafetensors(path: string, tensors: readonly WrittenTensor[]): void {
  let end = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const { name, dtype, shape, bytes } of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const spaces = (8 - (text.length % 8)) % 8; // tensors begin at a multiple of 8
  const prefix = Buffer.alloc(8 + text.length + spaces, " ");
  prefix.writeBigUInt64LE(BigInt(text.length + spaces));
  prefix.set(text, 8);
  const file = openSync(path, "w");
  try {
    writeAll(file, prefix);
    for (const { name, bytes, data } of tensors) {
      const its = data();
      if (its.byteLength !== bytes)
        throw new Error(`${path}: tensor "${name}" has ${its.byteLength} bytes, not ${bytes}.`);
      writeAll(file, its);
    }
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at);
}
