/**
 * The hierarchy of nested spans: model → layers → modules → operations. Spans of
 * one name below one parent are one node, so that a tree is as large as the
 * model, not as the run.
 */
import { NO_DETAIL, type SpanColumns, type Track } from "./columns.ts";
import type { SpanArgs } from "./trace.ts";

export interface SpanNode {
  readonly name: string;
  /** Spans that it stands for. */
  count: number;
  /** ns, all of them. */
  nanos: number;
  /** Bytes and floating-point operations that they, or those in them, say they took. */
  bytes: number;
  flops: number;
  /** What most of its own time is for; empty: unsaid. */
  cause: string;
  /** In order of first appearance. */
  readonly children: readonly SpanNode[];
}

interface Growing extends SpanNode {
  readonly children: Growing[];
  readonly byName: Map<string, Growing>;
}

const fresh = (name: string): Growing => {
  const children: Growing[] = [];
  return { name, count: 0, nanos: 0, bytes: 0, flops: 0, cause: "", children, byName: new Map() };
};

/** Root of the lane that nests: `model` where there is one, else the deepest. */
export function spanTree(columns: SpanColumns, args: readonly SpanArgs[]): SpanNode | undefined {
  const levels = nestingTracks(columns.tracks);
  const root = fresh("");
  // The span of each level that was last met, and its node.
  const at: { index: number; node: Growing }[] = [];
  const next = levels.map(({ from }) => from);
  const endOf = (index: number): number =>
    (columns.start[index] ?? 0) + (columns.duration[index] ?? 0);
  const visit = (depth: number, index: number, parent: Growing): void => {
    const name = columns.names[columns.name[index] ?? 0] ?? "";
    let node = parent.byName.get(name);
    if (node === undefined) {
      node = fresh(name);
      parent.byName.set(name, node);
      parent.children.push(node);
    }
    node.count++;
    node.nanos += columns.duration[index] ?? 0;
    const said = args[columns.detail[index] ?? NO_DETAIL];
    if (typeof said?.["bytes"] === "number") node.bytes += said["bytes"];
    if (typeof said?.["flops"] === "number") node.flops += said["flops"];
    if (typeof said?.["cause"] === "string") node.cause = said["cause"];
    at[depth] = { index, node };
    const below = levels[depth + 1];
    if (below === undefined) return;
    const end = endOf(index);
    for (;;) {
      const child = next[depth + 1] ?? below.to;
      if (child >= below.to || (columns.start[child] ?? 0) >= end) return;
      next[depth + 1] = child + 1;
      visit(depth + 1, child, node);
    }
  };
  const [top] = levels;
  if (top === undefined) return undefined;
  for (let index = top.from; index < top.to; index++) visit(0, index, root);
  for (const child of root.children) {
    root.nanos += child.nanos;
    root.count += child.count;
  }
  gather(root);
  return plain(root);
}

function nestingTracks(tracks: readonly Track[]): readonly Track[] {
  const lanes = new Map<string, Track[]>();
  for (const track of tracks) {
    const key = `${track.process}\n${track.lane}`;
    lanes.set(key, [...(lanes.get(key) ?? []), track]);
  }
  const all = [...lanes.values()];
  const model = all.find(([first]) => first?.lane === "model");
  return model ?? all.reduce((best, one) => (one.length > best.length ? one : best), []);
}

/** What lies in a node counts for it, where it says nothing itself. */
function gather(node: Growing): void {
  for (const child of node.children) gather(child);
  const sum = (of: (its: Growing) => number): number =>
    node.children.reduce((total, child) => total + of(child), 0);
  node.bytes ||= sum((child) => child.bytes);
  node.flops ||= sum((child) => child.flops);
  if (node.cause === "") {
    const longest = node.children.reduce<Growing | undefined>(
      (best, one) => (best === undefined || one.nanos > best.nanos ? one : best),
      undefined,
    );
    node.cause = longest?.cause ?? "";
  }
}

const plain = ({ byName: _, children, ...node }: Growing): SpanNode => ({
  ...node,
  children: children.map(plain),
});

/** Siblings that differ only in their numbers (layers.0, layers.1) as one. */
export function mergeNumbered(node: SpanNode): SpanNode {
  const merged = new Map<string, SpanNode[]>();
  for (const child of node.children) {
    const name = child.name.replaceAll(/\d+/g, "*");
    merged.set(name, [...(merged.get(name) ?? []), child]);
  }
  const children = [...merged].map(([name, group]) => {
    const [only] = group;
    if (group.length === 1 && only !== undefined) return mergeNumbered(only);
    const sum = (of: (its: SpanNode) => number): number =>
      group.reduce((total, its) => total + of(its), 0);
    return mergeNumbered({
      name,
      count: sum((its) => its.count),
      nanos: sum((its) => its.nanos),
      bytes: sum((its) => its.bytes),
      flops: sum((its) => its.flops),
      cause: only?.cause ?? "",
      children: joined(group.flatMap((its) => its.children)),
    });
  });
  return { ...node, children };
}

/** Nodes of one name as one. */
function joined(nodes: readonly SpanNode[]): readonly SpanNode[] {
  const found = new Map<string, SpanNode>();
  for (const node of nodes) {
    const same = found.get(node.name);
    found.set(
      node.name,
      same === undefined
        ? node
        : {
            name: node.name,
            count: same.count + node.count,
            nanos: same.nanos + node.nanos,
            bytes: same.bytes + node.bytes,
            flops: same.flops + node.flops,
            cause: same.cause,
            children: joined([...same.children, ...node.children]),
          },
    );
  }
  return [...found.values()];
}
