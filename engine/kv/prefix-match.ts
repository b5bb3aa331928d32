/**
 * A waiting sequence's longest known prefix, kept from step to step: a queue of long
 * cached prompts is looked at in each, and walking all their blocks costs more than
 * the step. The pool says which blocks lost their names since, so that a match only
 * ever walks what is new.
 */
import type { BlockId } from "../../device/device.ts";
import type { BlockPool } from "./block-pool.ts";

export class PrefixMatch {
  /** Published blocks of the prefix, in order. They are not held yet. */
  readonly blocks: BlockId[] = [];
  readonly #pool: BlockPool;
  /** Of each block; made when one is first looked for. */
  #places: Map<BlockId, number> | undefined;
  /** The pool's versions at the last look. */
  #forgotten: number;
  #idled: number;
  /** Of each block: does nobody hold it, and how many are so. */
  readonly #idle: boolean[] = [];
  #unheld = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
    this.#forgotten = pool.forgotten;
    this.#idled = pool.idled;
  }

  /** Cuts what is no longer known, then goes on while `next` finds the block after the last. */
  update(next: (index: number) => BlockId | undefined): void {
    this.#cut(this.#firstLost());
    this.#forgotten = this.#pool.forgotten;
    for (;;) {
      const block = next(this.blocks.length);
      if (block === undefined) return;
      this.#places?.set(block, this.blocks.length);
      this.#count(block, this.blocks.push(block) - 1);
    }
  }

  /** Of its blocks, those that nobody holds: holding them takes them from the free ones. */
  get unheld(): number {
    if (this.#idled !== this.#pool.idled) {
      this.#idled = this.#pool.idled;
      this.#unheld = 0;
      for (const [place, block] of this.blocks.entries()) this.#count(block, place);
    }
    return this.#unheld;
  }

  #count(block: BlockId, place: number): void {
    const idle = this.#pool.references(block) === 0;
    this.#idle[place] = idle;
    if (idle) this.#unheld++;
  }

  /** Place of the first block that lost its name since the last look; the length when none did. */
  #firstLost(): number {
    let first = this.blocks.length;
    const lost = this.#pool.forgottenSince(this.#forgotten);
    if (lost === undefined) return 0;
    if (lost.length === 0) return first;
    this.#places ??= new Map(this.blocks.map((block, place) => [block, place]));
    for (const block of lost) {
      const place = this.#places.get(block);
      if (place !== undefined && place < first) first = place;
    }
    return first;
  }

  #cut(length: number): void {
    for (let place = length; place < this.blocks.length; place++) {
      this.#places?.delete(this.blocks[place] ?? -1);
      if (this.#idle[place]) this.#unheld--;
    }
    this.blocks.length = length;
    this.#idle.length = length;
  }
}
