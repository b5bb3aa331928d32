/**
 * Texts of which one is written, each with what follows it, as a tree that shares beginnings.
 * A tree is never changed: one with a text more shares all of it but the way to that text, so
 * that each of thousands of properties can have the tree of those that may still come.
 */
import { entryAt } from "../../entry-at.ts";
import { type Node, spelled } from "../grammar.ts";

export interface Fork {
  /** By their first byte. */
  readonly branches: ReadonlyMap<number, Branch>;
  readonly node: Node;
}

interface Branch {
  readonly bytes: Uint8Array;
  /** What follows the bytes: a fork, or what follows the whole text. */
  readonly then: Fork | { readonly node: Node };
  readonly node: Node;
}

const encoder = new TextEncoder();

export const NO_FORK: Fork = forkOf(new Map());

/** The tree with one text more; no text may begin another. */
export function withText(fork: Fork, text: string, after: Node): Fork {
  return added(fork, encoder.encode(text), after);
}

function added({ branches }: Fork, bytes: Uint8Array, after: Node): Fork {
  const first = entryAt(bytes, 0);
  const known = branches.get(first);
  const branch =
    known === undefined ? branchOf(bytes, { node: after }) : joined(known, bytes, after);
  return forkOf(new Map(branches).set(first, branch));
}

function joined(branch: Branch, bytes: Uint8Array, after: Node): Branch {
  let common = 0;
  while (common < branch.bytes.length && branch.bytes[common] === bytes[common]) common++;
  const rest = bytes.subarray(common);
  if (common === branch.bytes.length && "branches" in branch.then)
    return branchOf(branch.bytes, added(branch.then, rest, after));
  const old = branchOf(branch.bytes.subarray(common), branch.then);
  const parted = forkOf(new Map([[entryAt(old.bytes, 0), old]]));
  return branchOf(bytes.subarray(0, common), added(parted, rest, after));
}

// Not flattened: the parts are shared, and copies would grow with the square.
function branchOf(bytes: Uint8Array, then: Branch["then"]): Branch {
  return { bytes, then, node: { kind: "seq", items: [spelled(bytes), then.node] } };
}

function forkOf(branches: ReadonlyMap<number, Branch>): Fork {
  const options = [...branches.values()].map(({ node }) => node);
  return { branches, node: { kind: "alt", options } };
}
