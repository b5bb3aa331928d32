/**
 * Runs a grammar byte by byte. A state is the set of all ways the grammar may go
 * on; a way is a linked list of what is still to match (a stack, shared by
 * structure). Lists and states are kept once, so a state met again is the same
 * object and its steps are array look-ups: a DFA built only where text goes.
 *
 * Nothing is compiled ahead, therefore a bound such as maxLength 4,000 costs
 * nothing until reached. Work is counted, in ways looked at, and so are the bytes
 * that the tables hold; past what a caller allows, a GrammarError is thrown.
 */
import { entryAt } from "../entry-at.ts";
import { checkGrammar, GrammarError, hasByte, type Node, type Rule } from "./grammar.ts";

/** Still to match: `node` (with what is left of its count, for a repeat), then `next`. */
interface Way {
  readonly id: number;
  /** Absent: the end of the text. */
  readonly node: Node | undefined;
  readonly min: number;
  readonly max: number;
  readonly next: Way | undefined;
  /** Equal for ways that differ in counts alone, and seldom for others. */
  readonly shape: number;
  closure: Closure | undefined;
}

interface Closure {
  /** Ways whose node is a leaf. */
  readonly leaves: readonly Way[];
  readonly ends: boolean;
}

export interface State {
  readonly id: number;
  readonly leaves: readonly Way[];
  /** The text may end here. */
  readonly ends: boolean;
  /** By byte: the next state, REFUSED, or UNKNOWN where not asked yet. */
  next: State[];
}

const marker = (id: number): State => ({ id, leaves: [], ends: false, next: [] });
export const REFUSED = marker(-1);
export const UNKNOWN = marker(-2);
/** Of every state that was never stepped from: most are the ends of tokens. */
const UNASKED: State[] = new Array<State>(256).fill(UNKNOWN);

/** Ways in one state, and steps of one closure. */
const MAX_WAYS = 4_096;
const MAX_CLOSURE = 20_000;

/** What things weigh, in bytes: measured over heaps full of them, rounded up. */
const STATE_BYTES = 300;
const STEPS_BYTES = 256 * 8;
const LEAF_BYTES = 16;
const WAY_BYTES = 250;
/** A new state costs as much time as so many ways looked at. */
const STATE_WORK = 10;

export class Automaton {
  readonly #root: Node;
  /** Parts that can end. */
  readonly #productive: ReadonlySet<Node>;
  readonly #nodeIds = new Map<Node, number>();
  readonly #nullable = new Map<Node, boolean>();
  #ways = new Map<string, Way>();
  #byWays = new Map<string, State>();
  #stateCount = 0;
  #capped = new Map<number, Map<Way, Way>>();
  #wayCount = 0;
  readonly #alike = new Uint32Array(8);
  #end: Way;
  start: State;
  /** Ways looked at so far. */
  work = 0;
  /** `work` at which a GrammarError is thrown. */
  workLimit = Number.POSITIVE_INFINITY;
  /** Bytes that the tables hold, about. */
  bytes = 0;

  /** Throws GrammarError where no finite text satisfies the grammar. */
  constructor(root: Node) {
    this.#root = root;
    this.#productive = checkGrammar(root);
    this.#end = this.#way(undefined, undefined);
    this.start = this.#state([this.#way(root, this.#end)]);
  }

  /** Undefined: the grammar refuses the byte. */
  step(state: State, byte: number): State | undefined {
    const known = state.next[byte];
    const next = known === undefined || known === UNKNOWN ? this.find(state, byte) : known;
    return next === REFUSED ? undefined : next;
  }

  /** A step not asked before; may be REFUSED. It is known then for all bytes that no leaf tells apart. */
  find(state: State, byte: number): State {
    const { leaves } = state;
    this.#spend(leaves.length);
    const alike = this.#alike.fill(-1);
    const ways: Way[] = [];
    for (const leaf of leaves) {
      if (leaf.node?.kind !== "bytes" || leaf.next === undefined) continue;
      const { set } = leaf.node;
      const takes = hasByte(set, byte);
      if (takes) ways.push(leaf.next);
      for (let word = 0; word < 8; word++) {
        const bits = entryAt(set, word);
        alike[word] = entryAt(alike, word) & (takes ? bits : ~bits);
      }
    }
    const next = ways.length === 0 ? REFUSED : this.#state(ways);
    if (state.next === UNASKED) {
      state.next = new Array<State>(256).fill(UNKNOWN);
      this.bytes += STEPS_BYTES;
    }
    for (let other = 0; other < 256; other++) {
      if (hasByte(alike, other)) state.next[other] = next;
    }
    return next;
  }

  run(state: State, text: Uint8Array): State | undefined {
    let at: State | undefined = state;
    for (let i = 0; i < text.length && at !== undefined; i++) at = this.step(at, entryAt(text, i));
    return at;
  }

  accepts(text: string): boolean {
    return this.run(this.start, new TextEncoder().encode(text))?.ends ?? false;
  }

  /**
   * A state that takes the same texts of up to `length` bytes as this one: counts
   * that no such text can exhaust have no end, or are cut to `length`. States inside a long
   * bounded string thereby share one, which is that of an unbounded one.
   */
  capped(state: State, length: number): State {
    let memo = this.#capped.get(length);
    if (memo === undefined) {
      memo = new Map();
      this.#capped.set(length, memo);
    }
    const known = memo;
    return this.#state(
      state.leaves.map((way) => this.#cap(way, length, known)),
      state.ends,
    );
  }

  /** Drops the tables, which are filled again as text needs them; states in use stay valid. */
  forget(): void {
    this.bytes = 0;
    this.#ways = new Map();
    this.#byWays = new Map();
    this.#capped = new Map();
    this.#end = this.#way(undefined, undefined);
    this.start = this.#state([this.#way(this.#root, this.#end)]);
  }

  #spend(ways: number): void {
    this.work += ways;
    if (this.work > this.workLimit) {
      throw new GrammarError("it needs too much work at one place: it is too ambiguous");
    }
  }

  #state(from: readonly Way[], ends = false): State {
    const leaves = new Set<Way>();
    let mayEnd = ends;
    for (const way of from) {
      const closure = this.#closure(way);
      this.#spend(1 + closure.leaves.length);
      mayEnd ||= closure.ends;
      for (const leaf of closure.leaves) leaves.add(leaf);
    }
    const kept = leaves.size > 1 ? withoutCovered(leaves) : [...leaves];
    if (kept.length > MAX_WAYS) throw new GrammarError("it is too ambiguous");
    const sorted = kept.sort((a, b) => a.id - b.id);
    const key = `${mayEnd ? "e" : ""}${sorted.map((leaf) => leaf.id).join(",")}`;
    let state = this.#byWays.get(key);
    if (state === undefined) {
      state = { id: this.#stateCount++, leaves: sorted, ends: mayEnd, next: UNASKED };
      this.#byWays.set(key, state);
      this.bytes += STATE_BYTES + LEAF_BYTES * sorted.length;
      this.#spend(STATE_WORK);
    }
    return state;
  }

  /** What can come first along a way: leaves, and whether the text may end. */
  #closure(start: Way): Closure {
    if (start.closure !== undefined) return start.closure;
    const leaves = new Set<Way>();
    let ends = false;
    const seen = new Set<Way>([start]);
    const open = [start];
    const visit = (way: Way) => {
      if (seen.has(way) || (way.node !== undefined && !this.#productive.has(way.node))) return;
      this.#spend(1);
      if (seen.size > MAX_CLOSURE) throw new GrammarError("it is too ambiguous");
      seen.add(way);
      open.push(way);
    };
    for (let way = open.pop(); way !== undefined; way = open.pop()) {
      const { node, next } = way;
      if (node === undefined || next === undefined) ends = true;
      else if (node.kind === "bytes") leaves.add(way);
      else if (node.kind === "rule") visit(this.#way(bodyOf(node.rule), next));
      else if (node.kind === "alt")
        for (const option of node.options) visit(this.#way(option, next));
      else if (node.kind === "seq") {
        visit(node.items.reduceRight((rest, item) => this.#way(item, rest), next));
      } else {
        if (way.min === 0) visit(next);
        if (way.max > 0) {
          const rest = this.#way(node, next, Math.max(way.min - 1, 0), way.max - 1);
          visit(this.#way(node.item, rest));
        }
      }
    }
    start.closure = { leaves: [...leaves], ends };
    this.bytes += LEAF_BYTES * leaves.size;
    return start.closure;
  }

  #way(node: Node | undefined, next: Way | undefined, min?: number, max?: number): Way {
    const repeated = node?.kind === "repeat" ? node : undefined;
    const least = min ?? repeated?.min ?? 0;
    const most = max ?? repeated?.max ?? 0;
    const key = `${this.#nodeId(node)},${next?.id ?? -1},${least},${most}`;
    let way = this.#ways.get(key);
    if (way === undefined) {
      const shape = (Math.imul(next?.shape ?? 0, 31) + this.#nodeId(node)) | 0;
      way = { id: this.#wayCount++, node, min: least, max: most, next, shape, closure: undefined };
      this.#ways.set(key, way);
      this.bytes += WAY_BYTES;
    }
    return way;
  }

  #nodeId(node: Node | undefined): number {
    if (node === undefined) return -1;
    let id = this.#nodeIds.get(node);
    if (id === undefined) {
      id = this.#nodeIds.size;
      this.#nodeIds.set(node, id);
    }
    return id;
  }

  #cap(way: Way, length: number, memo: Map<Way, Way>): Way {
    // Along the list from its end, so that a deep stack does not recurse.
    const chain: Way[] = [];
    let at: Way | undefined = way;
    let capped: Way | undefined;
    for (; at !== undefined; at = at.next) {
      capped = memo.get(at);
      if (capped !== undefined) break;
      chain.push(at);
    }
    for (let i = chain.length - 1; i >= 0; i--) {
      const link = chain[i];
      if (link === undefined) continue;
      const counted = link.node?.kind === "repeat" && !this.#isNullable(link.node.item);
      const min = counted ? Math.min(link.min, length) : link.min;
      const max = counted && link.max >= length ? Number.POSITIVE_INFINITY : link.max;
      capped = this.#way(link.node, capped, min, max);
      memo.set(link, capped);
    }
    return capped ?? way;
  }

  #isNullable(node: Node): boolean {
    const known = this.#nullable.get(node);
    if (known !== undefined) return known;
    // A rule that is still open counts as nullable: it then is not cut, which is safe.
    this.#nullable.set(node, true);
    const is =
      node.kind === "bytes"
        ? false
        : node.kind === "seq"
          ? node.items.every((item) => this.#isNullable(item))
          : node.kind === "alt"
            ? node.options.some((option) => this.#isNullable(option))
            : node.kind === "repeat"
              ? node.min === 0 || this.#isNullable(node.item)
              : this.#isNullable(bodyOf(node.rule));
    this.#nullable.set(node, is);
    return is;
  }
}

/** Without those whose texts all go another of them too: counts that may end sooner and go on longer. */
function withoutCovered(leaves: ReadonlySet<Way>): Way[] {
  const byShape = new Map<number, Way[]>();
  for (const leaf of leaves) {
    const alike = byShape.get(leaf.shape);
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
    if (one.min > other.min || one.max < other.max) return false;
  }
  return true;
}

function bodyOf(rule: Rule): Node {
  if (rule.body === undefined) throw new GrammarError(`rule "${rule.name}" is not defined`);
  return rule.body;
}
