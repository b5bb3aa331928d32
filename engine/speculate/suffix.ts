/**
 * Suffix decoding across requests (Oliaro et al. 2024, Arctic Inference; vLLM's
 * `suffix`): what followed this ending before, in this sequence or in the output
 * of finished ones. Among all places with the longest match each next id is the
 * one most of them took, while the share that agrees stays above a bound; a
 * longer match earns a longer guess.
 *
 * Places are found as in LZ77, by chains of equal pairs of ids: an id costs 8
 * bytes and O(1), where a suffix tree of depth 24 costs 24 nodes.
 */
import type { SequenceId, TokenId } from "../../device/device.ts";
import type { Sequence } from "../sequence.ts";
import type { ProposalRequest, Proposals, Proposer } from "./proposer.ts";

/** vLLM's suffix_decoding_* settings and their defaults. */
export interface SuffixOptions {
  /** Longest match that counts. */
  readonly maxDepth: number;
  /** Guess at most factor × match ids. */
  readonly maxSpecFactor: number;
  /** Least estimated probability of the whole guess. */
  readonly minTokenProb: number;
  /** Ids of finished outputs kept. */
  readonly maxCachedTokens: number;
}

export const SUFFIX_DEFAULTS: SuffixOptions = {
  maxDepth: 24,
  maxSpecFactor: 1,
  minTokenProb: 0.1,
  maxCachedTokens: 1 << 20,
};

/** Places looked at for one guess, the latest first. */
const MOST_PLACES = 64;

interface Place {
  readonly log: TokenLog;
  /** Position of the id that followed. */
  at: number;
}

export class SuffixProposer implements Proposer {
  readonly name = "suffix";
  readonly #options: SuffixOptions;
  readonly #own = new Map<SequenceId, TokenLog>();
  #shared = new TokenLog();

  constructor(options: Partial<SuffixOptions> = {}) {
    this.#options = { ...SUFFIX_DEFAULTS, ...options };
  }

  propose(requests: readonly ProposalRequest[], done: (drafts: Proposals) => void): void {
    const drafts = new Map<SequenceId, readonly TokenId[]>();
    for (const { sequence, count } of requests) {
      const draft = this.#guess(sequence, count);
      if (draft.length > 0) drafts.set(sequence.id, draft);
    }
    done(drafts);
  }

  /** Learns the output. */
  release(sequence: Sequence): void {
    this.#own.delete(sequence.id);
    const { tokens, promptLength, length } = sequence;
    if (this.#shared.length + length - promptLength > this.#options.maxCachedTokens) {
      this.#shared = new TokenLog();
    }
    this.#shared.append(tokens.subarray(promptLength, length));
    this.#shared.cut();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #guess(sequence: Sequence, count: number): TokenId[] {
    let own = this.#own.get(sequence.id);
    if (own === undefined) {
      own = new TokenLog();
      this.#own.set(sequence.id, own);
    }
    const text = sequence.tokens.subarray(0, sequence.length);
    own.append(text.subarray(own.length));
    const { maxDepth, maxSpecFactor } = this.#options;
    const { length, places } = longest([own, this.#shared], text, maxDepth);
    return this.#vote(places, Math.min(count, Math.floor(length * maxSpecFactor)));
  }

  /** Follows the majority. */
  #vote(places: Place[], most: number): TokenId[] {
    const draft: TokenId[] = [];
    let probability = 1;
    let here = places;
    while (draft.length < most && here.length > 0) {
      const votes = new Map<TokenId, number>();
      for (const { log, at } of here) {
        const next = log.at(at);
        if (next !== undefined) votes.set(next, (votes.get(next) ?? 0) + 1);
      }
      let winner: TokenId | undefined;
      for (const [id, count] of votes) if (count > (votes.get(winner ?? -1) ?? 0)) winner = id;
      if (winner === undefined) break;
      probability *= (votes.get(winner) ?? 0) / here.length;
      if (probability < this.#options.minTokenProb) break;
      draft.push(winner);
      const agreed = winner;
      here = here.filter(({ log, at }) => log.at(at) === agreed);
      for (const place of here) place.at++;
    }
    return draft;
  }
}

/** Places after the longest matches of the text's end. */
function longest(logs: readonly TokenLog[], text: Int32Array, maxDepth: number) {
  let length = 1;
  let places: Place[] = [];
  for (const log of logs) {
    let looked = 0;
    for (const end of log.places(text)) {
      if (looked++ === MOST_PLACES) break;
      let same = 2;
      while (
        same < maxDepth &&
        same <= end &&
        log.at(end - same) === text[text.length - 1 - same]
      ) {
        same++;
      }
      if (same < length) continue;
      if (same > length) places = [];
      length = same;
      places.push({ log, at: end + 1 });
    }
  }
  return { length, places };
}

const CUT = -1;

/** Ids in order, with chains of the places where a pair of ids stood. */
class TokenLog {
  #tokens = new Int32Array(256);
  /** Of the pair ending here: where it stood before, or −1. */
  #previous = new Int32Array(256);
  readonly #last = new Map<number, number>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Undefined past the end and at a cut. */
  at(position: number): TokenId | undefined {
    const id = position < this.#length ? this.#tokens[position] : undefined;
    return id === CUT ? undefined : id;
  }

  append(ids: Int32Array): void {
    for (const id of ids) this.#push(id);
  }

  /** What follows belongs to another text. */
  cut(): void {
    this.#push(CUT);
  }

  /** Positions where the text's last two ids stood, the latest first; not the text's own end. */
  *places(text: Int32Array): Generator<number> {
    const key = pair(text[text.length - 2] ?? CUT, text[text.length - 1] ?? CUT);
    for (let at = this.#last.get(key) ?? -1; at >= 0; at = this.#previous[at] ?? -1) {
      if (at + 1 < this.#length) yield at;
    }
  }

  #push(id: TokenId): void {
    if (this.#length === this.#tokens.length) {
      this.#tokens = doubled(this.#tokens);
      this.#previous = doubled(this.#previous);
    }
    const at = this.#length++;
    this.#tokens[at] = id;
    const before = at === 0 ? CUT : (this.#tokens[at - 1] ?? CUT);
    if (before === CUT || id === CUT) {
      this.#previous[at] = -1;
      return;
    }
    const key = pair(before, id);
    this.#previous[at] = this.#last.get(key) ?? -1;
    this.#last.set(key, at);
  }
}

/** Ids are below 2^26: two of them fit a double. */
function pair(first: TokenId, second: TokenId): number {
  return first * 2 ** 26 + second;
}

function doubled(values: Int32Array): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(2 * values.length);
  grown.set(values);
  return grown;
}
