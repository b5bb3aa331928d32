/**
 * A constraint that, after so many ids, takes the shortest way out of its grammar:
 * the end, else closing brackets, else a closing quote, else what stands between
 * values. Where none of these is allowed the grammar alone decides (a required
 * key, the digits of a number).
 */

import type { Constraint } from "../../engine/sequence.ts";
import { entryAt } from "../entry-at.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Ids as bits, by how they lead out. */
export interface WaysOut {
  readonly end: Int32Array;
  readonly brackets: Int32Array;
  readonly quotes: Int32Array;
  readonly between: Int32Array;
  /** A letter that begins no value: where it may come, a string is open. */
  readonly letter: Int32Array;
}

export function waysOut(vocabulary: Vocabulary, endIds: readonly number[]): WaysOut {
  const { size } = vocabulary.data;
  const texts = Array.from({ length: size }, (_, id) =>
    Buffer.from(vocabulary.bytes(id)).toString("latin1"),
  );
  const bits = (has: (text: string, id: number) => boolean): Int32Array => {
    const set = new Int32Array((size + 31) >> 5);
    for (const [id, text] of texts.entries())
      if (has(text, id)) set[id >> 5] = entryAt(set, id >> 5) | (1 << (id & 31));
    return set;
  };
  return {
    end: bits((_, id) => endIds.includes(id)),
    brackets: bits((text) => /^[\]}]+$/.test(text)),
    quotes: bits((text) => /^"[\]}]*$/.test(text)),
    between: bits((text) => text === ":" || text === ","),
    letter: bits((text) => text === "a"),
  };
}

export class ClosingConstraint implements Constraint {
  readonly #inner: Constraint;
  readonly #ways: WaysOut;
  readonly #after: number;
  #count = 0;

  constructor(inner: Constraint, ways: WaysOut, after: number) {
    this.#inner = inner;
    this.#ways = ways;
    this.#after = after;
  }

  mask(mask: Int32Array): boolean {
    const held = this.#inner.mask(mask);
    if (held && this.#count >= this.#after) {
      const { end, brackets, quotes, between, letter } = this.#ways;
      const first = meets(mask, letter) ? [end, quotes] : [end, brackets, quotes];
      const way = [...first, between].find((ids) => meets(mask, ids));
      if (way !== undefined) keep(mask, way);
    }
    return held;
  }

  accept(id: number): boolean {
    this.#count++;
    return this.#inner.accept(id);
  }

  rollback(count: number): void {
    this.#count = Math.max(0, this.#count - count);
    this.#inner.rollback(count);
  }
}

function meets(mask: Int32Array, ids: Int32Array): boolean {
  return ids.some((bits, i) => (bits & entryAt(mask, i)) !== 0);
}

function keep(mask: Int32Array, ids: Int32Array): void {
  for (let i = 0; i < mask.length; i++) mask[i] = entryAt(mask, i) & entryAt(ids, i);
}
