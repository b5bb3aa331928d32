/**
 * Finds K and V that another sequence has computed. A full block is named by its
 * tokens and all before them; a name is published only after the step that wrote
 * the block has ended (a hit in the same step would read what is not yet there).
 * At least one token is always left to compute: sampling needs its logits.
 */
import type { BlockId, TokenId } from "../../device/device.ts";
import type { LiveSequence } from "../live-sequence.ts";
import { type BlockHash, BlockHasher, hashBytes, type Sha256 } from "./block-hash.ts";
import { BlockPool } from "./block-pool.ts";

/** What a router must hear of to know the cache; becomes an EngineEvent when the time is added. */
export type KvChange =
  | {
      readonly type: "blocks-stored";
      readonly hashes: readonly Uint8Array[];
      readonly parent?: Uint8Array;
      readonly tokens: readonly TokenId[];
      readonly salt?: string;
      readonly adapter?: string;
    }
  | { readonly type: "blocks-removed"; readonly hashes: readonly Uint8Array[] }
  | { readonly type: "blocks-cleared" };

export class PrefixCache {
  readonly pool: BlockPool;
  readonly #blockSize: number;
  readonly #enabled: boolean;
  readonly #hasher: BlockHasher;
  readonly #report: ((change: KvChange) => void) | undefined;

  constructor(options: {
    readonly blocks: number;
    readonly blockSize: number;
    readonly enabled: boolean;
    readonly sha256: Sha256;
    readonly report?: (change: KvChange) => void;
  }) {
    this.#blockSize = options.blockSize;
    this.#enabled = options.enabled;
    this.#hasher = new BlockHasher(options.sha256);
    this.#report = options.report;
    this.pool = new BlockPool(options.blocks, (hash) =>
      this.#report?.({ type: "blocks-removed", hashes: [hashBytes(hash)] }),
    );
  }

  /** Published blocks of the sequence's longest known prefix. They are not held yet. */
  match(sequence: LiveSequence): BlockId[] {
    const found: BlockId[] = [];
    // Logprobs of the prompt need its logits: nothing may be skipped (as vLLM).
    if (!this.#enabled || sequence.promptLogprobs !== undefined) return found;
    const most = Math.floor((sequence.known - 1) / this.#blockSize);
    for (let index = 0; index < most; index++) {
      const block = this.pool.find(this.#hash(sequence, index));
      if (block === undefined) break;
      found.push(block);
    }
    return found;
  }

  /** K and V of [0, written) exist: names the full blocks among them that are not named yet. */
  publish(sequence: LiveSequence, written: number): void {
    const full = Math.floor(written / this.#blockSize);
    if (!this.#enabled || full <= sequence.published) return;
    let begin = sequence.published;
    for (let index = begin; index < full; index++) {
      const block = sequence.blocks[index];
      if (block === undefined) throw new Error(`Sequence ${sequence.id} lacks block ${index}.`);
      if (this.pool.publish(block, this.#hash(sequence, index))) continue;
      this.#stored(sequence, begin, index);
      begin = index + 1;
    }
    this.#stored(sequence, begin, full);
    sequence.published = full;
  }

  /** Forgets all names. */
  clear(): void {
    this.pool.clear();
    this.#report?.({ type: "blocks-cleared" });
  }

  #hash(sequence: LiveSequence, index: number): BlockHash {
    const { hashes } = sequence;
    for (let next = hashes.length; next <= index; next++) {
      const begin = next * this.#blockSize;
      const range = [begin, begin + this.#blockSize] as const;
      const parent = hashes[next - 1] ?? this.#hasher.root;
      hashes.push(this.#hasher.hash(parent, sequence.tokens, range, sequence));
    }
    return hashes[index] ?? this.#hasher.root;
  }

  /** Reports blocks [begin, end) of a sequence as one run. */
  #stored(sequence: LiveSequence, begin: number, end: number): void {
    if (this.#report === undefined || begin >= end) return;
    const parent = sequence.hashes[begin - 1];
    const size = this.#blockSize;
    this.#report({
      type: "blocks-stored",
      hashes: sequence.hashes.slice(begin, end).map(hashBytes),
      ...(parent === undefined ? {} : { parent: hashBytes(parent) }),
      tokens: [...sequence.tokens.subarray(begin * size, end * size)],
      ...(sequence.salt === undefined ? {} : { salt: sequence.salt }),
      ...(sequence.adapter === undefined ? {} : { adapter: sequence.adapter }),
    });
  }
}
