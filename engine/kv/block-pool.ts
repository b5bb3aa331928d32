/**
 * Who holds which KV block. Three kinds, and together they are all blocks:
 *
 *     held     references ≥ 1             (in `find` too when published)
 *     cached   references = 0, hashed     free, but its K and V can be found again
 *     blank    references = 0, no hash    free
 *
 * Free blocks stand in one queue, taken from the head: blank ones first, then
 * cached ones, least recently used first and of one sequence its tail first, so
 * that shared prefixes live longest. The queue is two Int32Arrays of links:
 * a block found again leaves from the middle in O(1) (vLLM's FreeKVCacheBlockQueue).
 */
import type { BlockId } from "../../device/device.ts";
import type { BlockName } from "./block-hash.ts";

/** Lost names that are remembered by block; who looks more rarely walks the whole prefix again. */
const REMEMBERED = 1024;

/** Held by several is shared; `cached` and `blank` are free. */
export const BlockKind = { blank: 0, cached: 1, held: 2, shared: 3 } as const;

export class BlockPool {
  readonly total: number;
  readonly #references: Int32Array;
  /** Links of the free queue; index `total` is the ring's anchor, NONE: not free. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #hashes: (BlockName | undefined)[];
  readonly #byHash = new Map<BlockName, BlockId>();
  /** Further blocks of the same content, in order of naming; the first is found when the one in #byHash goes. */
  readonly #doubles = new Map<BlockName, BlockId[]>();
  readonly #evicted: (hash: BlockName) => void;
  #free: number;
  /** The last blocks that lost their names, a ring. */
  readonly #lost = new Int32Array(REMEMBERED);
  #forgotten = 0;
  /** Below this count of `forgotten` all is forgotten. */
  #cleared = 0;
  #idled = 0;

  /** `evicted` is told when a published block's content is given up. */
  constructor(total: number, evicted: (hash: BlockName) => void = () => {}) {
    this.total = total;
    this.#free = total;
    this.#evicted = evicted;
    this.#references = new Int32Array(total);
    this.#hashes = new Array<BlockName | undefined>(total).fill(undefined);
    this.#next = new Int32Array(total + 1);
    this.#previous = new Int32Array(total + 1);
    for (let i = 0; i <= total; i++) {
      this.#next[i] = (i + 1) % (total + 1);
      this.#previous[i] = (i + total) % (total + 1);
    }
  }

  /** Blocks nobody holds, cached ones included. */
  get free(): number {
    return this.#free;
  }

  /** Grows when a block loses its name: what was found may then be gone. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** Grows when a named block gets its first holder or loses its last. */
  get idled(): number {
    return this.#idled;
  }

  /** Blocks that lost their names since `forgotten` stood at `since`; undefined: more than are remembered, or all. */
  forgottenSince(since: number): readonly BlockId[] | undefined {
    const count = this.#forgotten - since;
    if (count > REMEMBERED || since < this.#cleared) return undefined;
    if (count === 0) return NO_BLOCKS;
    return Array.from({ length: count }, (_, i) => this.#lost[(since + i) % REMEMBERED] ?? NONE);
  }

  /** Appends `count` fresh blocks to `blocks`, or changes nothing and returns false. */
  take(count: number, blocks: BlockId[]): boolean {
    if (count > this.#free) return false;
    const anchor = this.total;
    let block = this.#next[anchor] ?? NONE;
    for (let i = 0; i < count; i++) {
      const next = this.#next[block] ?? NONE;
      this.#next[block] = NONE;
      this.#previous[block] = NONE;
      this.#forget(block);
      this.#references[block] = 1;
      blocks.push(block);
      block = next;
    }
    this.#next[anchor] = block;
    this.#previous[block] = anchor;
    this.#free -= count;
    return true;
  }

  /** One more holder; a free block leaves the queue. */
  retain(block: BlockId): void {
    if (this.#references[block] === 0) {
      this.#unlink(block);
      this.#idled++;
    }
    this.#references[block] = this.references(block) + 1;
  }

  /** One holder less for each, the last block first: a sequence's tail is reused before its head. */
  release(blocks: readonly BlockId[]): void {
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i] ?? NONE;
      const references = this.references(block) - 1;
      if (references < 0) throw new Error(`Block ${block} was released more often than held.`);
      this.#references[block] = references;
      if (references > 0) continue;
      const anchor = this.total;
      if (this.#hashes[block] === undefined) this.#link(block, anchor);
      else {
        this.#link(block, this.#previous[anchor] ?? NONE);
        this.#idled++;
      }
    }
  }

  references(block: BlockId): number {
    const references = this.#references[block];
    if (references === undefined) throw new Error(`No block ${block} in a pool of ${this.total}.`);
    return references;
  }

  /** What each block is now, in the order of the pool; walks all of them. */
  kinds(): Uint8Array {
    const kinds = new Uint8Array(this.total);
    for (let block = 0; block < this.total; block++) {
      const references = this.#references[block] ?? 0;
      if (references > 0) kinds[block] = references > 1 ? BlockKind.shared : BlockKind.held;
      else if (this.#hashes[block] !== undefined) kinds[block] = BlockKind.cached;
    }
    return kinds;
  }

  find(hash: BlockName): BlockId | undefined {
    return this.#byHash.get(hash);
  }

  /**
   * Names a held block. False when its content is known under another block: it is found when
   * that one goes (as vLLM: duplicates are not merged).
   */
  publish(block: BlockId, hash: BlockName): boolean {
    const known = this.#byHash.has(hash);
    this.#forget(block);
    this.#hashes[block] = hash;
    if (!known) {
      this.#byHash.set(hash, block);
      return true;
    }
    const doubles = this.#doubles.get(hash);
    if (doubles === undefined) this.#doubles.set(hash, [block]);
    else doubles.push(block);
    return false;
  }

  /** Forgets every name. Held blocks stay held. */
  clear(): void {
    this.#hashes.fill(undefined);
    this.#byHash.clear();
    this.#doubles.clear();
    this.#cleared = ++this.#forgotten;
  }

  /** Hashes that can be found. */
  published(): IterableIterator<BlockName> {
    return this.#byHash.keys();
  }

  /** Throws unless free + held = total, the queue is whole and every name leads back to its block. */
  check(): void {
    let held = 0;
    for (const references of this.#references) {
      if (references < 0) throw new Error("A block has fewer than no holders.");
      if (references > 0) held++;
    }
    let queued = 0;
    for (let at = this.#next[this.total]; at !== this.total; at = this.#next[at ?? NONE]) {
      if (at === undefined || at === NONE) throw new Error("The free queue is broken.");
      if (this.#references[at] !== 0) throw new Error(`Block ${at} is held and free at once.`);
      if (++queued > this.total) throw new Error("The free queue is a knot.");
    }
    if (queued !== this.#free || held + queued !== this.total) {
      throw new Error(
        `${held} held + ${queued} queued (${this.#free} free) ≠ ${this.total} blocks.`,
      );
    }
    for (const [hash, block] of this.#byHash) {
      if (this.#hashes[block] !== hash)
        throw new Error(`Block ${block} is found by a name it lost.`);
    }
  }

  #forget(block: BlockId): void {
    const hash = this.#hashes[block];
    if (hash === undefined) return;
    this.#hashes[block] = undefined;
    this.#unname(block, hash);
    this.#lost[this.#forgotten++ % REMEMBERED] = block;
    if (!this.#byHash.has(hash)) this.#evicted(hash);
  }

  /** The name is a double's from now on, if there is one. */
  #unname(block: BlockId, hash: BlockName): void {
    const doubles = this.#doubles.get(hash);
    const heir = doubles?.[0];
    if (doubles === undefined || heir === undefined) {
      this.#byHash.delete(hash);
      return;
    }
    const found = this.#byHash.get(hash) === block;
    if (found) this.#byHash.set(hash, heir);
    doubles.splice(found ? 0 : doubles.indexOf(block), 1);
    if (doubles.length === 0) this.#doubles.delete(hash);
  }

  /** Puts `block` behind `after` in the free queue. */
  #link(block: BlockId, after: number): void {
    const next = this.#next[after] ?? NONE;
    this.#next[after] = block;
    this.#previous[block] = after;
    this.#next[block] = next;
    this.#previous[next] = block;
    this.#free++;
  }

  #unlink(block: BlockId): void {
    const next = this.#next[block] ?? NONE;
    const previous = this.#previous[block] ?? NONE;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    this.#next[block] = NONE;
    this.#previous[block] = NONE;
    this.#free--;
  }
}

const NONE = -1;
const NO_BLOCKS: readonly BlockId[] = [];
