/**
 * A grammar as a flat list, to cross from the thread that builds it: nesting can
 * run deeper than structured clone does.
 */
import { entryAt } from "../entry-at.ts";
import { type ByteSet, type Node, type Rule, reachable } from "./grammar.ts";

export type FlatNode =
  | { readonly kind: "bytes"; readonly set: ByteSet }
  | { readonly kind: "seq" | "alt"; readonly parts: readonly number[] }
  | { readonly kind: "repeat"; readonly item: number; readonly min: number; readonly max: number }
  | { readonly kind: "rule"; readonly name: string; readonly body: number };

/** The root comes first. */
export function flatten(root: Node): readonly FlatNode[] {
  const nodes = reachable(root);
  const ids = new Map<Node | undefined, number>(nodes.map((node, id) => [node, id]));
  const idOf = (node: Node | undefined): number => ids.get(node) ?? -1;
  return nodes.map((node): FlatNode => {
    if (node.kind === "bytes") return node;
    if (node.kind === "seq") return { kind: "seq", parts: node.items.map(idOf) };
    if (node.kind === "alt") return { kind: "alt", parts: node.options.map(idOf) };
    if (node.kind === "rule") {
      return { kind: "rule", name: node.rule.name, body: idOf(node.rule.body) };
    }
    return { kind: "repeat", item: idOf(node.item), min: node.min, max: node.max };
  });
}

export function unflatten(flat: readonly FlatNode[]): Node {
  const rules = new Map<number, Rule>();
  // Every node is made first and filled after: the list may refer forward.
  const parts = flat.map((): Node[] => []);
  const nodes = flat.map((node, id): Node => {
    const list = entryAt(parts, id);
    if (node.kind === "bytes") return node;
    if (node.kind === "repeat") {
      return { kind: "repeat", item: { kind: "seq", items: list }, min: node.min, max: node.max };
    }
    if (node.kind === "rule") {
      const rule = rules.get(node.body) ?? { name: node.name, body: undefined };
      rules.set(node.body, rule);
      return { kind: "rule", rule };
    }
    return node.kind === "seq" ? { kind: "seq", items: list } : { kind: "alt", options: list };
  });
  const at = (id: number): Node => {
    const node = nodes[id];
    if (node === undefined) throw new Error(`A grammar refers to part ${id}, which it lacks.`);
    return node;
  };
  for (const [id, node] of flat.entries()) {
    if (node.kind === "seq" || node.kind === "alt") entryAt(parts, id).push(...node.parts.map(at));
    else if (node.kind === "repeat") entryAt(parts, id).push(at(node.item));
    else if (node.kind === "rule") {
      const rule = rules.get(node.body);
      if (rule !== undefined) rule.body = at(node.body);
    }
  }
  return at(0);
}
