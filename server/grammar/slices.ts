/**
 * Slices of a vocabulary: tokens of plain text up to a length. Where a state takes all
 * plain text of that length, which a walk over a few states tells, these tokens are
 * allowed without a look at them, and only the others are scanned: of a free string
 * a tenth of the trie is left.
 */
import { entryAt } from "../entry-at.ts";
import { isOfKind, PLAIN } from "./kinds.ts";
import { layOutTrie, shared, type Trie } from "./trie.ts";

export interface Slice {
  /** Bytes of its longest token at most. */
  readonly longest: number;
  /** Bits of its ids. */
  readonly mask: Int32Array;
  /** Of all other tokens. */
  readonly rest: Trie;
}

/** The longest token of each slice, in bytes. */
const LENGTHS: readonly number[] = [Number.POSITIVE_INFINITY, 16];

/** `order`: ids by their texts, none of them empty. */
export function slicesOf(texts: readonly Uint8Array[], order: readonly number[]): readonly Slice[] {
  const plain = texts.map((text) => isOfKind(PLAIN, text));
  const most = texts.reduce((most, { length }) => Math.max(most, length), 0);
  return LENGTHS.map((length) => {
    const longest = Math.min(length, most);
    const inside = (id: number) => entryAt(plain, id) && entryAt(texts, id).length <= longest;
    const mask = new Int32Array((texts.length + 31) >> 5);
    for (const id of order) {
      if (inside(id)) mask[id >> 5] = entryAt(mask, id >> 5) | (1 << (id & 31));
    }
    return {
      longest,
      mask: shared(Int32Array, mask),
      rest: layOutTrie(
        texts,
        order.filter((id) => !inside(id)),
      ),
    };
  });
}
