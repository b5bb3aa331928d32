/** Ways of a state that others of it make superfluous. Hot: the casts rest on indices being within their lists. */
import type { Way } from "./ways.ts";

const FEW = 48;

/** May any two differ in counts alone? */
function haveTwins(leaves: readonly Way[]): boolean {
  if (!leaves.some(({ counted }) => counted)) return false;
  if (leaves.length > FEW) return true;
  for (let i = 1; i < leaves.length; i++) {
    const { shape } = leaves[i] as Way; // within its bounds
    for (let j = 0; j < i; j++) if ((leaves[j] as Way).shape === shape) return true;
  }
  return false;
}

/**
 * Without those whose texts all go another of them too: counts that may end sooner and go on
 * longer. `look` hears how many others a leaf is held against.
 */
export function withoutCovered(leaves: Way[], look: (others: number) => void): Way[] {
  if (leaves.length < 2 || !haveTwins(leaves)) return leaves;
  const byShape = new Map<number, Way[]>();
  for (const leaf of leaves) {
    const alike = byShape.get(leaf.shape);
    look(alike?.length ?? 0);
    if (alike === undefined) byShape.set(leaf.shape, [leaf]);
    else if (!alike.some((other) => covers(other, leaf))) {
      byShape.set(leaf.shape, [...alike.filter((other) => !covers(leaf, other)), leaf]);
    }
  }
  return [...byShape.values()].flat();
}

/** All texts of `b` are texts of `a`, as far as their counts tell. */
function covers(a: Way, b: Way): boolean {
  let [one, other]: (Way | undefined)[] = [a, b];
  for (; one !== other; one = one.next, other = other.next) {
    if (one === undefined || other === undefined || one.node !== other.node) return false;
    if (one.low > other.low || one.high < other.high) return false;
  }
  return true;
}
