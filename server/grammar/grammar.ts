/**
 * A grammar over bytes, as plain data. Every front end (JSON schema, EBNF, regex,
 * structural tags) builds these nodes; the automaton runs them. Nodes may be
 * shared: a grammar is a graph, and only rules make cycles.
 */
import { entryAt } from "../entry-at.ts";

/** 256 bits: which bytes a leaf takes. */
export type ByteSet = Uint32Array;

export type Node =
  | ({ readonly kind: "bytes"; readonly set: ByteSet } & Marked)
  | ({ readonly kind: "seq"; readonly items: readonly Node[] } & Marked)
  | ({ readonly kind: "alt"; readonly options: readonly Node[] } & Marked)
  /** `max` may be Infinity. */
  | { readonly kind: "repeat"; readonly item: Node; readonly min: number; readonly max: number }
  | { readonly kind: "rule"; readonly rule: Rule };

interface Marked {
  /** It is one character, however it is written: counts of characters rest on it. */
  readonly character?: true;
}

/** A named part that may refer to itself; `body` is set before the grammar is used. */
export interface Rule {
  readonly name: string;
  body: Node | undefined;
}

/** A grammar, a regex or a schema that cannot be enforced; the message is for the client. */
export class GrammarError extends Error {
  override readonly name = "GrammarError";
}

export const EMPTY: Node = { kind: "seq", items: [] };
/** Matches nothing at all. */
export const NEVER: Node = { kind: "alt", options: [] };

export function bytes(...ranges: readonly (readonly [low: number, high: number])[]): Node {
  const set = new Uint32Array(8);
  for (const [low, high] of ranges) {
    for (let byte = low; byte <= high; byte++)
      set[byte >> 5] = entryAt(set, byte >> 5) | (1 << (byte & 31));
  }
  return { kind: "bytes", set };
}

export function hasByte(set: ByteSet, byte: number): boolean {
  return ((entryAt(set, byte >> 5) >>> (byte & 31)) & 1) === 1;
}

export function seq(...items: readonly Node[]): Node {
  const flat = items.flatMap((item) =>
    item.kind === "seq" && item.character === undefined ? item.items : [item],
  );
  if (flat.includes(NEVER)) return NEVER;
  const [only] = flat;
  return flat.length === 1 && only !== undefined ? only : { kind: "seq", items: flat };
}

export function alt(...options: readonly Node[]): Node {
  const flat = options.flatMap((option) =>
    option.kind === "alt" && option.character === undefined ? option.options : [option],
  );
  const [only] = flat;
  if (flat.length === 0) return NEVER;
  return flat.length === 1 && only !== undefined ? only : { kind: "alt", options: flat };
}

export function repeat(item: Node, min: number, max: number): Node {
  if (max < min) return NEVER;
  if (max === 0) return EMPTY;
  if (item === NEVER) return min === 0 ? EMPTY : NEVER;
  if (min === 1 && max === 1) return item;
  // Counts of counts are one count where the inner ones leave no gaps.
  if (item.kind === "repeat" && item.min <= 1) {
    return { kind: "repeat", item: item.item, min: item.min * min, max: item.max * max };
  }
  return { kind: "repeat", item, min, max };
}

export const optional = (item: Node): Node => repeat(item, 0, 1);
export const many = (item: Node): Node => repeat(item, 0, Number.POSITIVE_INFINITY);

/** A node of one character. */
export function character(node: Node): Node {
  return node.kind === "repeat" || node.kind === "rule" ? node : { ...node, character: true };
}

export function ref(rule: Rule): Node {
  return { kind: "rule", rule };
}

const encoder = new TextEncoder();

/** One node for each byte: grammars are made of texts, and leaves are told apart by identity. */
const SINGLE: readonly Node[] = Array.from({ length: 256 }, (_, byte) => bytes([byte, byte]));
const single = (byte: number): Node => SINGLE[byte] ?? NEVER;

export const literal = (text: string): Node => spelled(encoder.encode(text));

/** These bytes. */
export function spelled(text: Uint8Array): Node {
  const items: Node[] = [];
  for (let at = 0; at < text.length; at++) items.push(single(entryAt(text, at)));
  const [only] = items;
  return items.length === 1 && only !== undefined ? only : { kind: "seq", items };
}

/** One of the texts; common beginnings are shared, so that a long list stays a small state. */
export function literals(texts: readonly string[]): Node {
  interface Branch {
    ends: boolean;
    readonly next: Map<number, Branch>;
  }
  const root: Branch = { ends: false, next: new Map() };
  for (const text of texts) {
    let branch = root;
    for (const byte of encoder.encode(text)) {
      let child = branch.next.get(byte);
      if (child === undefined) {
        child = { ends: false, next: new Map() };
        branch.next.set(byte, child);
      }
      branch = child;
    }
    branch.ends = true;
  }
  const build = (start: Branch): Node => {
    // A run without a fork becomes one flat sequence: long texts do not nest.
    const run: Node[] = [];
    let branch = start;
    for (;;) {
      const [entry] = branch.next;
      if (branch.ends || branch.next.size !== 1 || entry === undefined) break;
      run.push(single(entry[0]));
      branch = entry[1];
    }
    const options = [...branch.next].map(([byte, child]) => seq(single(byte), build(child)));
    const rest = branch.ends ? alt(EMPTY, ...options) : alt(...options);
    return seq(...run, rest);
  };
  return build(root);
}

/** The node and all it is made of, numbered; it is 0. */
export function reachable(root: Node): ReadonlyMap<Node, number> {
  const numbers = new Map([[root, 0]]);
  // A Map yields what is added while it is walked.
  for (const node of numbers.keys()) {
    for (const child of children(node)) {
      if (!numbers.has(child)) numbers.set(child, numbers.size);
    }
  }
  return numbers;
}

function children(node: Node): readonly Node[] {
  if (node.kind === "bytes") return [];
  if (node.kind === "seq") return node.items;
  if (node.kind === "alt") return node.options;
  if (node.kind === "repeat") return [node.item];
  if (node.rule.body === undefined)
    throw new GrammarError(`rule "${node.rule.name}" is not defined`);
  return [node.rule.body];
}
