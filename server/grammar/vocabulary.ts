/**
 * The vocabulary as grammars scan it: a trie of all tokens, and slices of plain text that one
 * question settles.
 */

import type { Tokenizer } from "../../models/model.ts";
import { entryAt } from "../entry-at.ts";
import { type Slice, slicesOf } from "./slices.ts";
import { layOutTrie, type Trie } from "./trie.ts";

/** Plain data in shared memory: it crosses to other threads without a copy. */
export interface VocabularyData {
  readonly size: number;
  /** Longest token, in bytes. */
  readonly longest: number;
  /** Of all tokens that a text spells. */
  readonly trie: Trie;
  /** The longest texts first. */
  readonly slices: readonly Slice[];
  readonly words: TokenTexts;
}

/** Bytes of every id, one after the other; empty: an id that no text spells (special ids). */
export interface TokenTexts {
  readonly bytes: Uint8Array;
  /** Id's bytes are `[offsets[id], offsets[id + 1])`. */
  readonly offsets: Uint32Array;
}

export class Vocabulary {
  readonly data: VocabularyData;

  constructor(data: VocabularyData) {
    this.data = data;
  }

  /** `bytesOf[id]`; for small ones, in tests and benchmarks. */
  static of(bytesOf: readonly Uint8Array[]): Vocabulary {
    return new Vocabulary(layOut(tokenTexts(bytesOf.length, (id) => entryAt(bytesOf, id))));
  }

  get size(): number {
    return this.data.size;
  }

  bytes(id: number): Uint8Array {
    return textOf(this.data.words, id);
  }
}

/** Sorts the tokens: a second or so at a vocabulary of 200k. */
export function layOut(words: TokenTexts): VocabularyData {
  const size = words.offsets.length - 1;
  const texts = Array.from({ length: size }, (_, id) => textOf(words, id));
  const order = texts
    .map((_, id) => id)
    .filter((id) => entryAt(texts, id).length > 0)
    .sort((a, b) => compare(entryAt(texts, a), entryAt(texts, b)) || a - b);
  return {
    size,
    longest: texts.reduce((most, { length }) => Math.max(most, length), 0),
    trie: layOutTrie(texts, order),
    slices: slicesOf(texts, order),
    words,
  };
}

export function tokenTexts(size: number, bytesOf: (id: number) => Uint8Array): TokenTexts {
  const offsets = new Uint32Array(new SharedArrayBuffer(4 * (size + 1)));
  for (let id = 0; id < size; id++) offsets[id + 1] = entryAt(offsets, id) + bytesOf(id).length;
  const bytes = new Uint8Array(new SharedArrayBuffer(entryAt(offsets, size)));
  for (let id = 0; id < size; id++) bytes.set(bytesOf(id), offsets[id]);
  return { bytes, offsets };
}

/** `size` is that of the logits, which may exceed the tokenizer's. */
export function textsOf(tokenizer: Tokenizer, size: number): TokenTexts {
  return tokenTexts(size, (id) =>
    id >= tokenizer.vocabSize || tokenizer.specialIds.has(id) ? NONE : tokenizer.bytes(id),
  );
}

function textOf({ bytes, offsets }: TokenTexts, id: number): Uint8Array {
  return bytes.subarray(offsets[id], offsets[id + 1]);
}

const NONE = new Uint8Array(0);

function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = entryAt(a, i) - entryAt(b, i);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
