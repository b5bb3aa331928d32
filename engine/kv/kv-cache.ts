/**
 * Blocks of those that hold any (holder.ts): every act succeeds whole or changes nothing.
 *
 * Blocks named by a step in flight are not reusable before it ends: `drop` puts
 * them aside until `settle` hears of that step.
 */
import type { BlockId } from "../../device/device.ts";
import { hashBytes, type Sha256 } from "./block-hash.ts";
import type { Holder } from "./holder.ts";
import type { KvChange } from "./prefix-cache.ts";
import { PrefixCache } from "./prefix-cache.ts";

export interface KVCacheOptions {
  readonly blocks: number;
  readonly blockSize: number;
  readonly prefixCaching: boolean;
  readonly sha256: Sha256;
  readonly report?: (change: KvChange) => void;
}

interface Aside {
  /** Last step that names the blocks. */
  readonly step: number;
  readonly blocks: readonly BlockId[];
}

/** Admission leaves this share of the pool to those who run already (vLLM's watermark). */
const WATERMARK = 0.01;

export class KVCache {
  readonly blockSize: number;
  readonly total: number;
  readonly #prefixes: PrefixCache;
  readonly #aside: Aside[] = [];
  #asideBlocks = 0;

  constructor(options: KVCacheOptions) {
    this.blockSize = options.blockSize;
    this.total = options.blocks;
    this.#prefixes = new PrefixCache({ ...options, enabled: options.prefixCaching });
  }

  get usage(): number {
    return 1 - this.#prefixes.pool.free / this.total;
  }

  get free(): number {
    return this.#prefixes.pool.free;
  }

  /** Holds on blocks that end with the steps in flight; a shared block counts for each. */
  get comingFree(): number {
    return this.#asideBlocks;
  }

  /** Blocks that hold `tokens` tokens. */
  blocksOf(tokens: number): number {
    return Math.ceil(tokens / this.blockSize);
  }

  /** How many blocks of one that waits are in the cache; they are not held yet. */
  match(holder: Holder): number {
    return this.#prefixes.match(holder)?.blocks.length ?? 0;
  }

  /**
   * Gives one that waits the blocks of its first `tokens` tokens, those in the cache first,
   * or changes nothing and returns false when those of all its known tokens do not fit.
   * `spare`: a part of the pool is to be left over, as where somebody else runs.
   */
  admit(
    holder: Holder,
    { tokens, spare }: { readonly tokens: number; readonly spare: boolean },
  ): boolean {
    const { pool } = this.#prefixes;
    const match = this.#prefixes.match(holder);
    const found = match?.blocks ?? [];
    const fresh = this.blocksOf(holder.length) - found.length;
    const reserve = spare ? Math.floor(WATERMARK * this.total) : 0;
    if (fresh + reserve > pool.free - (match?.unheld ?? 0)) return false;
    for (const block of found) pool.retain(block);
    const blocks = found.slice();
    pool.take(this.blocksOf(tokens) - found.length, blocks);
    holder.blocks = blocks;
    holder.published = found.length;
    holder.computed = Math.max(found.length * this.blockSize, holder.received);
    holder.match = undefined;
    return true;
  }

  /** Makes room for positions [0, tokens), or changes nothing and returns false. */
  grow(holder: Holder, tokens: number): boolean {
    const missing = Math.ceil(tokens / this.blockSize) - holder.blocks.length;
    return missing <= 0 || this.#prefixes.pool.take(missing, holder.blocks);
  }

  /** Gives back blocks past those that hold `tokens` tokens. */
  trim(holder: Holder, tokens: number): void {
    const keep = this.blocksOf(tokens);
    if (holder.blocks.length <= keep) return;
    this.#prefixes.pool.release(holder.blocks.slice(keep));
    holder.blocks = holder.blocks.slice(0, keep);
  }

  /**
   * Shares the donor's prompt with a sibling, all but its last token, which the
   * sibling computes itself: its logits are what it samples from. That token's
   * block, full or not, is written to, so it is copied.
   */
  fork(holder: Holder, donor: Holder): { from: BlockId; to: BlockId } | undefined {
    const { pool } = this.#prefixes;
    const computed = holder.promptLength - 1;
    const shared = Math.floor(computed / this.blockSize);
    const from = donor.blocks[shared];
    const own: BlockId[] = [];
    if (from === undefined || !pool.take(1, own)) return undefined;
    const blocks = donor.blocks.slice(0, shared);
    for (const block of blocks) pool.retain(block);
    const to = own[0] ?? from;
    blocks.push(to);
    holder.blocks = blocks;
    holder.computed = computed;
    holder.published = Math.min(shared, donor.published);
    holder.hashes.push(...donor.hashes.slice(holder.hashes.length, shared));
    return { from, to };
  }

  publish(holder: Holder, written: number): void {
    this.#prefixes.publish(holder, written);
  }

  /** Takes all its blocks; `lastStep` is the last step in flight that names them, if any. */
  drop(holder: Holder, lastStep: number | undefined): void {
    const { blocks } = holder;
    holder.blocks = [];
    if (blocks.length === 0) return;
    if (lastStep === undefined) {
      this.#prefixes.pool.release(blocks);
    } else {
      this.#aside.push({ step: lastStep, blocks });
      this.#asideBlocks += blocks.length;
    }
  }

  /** Steps up to `step` have ended. */
  settle(step: number): void {
    for (;;) {
      const first = this.#aside[0];
      if (first === undefined || first.step > step) return;
      this.#aside.shift();
      this.#asideBlocks -= first.blocks.length;
      this.#prefixes.pool.release(first.blocks);
    }
  }

  /** Forgets all cached content; for when the device lost it, or nobody holds any. */
  forget(): void {
    this.#prefixes.clear();
  }

  /** Hashes of the blocks that can be found. */
  published(): readonly Uint8Array[] {
    return [...this.#prefixes.pool.published()].map(hashBytes);
  }

  /** By BlockKind, for whoever draws them. */
  kinds(): Uint8Array {
    return this.#prefixes.pool.kinds();
  }

  check(): void {
    this.#prefixes.pool.check();
  }
}
