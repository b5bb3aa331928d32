/** What "the likeliest id" is, for the sampler and for a rank that drafts: one hot loop. */
import type { TokenId } from "./device.ts";

/** Compared in one condition: most stretches hold nothing better, and one branch says so. */
const STRETCH = 8;

/** The likeliest id, the lowest of equals; undefined when nothing is above −∞ (or all is NaN). */
export function argmax(logits: Float32Array): TokenId | undefined {
  let best = Number.NEGATIVE_INFINITY;
  let at: TokenId | undefined;
  const whole = logits.length - (logits.length % STRETCH);
  for (let id = 0; id < logits.length; id += STRETCH) {
    if (
      id < whole &&
      !(
        (logits[id] as number) > best ||
        (logits[id + 1] as number) > best ||
        (logits[id + 2] as number) > best ||
        (logits[id + 3] as number) > best ||
        (logits[id + 4] as number) > best ||
        (logits[id + 5] as number) > best ||
        (logits[id + 6] as number) > best ||
        (logits[id + 7] as number) > best
      )
    ) {
      continue;
    }
    const end = Math.min(id + STRETCH, logits.length);
    for (let near = id; near < end; near++) {
      const value = logits[near] as number; // near < length
      if (value > best) {
        best = value;
        at = near;
      }
    }
  }
  return at;
}
