/** What a proof prints: figures, and claims that hold or do not. */

export interface Report {
  line(text: string): void;
  /** A claim with what was seen; false fails the whole run. */
  claim(what: string, holds: boolean, seen: string): void;
}

export type Proof = (report: Report) => Promise<void>;

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that `share` of the values do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Numbers in [0, 1) that repeat with the seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function sameIds(
  a: ReadonlyMap<number, readonly number[]>,
  b: ReadonlyMap<number, readonly number[]>,
): boolean {
  if (a.size !== b.size) return false;
  for (const [id, ids] of a) {
    const other = b.get(id);
    if (other?.length !== ids.length || ids.some((token, at) => token !== other[at])) return false;
  }
  return true;
}
