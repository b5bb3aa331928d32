/**
 * Ways that a grammar may go on, as linked lists of what is still to match, and states, which
 * are sets of them; equal ways are kept once. Hot: the casts rest on nodes being within the table.
 */
import { BYTES, REPEAT, SEQ } from "./shape.ts";
import { type GrammarTable, UNBOUNDED } from "./table.ts";

/** Still to match: `node`, from where it is, then `next`. */
export interface Way {
  readonly id: number;
  readonly node: number;
  /** What is left of a repeat's count. Of a sequence: parts that were matched, in both. */
  readonly low: number;
  readonly high: number;
  /** Absent: the end of the text. */
  readonly next: Way | undefined;
  /** Of bytes and of a switch: the set of what they take; else NO_SET, or COUNTED of a repeat. */
  readonly set: number;
  /** Equal for ways that differ in counts alone, and seldom for others. */
  readonly shape: number;
  /** Counts stand in it. */
  readonly counted: boolean;
  /** What can come first: ways whose node is bytes or a switch; undefined: not asked yet. */
  leaves: readonly Way[] | undefined;
  /** The text may end before it takes a byte; known with `leaves`. */
  ends: boolean;
  /** The state of this way alone, where it was made. */
  state: State | undefined;
  /** Marks it in a walk. */
  seen: number;
}

export interface State {
  readonly leaves: readonly Way[];
  /** The text may end here. */
  readonly ends: boolean;
  /** Its number in the tables of this epoch of its automaton; from 1 on. */
  index: number;
  epoch: number;
  /** Another state of the same hash. */
  twin: State | undefined;
}

const NO_SET = -1;
const COUNTED = -2;

/** What one weighs, with its place. */
const WAY_BYTES = 180;
/** One entry of the ways that were capped. */
const CAPPED_BYTES = 56;
const FIRST_PLACES = 64;

export class Ways {
  /** Of the text: behind everything. */
  readonly end: Way = wayOf(0, { node: -1, low: 0, high: 0, next: undefined, set: NO_SET });
  /** Weight of all, about. */
  bytes = 0;
  /** By hash; a way stands in the first free place from its own on. */
  #places: (Way | undefined)[] = new Array(FIRST_PLACES).fill(undefined);
  #count = 0;
  #ids = 1;
  #capped = new Map<number, Map<Way, Way>>();

  /** A node from its beginning. */
  of(node: number, next: Way, { kind, first, parts, switchAt, switches }: GrammarTable): Way {
    const at = first[node] as number;
    const of = kind[node];
    if (of === BYTES) return this.#way(node, 0, 0, next, parts[at] as number);
    const switched = switchAt[node] as number;
    if (switched !== 0) return this.#way(node, 0, 0, next, switches[switched] as number);
    if (of !== REPEAT) return this.#way(node, 0, 0, next, NO_SET);
    return this.#way(node, parts[at + 1] as number, parts[at + 2] as number, next, COUNTED);
  }

  /** What follows the next part of a sequence, so many of which were matched. */
  following(node: number, low: number, next: Way, { first }: GrammarTable): Way {
    const left = (first[node + 1] as number) - (first[node] as number) - low;
    return left < 2 ? next : this.#way(node, low + 1, low + 1, next, NO_SET);
  }

  /** What follows the first byte of an option of a switch. */
  within(option: number, next: Way, table: GrammarTable): Way {
    const { kind, first, parts } = table;
    let [node, rest] = [option, next];
    while (kind[node] === SEQ) {
      rest = this.following(node, 0, rest, table);
      node = parts[first[node] as number] as number;
    }
    return rest;
  }

  /** What follows one more of a repeat's. */
  once({ node, low, high }: Way, next: Way): Way {
    const least = low === UNBOUNDED ? UNBOUNDED : Math.max(low - 1, 0);
    const most = high === UNBOUNDED ? UNBOUNDED : high - 1;
    return this.#way(node, least, most, next, COUNTED);
  }

  /** As Automaton.capped, of one way. */
  capped(way: Way, length: number, { first, parts, nullable }: GrammarTable): Way {
    let memo = this.#capped.get(length);
    if (memo === undefined) {
      memo = new Map();
      this.#capped.set(length, memo);
    }
    // Along the list from its end, so that a deep stack does not recurse.
    const chain: Way[] = [];
    let capped: Way | undefined;
    for (let at: Way | undefined = way; at !== undefined; at = at.next) {
      capped = at.counted ? memo.get(at) : at;
      if (capped !== undefined) break;
      chain.push(at);
    }
    for (const link of chain.reverse()) {
      const { node, low, high, set } = link;
      const cut = set === COUNTED && nullable[parts[first[node] as number] as number] === 0;
      const least = cut && low >= length ? UNBOUNDED : low;
      const most = cut && high >= length ? UNBOUNDED : high;
      capped = this.#way(node, least, most, capped ?? this.end, set);
      memo.set(link, capped);
      this.bytes += CAPPED_BYTES;
    }
    return capped ?? way;
  }

  /** Ways in use stay valid, and hold on to what follows them alone; equal ones may come beside them. */
  forget(): void {
    for (const way of this.#places) if (way !== undefined) way.leaves = way.state = undefined;
    this.bytes = 0;
    this.#places = new Array(FIRST_PLACES).fill(undefined);
    this.#count = 0;
    this.#capped = new Map();
  }

  #way(node: number, low: number, high: number, next: Way, set: number): Way {
    const places = this.#places;
    const last = places.length - 1;
    let at = hashOf(node, low, high, next.id) & last;
    for (let way = places[at]; way !== undefined; way = places[at]) {
      if (way.node === node && way.next === next && way.low === low && way.high === high)
        return way;
      at = (at + 1) & last;
    }
    const way = wayOf(this.#ids++, { node, low, high, next, set });
    places[at] = way;
    this.bytes += WAY_BYTES;
    if (2 * ++this.#count > places.length) this.#grow();
    return way;
  }

  #grow(): void {
    const old = this.#places;
    const places: (Way | undefined)[] = new Array(2 * old.length).fill(undefined);
    const last = places.length - 1;
    for (const way of old) {
      if (way === undefined) continue;
      let at = hashOf(way.node, way.low, way.high, way.next?.id ?? 0) & last;
      while (places[at] !== undefined) at = (at + 1) & last;
      places[at] = way;
    }
    this.#places = places;
  }
}

function wayOf(
  id: number,
  { node, low, high, next, set }: Pick<Way, "node" | "low" | "high" | "next" | "set">,
): Way {
  return {
    id,
    node,
    low,
    high,
    next,
    set,
    shape: (Math.imul(next?.shape ?? 0, 31) + node) | 0,
    counted: set === COUNTED || (next?.counted ?? false),
    leaves: undefined,
    ends: false,
    state: undefined,
    seen: 0,
  };
}

function hashOf(node: number, low: number, high: number, next: number): number {
  let hash = Math.imul(node + 1, 0x9e3779b1) ^ Math.imul(next + 1, 0x85ebca6b);
  hash ^= Math.imul(low, 0xc2b2ae35) ^ Math.imul(high, 0x27d4eb2f);
  return hash ^ (hash >>> 15);
}
