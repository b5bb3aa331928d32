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

export class Vocabulary {
  readonly size: number;
  /** Longest token, in bytes. */
  readonly longest: number;
  readonly byte: Uint8Array;
  readonly depth: Uint16Array;
  readonly end: Int32Array;
  /** Tokens that end at node i: `tokens[first[i] .. first[i] + here[i])`. */
  readonly first: Int32Array;
  readonly here: Uint8Array;
  readonly tokens: Int32Array;
  readonly #bytesOf: readonly Uint8Array[];

  /** `bytesOf[id]`; empty bytes: an id that no text spells (special ids). */
  constructor(bytesOf: readonly Uint8Array[]) {
    this.#bytesOf = bytesOf;
    this.size = bytesOf.length;
    const order = bytesOf
      .map((_, id) => id)
      .filter((id) => (bytesOf[id]?.length ?? 0) > 0)
      .sort((a, b) => compare(bytesOf[a] ?? NONE, bytesOf[b] ?? NONE) || a - b);
    const byte: number[] = [0];
    const depth: number[] = [0];
    const first: number[] = [0];
    const path: number[] = [0];
    const end: number[] = [0];
    const here: number[] = [0];
    let longest = 0;
    let previous: Uint8Array = NONE;
    const closeBelow = (level: number) => {
      while (path.length - 1 > level) end[path.pop() ?? 0] = byte.length;
    };
    for (let k = 0; k < order.length; k++) {
      const text = bytesOf[order[k] ?? 0] ?? NONE;
      let shared = 0;
      while (shared < text.length && shared < previous.length && text[shared] === previous[shared])
        shared++;
      closeBelow(shared);
      for (let i = shared; i < text.length; i++) {
        path.push(byte.length);
        byte.push(text[i] ?? 0);
        depth.push(i + 1);
        first.push(k);
        end.push(0);
        here.push(0);
      }
      // Equal texts follow each other: the node on top is theirs.
      const node = path.at(-1) ?? 0;
      here[node] = (here[node] ?? 0) + 1;
      longest = Math.max(longest, text.length);
      previous = text;
    }
    closeBelow(0);
    end[0] = byte.length;
    this.longest = longest;
    this.byte = Uint8Array.from(byte);
    this.depth = Uint16Array.from(depth);
    this.end = Int32Array.from(end);
    this.first = Int32Array.from(first);
    this.here = Uint8Array.from(here);
    this.tokens = Int32Array.from(order);
  }

  bytes(id: number): Uint8Array {
    return this.#bytesOf[id] ?? NONE;
  }
}

/** `size` is that of the logits, which may exceed the tokenizer's. */
export function vocabularyOf(tokenizer: Tokenizer, size: number): Vocabulary {
  return new Vocabulary(
    Array.from({ length: size }, (_, id) =>
      id >= tokenizer.vocabSize || tokenizer.specialIds.has(id) ? NONE : tokenizer.bytes(id),
    ),
  );
}

const NONE = new Uint8Array(0);

function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
