/** How guesses are verified, by the sampler and by a device that knows a row's ids without it: one loop. */
import type { BatchRow, TokenId } from "./device.ts";

export interface Verified {
  /** The guesses that held and the id after them; fewer where there is none at a position. */
  readonly tokens: TokenId[];
  /** Index of the row's position that has no id. */
  readonly missing?: number;
}

/**
 * `choose` gives the id after each of the row's last `drafted + 1` tokens, asked in order and no
 * further than it is needed: up to the first that is not what was guessed there, or that ends the sequence.
 */
export function verified(
  { start, count, drafted, context }: BatchRow,
  choose: (index: number) => TokenId | undefined,
  ends: (token: TokenId) => boolean,
): Verified {
  const guesses = start + count - drafted;
  const tokens: TokenId[] = [];
  for (let index = 0; index <= drafted; index++) {
    const token = choose(index);
    if (token === undefined) return { tokens, missing: index };
    tokens.push(token);
    const held = index < drafted && token === context[guesses + index];
    if (!held || ends(token)) break;
  }
  return { tokens };
}
