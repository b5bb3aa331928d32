/**
 * Blocks of sequences: every act succeeds whole or changes nothing.
 *
 *     sequence.blocks   [ found in the cache | its own ............ ]
 *                        shared, full          the last may be partial
 *
 * Blocks named by a step in flight are not reusable before it ends: `drop` puts
 * them aside until `settle` hears of that step.
 */
import type { BlockId } from "../../device/device.ts";
import type { LiveSequence } from "../live-sequence.ts";
import { hashBytes, type Sha256 } from "./block-hash.ts";
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

  /** Blocks that hold the longest known prefix of a waiting sequence; they are not held yet. */
  match(sequence: LiveSequence): readonly BlockId[] {
    return this.#prefixes.match(sequence);
  }

  /**
   * Gives a waiting sequence all blocks of its known tokens, those `found` in the
   * cache first, or changes nothing and returns false when they do not fit.
   * `alone`: nobody else runs, so nothing needs to be left over.
   */
  admit(sequence: LiveSequence, found: readonly BlockId[], alone: boolean): boolean {
    const { pool } = this.#prefixes;
    let freeAfter = pool.free;
    for (const block of found) if (pool.references(block) === 0) freeAfter--;
    const fresh = this.blocksOf(sequence.length) - found.length;
    const reserve = alone ? 0 : Math.floor(WATERMARK * this.total);
    if (fresh + reserve > freeAfter) return false;
    for (const block of found) pool.retain(block);
    const blocks = [...found];
    pool.take(fresh, blocks);
    sequence.blocks = blocks;
    sequence.published = found.length;
    sequence.computed = found.length * this.blockSize;
    return true;
  }

  /** Makes room for positions [0, tokens), or changes nothing and returns false. */
  grow(sequence: LiveSequence, tokens: number): boolean {
    const missing = Math.ceil(tokens / this.blockSize) - sequence.blocks.length;
    return missing <= 0 || this.#prefixes.pool.take(missing, sequence.blocks);
  }

  /** Gives back blocks past those that hold `tokens` tokens. */
  trim(sequence: LiveSequence, tokens: number): void {
    const keep = this.blocksOf(tokens);
    if (sequence.blocks.length <= keep) return;
    this.#prefixes.pool.release(sequence.blocks.slice(keep));
    sequence.blocks = sequence.blocks.slice(0, keep);
  }

  /**
   * Shares the donor's prompt with a sibling, all but its last token, which the
   * sibling computes itself: its logits are what it samples from. That token's
   * block, full or not, is written to, so it is copied.
   */
  fork(sequence: LiveSequence, donor: LiveSequence): { from: BlockId; to: BlockId } | undefined {
    const { pool } = this.#prefixes;
    const computed = sequence.promptLength - 1;
    const shared = Math.floor(computed / this.blockSize);
    const from = donor.blocks[shared];
    const own: BlockId[] = [];
    if (from === undefined || !pool.take(1, own)) return undefined;
    const blocks = donor.blocks.slice(0, shared);
    for (const block of blocks) pool.retain(block);
    const to = own[0] ?? from;
    blocks.push(to);
    sequence.blocks = blocks;
    sequence.computed = computed;
    sequence.published = Math.min(shared, donor.published);
    sequence.hashes.push(...donor.hashes.slice(sequence.hashes.length, shared));
    return { from, to };
  }

  publish(sequence: LiveSequence, written: number): void {
    this.#prefixes.publish(sequence, written);
  }

  /** Takes a sequence's blocks; `lastStep` is the last step in flight that names them, if any. */
  drop(sequence: LiveSequence, lastStep: number | undefined): void {
    const { blocks } = sequence;
    sequence.blocks = [];
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

  check(): void {
    this.#prefixes.pool.check();
  }
}
