/**
 * Lists of ids. A typed array of more than 64 bytes has its memory outside the runtime's heap:
 * to get it and to give it back costs more than to fill it. Short lists are cut from slabs.
 */

/** Ids of a slab, 16 kB: one short list that is kept keeps all of it. */
const SLAB = 4096;
/** Longer lists have memory of their own. */
const LONGEST = 512;

let slab = new Int32Array(0);
let used = 0;

/** So many ids, all 0. Whoever reads its `buffer` reads others' lists. */
export function newIds(length: number): Int32Array {
  if (length > LONGEST) return new Int32Array(length);
  if (used + length > slab.length) {
    slab = new Int32Array(SLAB);
    used = 0;
  }
  const from = used;
  used += length;
  return slab.subarray(from, used);
}

export function idsOf(ids: ArrayLike<number>): Int32Array {
  const list = newIds(ids.length);
  list.set(ids);
  return list;
}
