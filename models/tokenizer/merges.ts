/**
 * Merges of a SentencePiece BPE vocabulary, which has only scores: every way to part a
 * token into two, the tokens of higher scores first (as transformers derives them).
 */

interface Scored {
  readonly tokens: readonly string[];
  readonly scores: ArrayLike<number>;
}

export function mergesByScore({ tokens, scores }: Scored): readonly (readonly [string, string])[] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const found: {
    readonly left: string;
    readonly right: string;
    readonly order: readonly number[];
  }[] = [];
  for (const [id, token] of tokens.entries()) {
    const letters = [...token];
    const parts: {
      left: string;
      right: string;
      order: readonly number[];
      ids: [number, number];
    }[] = [];
    let left = "";
    for (let at = 1; at < letters.length; at++) {
      left += letters[at - 1];
      const right = token.slice(left.length);
      const [first, second] = [ids.get(left), ids.get(right)];
      if (first === undefined || second === undefined) continue;
      const order = [scores[id] ?? 0, at, letters.length - at];
      parts.push({ left, right, order, ids: [first, second] });
    }
    parts.sort((a, b) => a.ids[0] - b.ids[0] || a.ids[1] - b.ids[1]);
    found.push(...parts);
  }
  // Stable, and the greatest first in each.
  found.sort((a, b) => descending(a.order, b.order));
  return found.map((merge) => [merge.left, merge.right]);
}

function descending(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) {
    const difference = (b[i] ?? 0) - value;
    if (difference !== 0) return difference;
  }
  return 0;
}
