/**
 * Texts of a grammar that are not too long and not too short, as a grammar of the same
 * shape: what may be long gets a share of the length. Not all of them where several parts
 * may be long, but no product of states that grows with the length. Characters are counted.
 */
import { entryAt } from "../../entry-at.ts";
import { alt, NEVER, type Node, repeat, seq } from "../grammar.ts";

export interface Lengths {
  readonly min: number;
  readonly max: number;
}

/** Of the texts of a node, in characters; of a rule nothing is known. */
export function lengths(node: Node): Lengths {
  if (node.kind === "bytes" || (node.kind !== "repeat" && node.kind !== "rule" && node.character))
    return { min: 1, max: 1 };
  switch (node.kind) {
    case "seq":
      return node.items
        .map(lengths)
        .reduce((a, b) => ({ min: a.min + b.min, max: a.max + b.max }), { min: 0, max: 0 });
    case "alt":
      return node.options
        .map(lengths)
        .reduce((a, b) => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) }), {
          min: Number.POSITIVE_INFINITY,
          max: 0,
        });
    case "repeat": {
      const item = lengths(node.item);
      return { min: item.min * node.min, max: item.max === 0 ? 0 : item.max * node.max };
    }
    case "rule":
      return { min: 0, max: Number.POSITIVE_INFINITY };
  }
}

/** Only without rules: undefined where there is one that matters. */
export function ofLength(node: Node, { min, max }: Lengths): Node | undefined {
  const cut = atMost(node, max);
  return cut && atLeast(cut, min);
}

function atMost(node: Node, most: number): Node | undefined {
  const { min, max } = lengths(node);
  if (max <= most) return node;
  if (min > most) return NEVER;
  switch (node.kind) {
    case "alt":
      return every(node.options, (option) => atMost(option, most), alt);
    case "seq": {
      const shares = share(node.items.map(lengths), most - min);
      return every(node.items, (item, at) => atMost(item, entryAt(shares, at)), seq);
    }
    case "repeat": {
      const item = lengths(node.item);
      const fitting = Math.floor(most / item.max);
      if (fitting >= Math.max(node.min, 1)) return repeat(node.item, node.min, fitting);
      // Few long items or many short ones: about as many as they are long.
      const shortest = Math.max(item.min, 1);
      const some = Math.ceil(Math.sqrt(most / shortest));
      const count = Math.max(node.min, Math.min(node.max, some), 1);
      const cut = atMost(node.item, Math.floor(most / count));
      return cut && repeat(cut, node.min, count);
    }
    default:
      return undefined;
  }
}

function atLeast(node: Node, least: number): Node | undefined {
  const { min, max } = lengths(node);
  if (min >= least) return node;
  if (max < least) return NEVER;
  switch (node.kind) {
    case "alt":
      return every(node.options, (option) => atLeast(option, least), alt);
    case "seq": {
      // The last parts take what is missing: they are what mostly goes on.
      let missing = least - min;
      const wanted = node.items
        .map(lengths)
        .reverse()
        .map((one) => {
          const taken = Math.min(missing, one.max - one.min);
          missing -= taken;
          return one.min + taken;
        });
      wanted.reverse();
      return every(node.items, (item, at) => atLeast(item, entryAt(wanted, at)), seq);
    }
    case "repeat": {
      const item = lengths(node.item);
      const count = item.min > 0 ? Math.ceil(least / item.min) : least;
      if (item.min > 0 && count <= node.max) return repeat(node.item, count, node.max);
      const most = Math.min(count, node.max);
      const longer = atLeast(node.item, Math.ceil(least / most));
      return longer && repeat(longer, most, node.max);
    }
    default:
      return undefined;
  }
}

/** What each may be long: its least, and of the rest as much as all others may have too. */
function share(parts: readonly Lengths[], rest: number): readonly number[] {
  const shares = parts.map(({ min }) => min);
  const open = [...parts.entries()].sort(([, a], [, b]) => a.max - a.min - (b.max - b.min));
  let left = rest;
  for (const [i, [at, { min, max }]] of open.entries()) {
    const granted = Math.min(max - min, Math.floor(left / (open.length - i)));
    shares[at] = min + granted;
    left -= granted;
  }
  return shares;
}

function every(
  nodes: readonly Node[],
  change: (node: Node, at: number) => Node | undefined,
  make: (...nodes: readonly Node[]) => Node,
): Node | undefined {
  const changed = nodes.map(change);
  const found = changed.filter((node) => node !== undefined);
  if (found.length < changed.length) return undefined;
  return make === alt ? alt(...found.filter((node) => node !== NEVER)) : make(...found);
}
