/** Vectors of a device that only keeps time: numbers drawn from the ids, the same for the same text. */
import { createHash } from "node:crypto";

/** `[width]`, in (−1, 1). */
export function drawnOf(ids: Int32Array, width: number): Float32Array {
  const bytes = new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
  const out = new Float32Array(width);
  for (let at = 0, turn = 0; at < width; turn++) {
    const digest = createHash("sha256").update(bytes).update(String(turn)).digest();
    for (let i = 0; i + 4 <= digest.length && at < width; i += 4, at++) {
      out[at] = digest.readInt32LE(i) / 2 ** 31;
    }
  }
  return out;
}
