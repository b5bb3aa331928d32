/**
 * The vocabulary as a trie of token bytes, laid out flat in depth-first order, so
 * that a mask is one forward scan: where a byte is refused the scan jumps past
 * the whole subtree.
 *
 *     i        0     1    2    3    4        node 1 = "a", 2 = "ab", 3 = "ac", 4 = "b"
 *     byte     –     a    b    c    b
 *     end      5     4    3    4    5        node i's subtree is [i, end[i])
 */

import type { Tokenizer } from "../../models/model.ts";
import { entryAt } from "../entry-at.ts";

/** The trie as plain data in shared memory: it crosses to other threads without a copy. */
export interface VocabularyData {
  readonly size: number;
  /** Longest token, in bytes. */
  readonly longest: number;
  readonly byte: Uint8Array;
  readonly depth: Uint16Array;
  readonly end: Int32Array;
  /** Tokens that end at node i: `tokens[first[i] .. first[i] + here[i])`. */
  readonly first: Int32Array;
  readonly here: Uint16Array;
  readonly tokens: Int32Array;
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

/** Sorts the tokens into the trie: a second or so at a vocabulary of 200k. */
export function layOut(words: TokenTexts): VocabularyData {
  const size = words.offsets.length - 1;
  const texts = Array.from({ length: size }, (_, id) => textOf(words, id));
  const order = texts
    .map((_, id) => id)
    .filter((id) => entryAt(texts, id).length > 0)
    .sort((a, b) => compare(entryAt(texts, a), entryAt(texts, b)) || a - b);
  const byte: number[] = [0];
  const depth: number[] = [0];
  const first: number[] = [0];
  const path: number[] = [0];
  const end: number[] = [0];
  const here: number[] = [0];
  let longest = 0;
  let previous: Uint8Array = NONE;
  const closeBelow = (level: number) => {
    for (const node of path.splice(level + 1)) end[node] = byte.length;
  };
  for (const [k, id] of order.entries()) {
    const text = entryAt(texts, id);
    let shared = 0;
    while (shared < text.length && shared < previous.length && text[shared] === previous[shared])
      shared++;
    closeBelow(shared);
    for (let i = shared; i < text.length; i++) {
      path.push(byte.length);
      byte.push(entryAt(text, i));
      depth.push(i + 1);
      first.push(k);
      end.push(0);
      here.push(0);
    }
    // Equal texts follow each other: the node on top is theirs.
    const node = entryAt(path, path.length - 1);
    here[node] = entryAt(here, node) + 1;
    longest = Math.max(longest, text.length);
    previous = text;
  }
  closeBelow(0);
  end[0] = byte.length;
  return {
    size,
    longest,
    byte: shared(Uint8Array, byte),
    depth: shared(Uint16Array, depth),
    end: shared(Int32Array, end),
    first: shared(Int32Array, first),
    here: shared(Uint16Array, here),
    tokens: shared(Int32Array, order),
    words,
  };
}

interface SharedArray<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: SharedArrayBuffer): T & { set(values: readonly number[]): void };
}

function shared<T>(kind: SharedArray<T>, values: readonly number[]): T {
  const array = new kind(new SharedArrayBuffer(values.length * kind.BYTES_PER_ELEMENT));
  array.set(values);
  return array;
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
