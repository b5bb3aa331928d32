/**
 * One sequence's ids as the inner device sees them, kept from step to step: only
 * what is new is written, however long the context is.
 *
 *     [0 .......... settled) [settled ............. length)
 *      written once           guesses, and an id that was pending: written anew
 */
import { type BatchRow, PENDING_TOKEN, type TokenId } from "../device.ts";

export class KeptContext {
  readonly #vocabSize: number;
  #ids = new Int32Array(0);
  /** The same with ids folded into the vocabulary; one buffer while none has to be. */
  #folded = this.#ids;
  #settled = 0;
  #length = 0;

  constructor(vocabSize: number) {
    this.#vocabSize = vocabSize;
  }

  /** Takes a row's context in, `last` in the place of a pending id. */
  update({ context, drafted }: BatchRow, last: TokenId): void {
    this.#length = context.length;
    this.#reserve(context.length);
    let settled = context.length - drafted;
    for (let at = Math.min(this.#settled, settled); at < context.length; at++) {
      const known = context[at] ?? 0;
      if (known === PENDING_TOKEN) settled = Math.min(settled, at);
      this.#write(at, known === PENDING_TOKEN ? last : known);
    }
    this.#settled = settled;
  }

  /** All ids, as the engine has them. Lent until the next `update`. */
  get ids(): Int32Array {
    return this.#ids.subarray(0, this.#length);
  }

  /** From `origin` on, folded. Lent until the next `update`. */
  window(origin: number): Int32Array {
    return this.#folded.subarray(origin, this.#length);
  }

  #write(at: number, id: TokenId): void {
    this.#ids[at] = id;
    if (id >= this.#vocabSize && this.#folded === this.#ids) this.#folded = this.#ids.slice();
    this.#folded[at] = id % this.#vocabSize;
  }

  #reserve(length: number): void {
    if (length <= this.#ids.length) return;
    const one = this.#folded === this.#ids;
    this.#ids = grown(this.#ids, 2 * length);
    this.#folded = one ? this.#ids : grown(this.#folded, 2 * length);
  }
}

function grown(ids: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const more = new Int32Array(length);
  more.set(ids);
  return more;
}
