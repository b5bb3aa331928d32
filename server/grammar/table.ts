/**
 * A grammar as tables of numbers: what automata run, and what crosses from the thread that
 * builds it, in one piece however deep it nests. Bytes that no leaf tells apart are one
 * class, so that a step is known for all of them at once.
 */
import { entryAt } from "../entry-at.ts";
import { type ByteSet, GrammarError, hasByte, type Node, reachable } from "./grammar.ts";
import { ALT, BYTES, REPEAT, RULE, SEQ, type Shape } from "./shape.ts";
import { type Switches, switchesOf } from "./switches.ts";

const KINDS = { bytes: BYTES, seq: SEQ, alt: ALT, repeat: REPEAT, rule: RULE } as const;

/** A count without an end; longer finite ones are taken for it. */
export const UNBOUNDED = 2 ** 30 - 1;

export interface GrammarTable extends Shape, Switches {
  /** It can end: 1. Others are dead ends, not to be entered. */
  readonly productive: Uint8Array;
  /** It can take no byte: 1. */
  readonly nullable: Uint8Array;
  /** By byte; `classes` of them. */
  readonly classOf: Uint8Array;
  readonly classes: number;
  /** Words of a set of classes: set s is `sets[s * words .. (s + 1) * words)`. */
  readonly words: number;
  readonly sets: Int32Array;
}

/** All that it consists of, each with a buffer of its own. */
export function tableArrays(table: GrammarTable): readonly (Uint8Array | Int32Array)[] {
  const { kind, first, parts, productive, nullable, classOf, sets, switchAt, switches } = table;
  return [kind, first, parts, productive, nullable, classOf, sets, switchAt, switches];
}

/**
 * Throws GrammarError for what can never end, and for what refers to itself before taking
 * a byte.
 */
export function layOutGrammar(root: Node): GrammarTable {
  const ids = reachable(root);
  const idOf = (node: Node): number => ids.get(bodyOf(node)) ?? 0; // all that is reachable is there
  const names = new Map<number, string>();
  const sets = new Sets();
  const kind = new Uint8Array(ids.size);
  const first = new Int32Array(ids.size + 1);
  const parts: number[] = [];
  for (const [node, id] of ids) {
    kind[id] = KINDS[node.kind];
    if (node.kind === "bytes") parts.push(sets.idOf(node.set));
    else if (node.kind === "repeat") {
      parts.push(idOf(node.item), bounded(node.min), bounded(node.max));
    } else if (node.kind === "rule") {
      parts.push(idOf(node));
      names.set(idOf(node), node.rule.name);
    } else for (const part of partsOf(node)) parts.push(idOf(part));
    first[id + 1] = parts.length;
  }
  const shape = { kind, first, parts: Int32Array.from(parts) };
  const empty = sets.list.map((set) => set.every((word) => word === 0));
  const parents = parentsOf(shape);
  const productive = holding(shape, parents, (set) => !entryAt(empty, set));
  if (productive[0] === 0) throw new GrammarError("no finite text can satisfy it");
  const nullable = holding(shape, parents, () => false);
  refuseLeftRecursion(shape, nullable, names);
  const switches = switchesOf(shape, productive, sets.list, (set) => sets.idOf(set));
  return { ...shape, productive, nullable, ...switches, ...sets.layOut() };
}

/** Rules that stand for rules are seen through so far; where they go in a circle one of them is left. */
const MOST_HOPS = 64;

/** What a rule stands for. */
function bodyOf(node: Node): Node {
  let at = node;
  for (let hops = 0; hops < MOST_HOPS && at.kind === "rule" && at.rule.body; hops++)
    at = at.rule.body;
  return at;
}

const bounded = (count: number): number => Math.min(count, UNBOUNDED);

const partsOf = (node: Node): readonly Node[] =>
  node.kind === "seq" ? node.items : node.kind === "alt" ? node.options : [];

/** Sets of bytes, equal ones once. */
class Sets {
  readonly list: ByteSet[] = [];
  readonly #ids = new Map<string, number>();

  idOf(set: ByteSet): number {
    const key = set.join();
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.list.length;
      this.list.push(set);
      this.#ids.set(key, id);
    }
    return id;
  }

  layOut(): Pick<GrammarTable, "classOf" | "classes" | "words" | "sets"> {
    const { classOf, classes } = this.#classes();
    const words = (classes + 31) >> 5;
    const bits = new Int32Array(this.list.length * words);
    for (const [id, set] of this.list.entries()) {
      for (let byte = 0; byte < 256; byte++) {
        if (!hasByte(set, byte)) continue;
        const of = entryAt(classOf, byte);
        bits[id * words + (of >> 5)] = entryAt(bits, id * words + (of >> 5)) | (1 << (of & 31));
      }
    }
    return { classOf, classes, words, sets: bits };
  }

  /** Each set splits the classes into what it has of them and what it has not. */
  #classes(): { readonly classOf: Uint8Array; readonly classes: number } {
    const classOf = new Uint8Array(256);
    const split = new Int32Array(512);
    let classes = 1;
    for (const set of this.list) {
      if (classes === 256) break;
      split.fill(-1);
      classes = 0;
      for (let byte = 0; byte < 256; byte++) {
        const part = 2 * entryAt(classOf, byte) + (hasByte(set, byte) ? 1 : 0);
        if (entryAt(split, part) < 0) split[part] = classes++;
        classOf[byte] = entryAt(split, part);
      }
    }
    return { classOf, classes };
  }
}

/**
 * The nodes that hold, 1 each, where bytes do as `ofSet` says, a sequence does if all its
 * parts do and the others if one does: from the leaves up, each edge once.
 */
function holding(
  { kind, first, parts }: Shape,
  parents: Parents,
  ofSet: (set: number) => boolean,
): Uint8Array {
  const count = kind.length;
  /** Parts that must hold still. */
  const missing = new Int32Array(count);
  const holds = new Uint8Array(count);
  const open: number[] = [];
  const settle = (node: number) => {
    if (holds[node] === 1) return;
    holds[node] = 1;
    open.push(node);
  };
  for (let node = 0; node < count; node++) {
    const from = entryAt(first, node);
    const of = entryAt(kind, node);
    missing[node] = of === SEQ ? entryAt(first, node + 1) - from : 1;
    const free =
      of === BYTES ? ofSet(entryAt(parts, from)) : of === REPEAT && parts[from + 1] === 0;
    if (free || missing[node] === 0) settle(node);
  }
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (let k = entryAt(parents.first, node); k < entryAt(parents.first, node + 1); k++) {
      const parent = entryAt(parents.list, k);
      missing[parent] = entryAt(missing, parent) - 1;
      if (entryAt(missing, parent) <= 0) settle(parent);
    }
  }
  return holds;
}

/** Of node n: `list[first[n] .. first[n + 1])`. */
interface Parents {
  readonly first: Int32Array;
  readonly list: Int32Array;
}

/** Whose part a node is, once for each time that it is. */
function parentsOf(shape: Shape): Parents {
  const count = shape.kind.length;
  const first = new Int32Array(count + 2);
  for (let node = 0; node < count; node++) {
    const [from, to] = partsAt(shape, node);
    for (let k = from; k < to; k++) {
      const part = entryAt(shape.parts, k);
      first[part + 2] = entryAt(first, part + 2) + 1;
    }
  }
  for (let node = 2; node < count + 2; node++)
    first[node] = entryAt(first, node) + entryAt(first, node - 1);
  const list = new Int32Array(entryAt(first, count + 1));
  for (let node = 0; node < count; node++) {
    const [from, to] = partsAt(shape, node);
    for (let k = from; k < to; k++) {
      const part = entryAt(shape.parts, k);
      const place = entryAt(first, part + 1);
      list[place] = node;
      first[part + 1] = place + 1;
    }
  }
  return { first, list };
}

/** Where the parts that are nodes stand. */
function partsAt({ kind, first }: Shape, node: number): readonly [from: number, to: number] {
  const from = entryAt(first, node);
  const of = entryAt(kind, node);
  if (of === BYTES) return [from, from];
  return [from, of === REPEAT ? from + 1 : entryAt(first, node + 1)];
}

/** `names`: of the rules that stand for some nodes. */
function refuseLeftRecursion(
  shape: Shape,
  nullable: Uint8Array,
  names: ReadonlyMap<number, string>,
): void {
  const OPEN = 1;
  const DONE = 2;
  const state = new Uint8Array(shape.kind.length);
  const stack: { readonly node: number; at: number; readonly to: number }[] = [];
  const open = (node: number) => {
    if (state[node] === DONE) return;
    if (state[node] === OPEN) {
      const name = names.get(node);
      const rule = name === undefined ? "" : ` (rule "${name}")`;
      throw new GrammarError(`it refers to itself before taking any text${rule}`);
    }
    state[node] = OPEN;
    const [from, to] = partsAt(shape, node);
    stack.push({ node, at: from, to: leftmost(shape, nullable, { node, from, to }) });
  };
  for (let start = 0; start < shape.kind.length; start++) {
    open(start);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (top.at < top.to) open(entryAt(shape.parts, top.at++));
      else {
        state[top.node] = DONE;
        stack.pop();
      }
    }
  }
}

/** The end of the parts that may come first. */
function leftmost(
  { kind, parts }: Shape,
  nullable: Uint8Array,
  { node, from, to }: { readonly node: number; readonly from: number; readonly to: number },
): number {
  if (kind[node] !== SEQ) return to;
  let end = from;
  while (end < to && nullable[entryAt(parts, end)] === 1) end++;
  return Math.min(end + 1, to);
}
