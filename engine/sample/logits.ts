/** What may be chosen at all: hot loops over one row of logits `[vocabulary]`, in place. */
import type { TokenId } from "../../device/device.ts";

const FORBIDDEN = Number.NEGATIVE_INFINITY;

export function forbid(logits: Float32Array, ids: Iterable<TokenId>): void {
  for (const id of ids) if (id < logits.length) logits[id] = FORBIDDEN;
}

/** A mask as `applyMask` takes it, of the ids that are allowed; made once for a sequence. */
export function maskOf(ids: readonly TokenId[]): Int32Array {
  const highest = ids.reduce((most, id) => Math.max(most, id), 0);
  const mask = new Int32Array((highest >> 5) + 1);
  for (const id of ids) mask[id >> 5] = (mask[id >> 5] ?? 0) | (1 << (id & 31));
  return mask;
}

/** Bit (id & 31) of mask[id >> 5] allows an id; what the mask does not reach is forbidden. */
export function applyMask(logits: Float32Array, mask: Int32Array): void {
  logits.fill(FORBIDDEN, Math.min(logits.length, 32 * mask.length));
  for (let word = 0; word < mask.length; word++) {
    const bits = mask[word] ?? 0;
    if (bits === -1) continue;
    const begin = word * 32;
    const end = Math.min(begin + 32, logits.length);
    if (bits === 0) {
      logits.fill(FORBIDDEN, begin, end);
      continue;
    }
    for (let id = begin; id < end; id++)
      if (((bits >>> (id & 31)) & 1) === 0) logits[id] = FORBIDDEN;
  }
}

export function addBias(logits: Float32Array, bias: ReadonlyMap<TokenId, number>): void {
  for (const [id, value] of bias) if (id < logits.length) logits[id] = (logits[id] ?? 0) + value;
}

/** Forbids ids that would complete one of the sequences; `output` is what was sampled so far. */
export function forbidBadWords(
  logits: Float32Array,
  badWords: readonly (readonly TokenId[])[],
  output: readonly TokenId[],
): void {
  for (const word of badWords) {
    const last = word[word.length - 1];
    const begin = output.length - (word.length - 1);
    if (last === undefined || begin < 0 || last >= logits.length) continue;
    let same = true;
    for (let i = 0; i < word.length - 1 && same; i++) same = word[i] === output[begin + i];
    if (same) logits[last] = FORBIDDEN;
  }
}
