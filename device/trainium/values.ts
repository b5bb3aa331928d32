/** Synthetic ids: a hash of seed, sequence and position, spread over the vocabulary. */
import type { SequenceId, TokenId } from "../device.ts";

/** In [0, vocabSize); equal inputs give equal ids on every machine (32-bit mixing after MurmurHash3). */
export function syntheticToken(
  seed: number,
  id: SequenceId,
  position: number,
  vocabSize: number,
): TokenId {
  let hash = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(id + 1, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15) ^ position, 0x27d4eb2f);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0x165667b1);
  hash ^= hash >>> 16;
  return (hash >>> 0) % vocabSize;
}
