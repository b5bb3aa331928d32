/**
 * Tokens as a trie of their bytes, laid out flat in depth-first order, so that a mask is
 * one forward scan: where a byte is refused the scan jumps past the whole subtree.
 *
 *     i        0     1    2    3    4        node 1 = "a", 2 = "ab", 3 = "ac", 4 = "b"
 *     byte     –     a    b    c    b
 *     end      5     4    3    4    5        node i's subtree is [i, end[i])
 */
import { entryAt } from "../entry-at.ts";
import { kindsBeneath } from "./kinds.ts";

/** Plain data in shared memory. */
export interface Trie {
  readonly byte: Uint8Array;
  readonly depth: Uint16Array;
  readonly end: Int32Array;
  /** Bytes of the longest text that goes on from node i, and the kind that all such texts are of (kinds.ts). */
  readonly below: Uint16Array;
  readonly kinds: Uint8Array;
  /** Tokens of node i's subtree: `tokens[first[i] .. first[end[i]])`; the first `here[i]` of them end at i. */
  readonly first: Int32Array;
  readonly here: Uint16Array;
  readonly tokens: Int32Array;
}

/** `order`: ids by their texts, none of them empty. */
export function layOutTrie(texts: readonly Uint8Array[], order: readonly number[]): Trie {
  const byte: number[] = [0];
  const depth: number[] = [0];
  const parent: number[] = [0];
  const first: number[] = [0];
  const path: number[] = [0];
  const end: number[] = [0];
  const here: number[] = [0];
  let previous: Uint8Array = NONE;
  const closeBelow = (level: number) => {
    for (const node of path.splice(level + 1)) end[node] = byte.length;
  };
  for (const [k, id] of order.entries()) {
    const text = entryAt(texts, id);
    let common = 0;
    while (common < text.length && common < previous.length && text[common] === previous[common])
      common++;
    closeBelow(common);
    for (let i = common; i < text.length; i++) {
      parent.push(entryAt(path, path.length - 1));
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
    previous = text;
  }
  closeBelow(0);
  end[0] = byte.length;
  first.push(order.length);
  const below = new Uint16Array(byte.length);
  for (let node = byte.length - 1; node > 0; node--) {
    const above = entryAt(parent, node);
    below[above] = Math.max(entryAt(below, above), entryAt(below, node) + 1);
  }
  return {
    byte: shared(Uint8Array, byte),
    depth: shared(Uint16Array, depth),
    end: shared(Int32Array, end),
    below: shared(Uint16Array, below),
    kinds: shared(Uint8Array, kindsBeneath(byte, parent)),
    first: shared(Int32Array, first),
    here: shared(Uint16Array, here),
    tokens: shared(Int32Array, order),
  };
}

const NONE = new Uint8Array(0);

interface SharedArray<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: SharedArrayBuffer): T & { set(values: ArrayLike<number>): void };
}

export function shared<T>(kind: SharedArray<T>, values: ArrayLike<number>): T {
  const array = new kind(new SharedArrayBuffer(values.length * kind.BYTES_PER_ELEMENT));
  array.set(values);
  return array;
}
