/** Rows whose answer is the likeliest id of each position: ranks choose it, guesses are verified here. */
import type { BatchRow, Sampled, Sampler, TokenId } from "../device.ts";
import { verified } from "../verified.ts";
import { NO_ID } from "./head.ts";

/** Guesses have to be known to end their sequence or not. */
export function isGreedy(sampler: Sampler, { id, drafted }: BatchRow): boolean {
  const known = drafted === 0 || sampler.ends !== undefined;
  return known && (sampler.greedy?.(id) ?? false);
}

/** What the sampler would say of a row whose likeliest ids are known. */
export function sampledOf(
  row: BatchRow,
  likeliest: Int32Array,
  of: { readonly sampler: Sampler; readonly vocabSize: number },
): Sampled {
  const { sampler, vocabSize } = of;
  const { tokens, missing } = verified(
    row,
    (index) => (likeliest[index] === NO_ID ? undefined : likeliest[index]),
    (token) => sampler.ends?.(row.id, token) ?? false,
  );
  if (missing !== undefined)
    return sampler.sample(row, logitsOf(tokens, row.drafted + 1, vocabSize));
  return { tokens, accepted: tokens.length - 1 };
}

/** Logits whose likeliest ids are these, and after them none: the sampler says what that means. */
function logitsOf(ids: readonly TokenId[], rows: number, vocabSize: number): Float32Array {
  const logits = new Float32Array(rows * vocabSize).fill(Number.NaN);
  for (const [row, id] of ids.entries()) logits[row * vocabSize + id] = 1;
  return logits;
}
