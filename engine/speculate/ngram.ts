/**
 * Prompt lookup: what followed the last time the text ended like this
 * (vLLM's `ngram`; Saxena 2023). The longest suffix of `max` down to `min` ids
 * wins, of equals the latest. A match that runs into the end of the text goes on
 * into the guess itself, so a loop is guessed for as long as asked.
 */
import type { TokenId } from "../../device/device.ts";
import type { ProposalRequest, Proposals, Proposer } from "./proposer.ts";

export interface NgramOptions {
  /** Shortest and longest suffix that counts as a match; vLLM: prompt_lookup_min and _max, both 5 when absent. */
  readonly min: number;
  readonly max: number;
}

export class NgramProposer implements Proposer {
  readonly name = "ngram";
  readonly #options: NgramOptions;

  constructor(options: NgramOptions) {
    this.#options = options;
  }

  propose(requests: readonly ProposalRequest[], done: (drafts: Proposals) => void): void {
    const drafts = new Map<number, readonly TokenId[]>();
    for (const { sequence, count } of requests) {
      const draft = lookUp(sequence.tokens, sequence.length, { ...this.#options, count });
      if (draft.length > 0) drafts.set(sequence.id, draft);
    }
    done(drafts);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Ids guessed to follow tokens [0, length). */
export function lookUp(
  tokens: Int32Array,
  length: number,
  { min, max, count }: NgramOptions & { readonly count: number },
): TokenId[] {
  const last = tokens[length - 1];
  let best = min - 1;
  let follows = -1;
  for (let end = length - 2; end >= min - 1 && best < max; end--) {
    if (tokens[end] !== last) continue;
    const most = Math.min(max, end + 1);
    let same = 1;
    while (same < most && tokens[end - same] === tokens[length - 1 - same]) same++;
    if (same > best) {
      best = same;
      follows = end + 1;
    }
  }
  const draft: TokenId[] = [];
  if (follows < 0) return draft;
  for (let at = follows; draft.length < count; at++) {
    draft.push((at < length ? tokens[at] : draft[at - length]) ?? 0);
  }
  return draft;
}
