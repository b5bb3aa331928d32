/** Writes safetensors files for tests. */
import { writeFileSync } from "node:fs";

export interface TensorEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorEntry> | Readonly<Record<string, TensorEntry>>,
): void {
  const entries = tensors instanceof Map ? [...tensors] : Object.entries(tensors);
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const [name, { dtype, shape, data }] of entries) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  const parts = entries.map(([, { data }]) => {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  });
  writeFileSync(path, Buffer.concat([prefix, text, ...parts]));
}
