/** Rows whose answer is the likeliest id of each position: ranks choose it, guesses are verified here. */
import type { BatchRow, Sampled, Sampler, TokenId } from "../device.ts";
import { NO_ID } from "./head.ts";

/** Guesses have to be known to end their sequence or not. */
export function isGreedy(sampler: Sampler, { id, drafted }: BatchRow): boolean {
  const known = drafted === 0 || sampler.ends !== undefined;
  return known && (sampler.greedy?.(id) ?? false);
}

/** Of a row's likeliest ids those up to the first that is not what was guessed, or ends the sequence. */
export function verified(
  row: BatchRow,
  likeliest: Int32Array,
  of: { readonly sampler: Sampler; readonly vocabSize: number },
): Sampled {
  const { sampler, vocabSize } = of;
  const { id, drafted, context } = row;
  const guesses = row.start + row.count - drafted;
  const tokens: TokenId[] = [];
  for (let index = 0; index <= drafted; index++) {
    const token = likeliest[index] ?? NO_ID;
    if (token === NO_ID) return sampler.sample(row, logitsOf(tokens, drafted + 1, vocabSize));
    tokens.push(token);
    const held = index < drafted && token === context[guesses + index];
    if (!held || sampler.ends?.(id, token)) break;
  }
  return { tokens, accepted: tokens.length - 1 };
}

/** Logits whose likeliest ids are these, and after them none: the sampler says what that means. */
function logitsOf(ids: readonly TokenId[], rows: number, vocabSize: number): Float32Array {
  const logits = new Float32Array(rows * vocabSize).fill(Number.NaN);
  for (const [row, id] of ids.entries()) logits[row * vocabSize + id] = 1;
  return logits;
}
