/**
 * Finds K and V that another holder has computed. A full block is named by its
 * tokens and all before them; a name is published only after the step that wrote
 * the block has ended (a hit in the same step would read what is not yet there).
 * At least one token is always left to compute: sampling needs its logits.
 */
import type { Adapter, TokenId } from "../../device/device.ts";
import { BlockHasher, type BlockName, hashBytes, type Sha256 } from "./block-hash.ts";
import { BlockPool } from "./block-pool.ts";
import type { Holder } from "./holder.ts";
import { PrefixMatch } from "./prefix-match.ts";

/** What a router must hear of to know the cache; becomes an EngineEvent when the time is added. */
export type KvChange =
  | {
      readonly type: "blocks-stored";
      readonly hashes: readonly Uint8Array[];
      readonly parent?: Uint8Array;
      readonly tokens: readonly TokenId[];
      readonly salt?: string;
      readonly adapter?: Adapter;
    }
  | { readonly type: "blocks-removed"; readonly hashes: readonly Uint8Array[] }
  | { readonly type: "blocks-cleared" };

export class PrefixCache {
  readonly pool: BlockPool;
  readonly #blockSize: number;
  readonly #enabled: boolean;
  readonly #hasher: BlockHasher;
  readonly #report: ((change: KvChange) => void) | undefined;
  /** Blocks named by whose they are. */
  #owned = 0;

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

  /** Finds the longest known prefix of one that waits; undefined: nothing may be shared. */
  match(holder: Holder): PrefixMatch | undefined {
    if (!this.#enabled || holder.computesAll) return undefined;
    const most = Math.floor((holder.known - 1) / this.#blockSize);
    holder.match ??= new PrefixMatch(this.pool);
    holder.match.update((index) =>
      index < most ? this.pool.find(this.#hash(holder, index)) : undefined,
    );
    return holder.match;
  }

  /** K and V of [0, written) exist: names the full blocks among them that are not named yet. */
  publish(holder: Holder, written: number): void {
    const full = Math.floor(written / this.#blockSize);
    if (!this.#enabled || full <= holder.published) return;
    let begin = holder.published;
    for (let index = begin; index < full; index++) {
      const block = holder.blocks[index];
      if (block === undefined) throw new Error(`Sequence ${holder.id} lacks block ${index}.`);
      if (this.pool.publish(block, this.#hash(holder, index))) continue;
      this.#stored(holder, begin, index);
      begin = index + 1;
    }
    this.#stored(holder, begin, full);
    holder.published = full;
  }

  /** Forgets all names. */
  clear(): void {
    this.pool.clear();
    this.#report?.({ type: "blocks-cleared" });
  }

  #hash(holder: Holder, index: number): BlockName {
    const { hashes } = holder;
    for (let next = hashes.length; next <= index; next++) {
      if (holder.unread) {
        hashes.push(-++this.#owned); // holds what was sampled: nobody else has it
        continue;
      }
      const begin = next * this.#blockSize;
      const range = [begin, begin + this.#blockSize] as const;
      const before = hashes[next - 1];
      const parent = typeof before === "string" ? before : this.#hasher.root;
      hashes.push(this.#hasher.hash(parent, holder.tokens, range, holder));
    }
    return hashes[index] ?? this.#hasher.root;
  }

  /** Reports blocks [begin, end) of a holder as one run. */
  #stored(holder: Holder, begin: number, end: number): void {
    if (this.#report === undefined || begin >= end) return;
    const parent = holder.hashes[begin - 1];
    const size = this.#blockSize;
    this.#report({
      type: "blocks-stored",
      hashes: holder.hashes.slice(begin, end).map(hashBytes),
      ...(parent === undefined ? {} : { parent: hashBytes(parent) }),
      tokens: [...holder.tokens.subarray(begin * size, end * size)],
      ...(holder.salt === undefined ? {} : { salt: holder.salt }),
      ...(holder.adapter === undefined ? {} : { adapter: holder.adapter }),
    });
  }
}
