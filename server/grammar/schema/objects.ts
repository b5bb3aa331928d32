/** JSON objects: declared properties in their order, then others where allowed. */
import { entryAt } from "../../entry-at.ts";
import { Automaton } from "../automaton.ts";
import { alt, EMPTY, GrammarError, literal, NEVER, type Node, repeat, seq } from "../grammar.ts";
import { intersect, subtract } from "../intersect.ts";
import { parseRegex } from "../regex.ts";
import { isOpen } from "./disjoint.ts";
import type { All, Flat } from "./flat.ts";
import { type Fork, NO_FORK, withText } from "./forks.ts";
import { unsupported } from "./read.ts";
import { FREE_STRING, QUOTE } from "./strings.ts";
import type { Writer } from "./writer.ts";

interface Pattern {
  readonly source: string;
  readonly schemas: All;
  readonly keys: Node;
  readonly test: Automaton;
}

interface Property {
  /** As it is written. */
  readonly key: string;
  /** NEVER where it may not be there. */
  readonly value: Node;
  readonly required: boolean;
}

export function objects(flat: Flat, writer: Writer): Node {
  const patterns = [...flat.patternProperties].map(([source, schemas]): Pattern => {
    const keys = seq(QUOTE, parseRegex(source, { json: true, search: true }), QUOTE);
    return { source, schemas, keys, test: new Automaton(keys) };
  });
  const allowed =
    flat.keys.length === 0 ? undefined : writer.value([{ type: "string" }, ...flat.keys]);
  const keyTest = allowed === undefined || allowed === NEVER ? undefined : new Automaton(allowed);

  /** Conditions on the value of a name. */
  const conditions = (name: string): All => {
    const key = JSON.stringify(name);
    const hits = patterns.filter((one) => one.test.accepts(key));
    return [
      ...(flat.properties.get(name) ?? []),
      ...hits.flatMap((one) => one.schemas),
      ...left(flat, hits, name),
    ];
  };
  const names = new Set([...flat.properties.keys(), ...flat.required]);
  const properties = [...names].map((name): Property => {
    const key = JSON.stringify(name);
    const fits = allowed === undefined || (keyTest?.accepts(key) ?? false);
    const value = fits ? writer.value(conditions(name)) : NEVER;
    return { key, value, required: flat.required.has(name) };
  });
  const other = allowed === NEVER ? NEVER : otherPair(flat, names, patterns, allowed, writer);
  const body = members(properties, other, flat, writer);
  return body === NEVER ? NEVER : seq(literal("{"), writer.space, body, writer.space, literal("}"));
}

/** What was said of names not named holds of a name that matches these patterns. */
function left(flat: Flat, hits: readonly Pattern[], name?: string): All {
  return flat.rests
    .filter(
      (rest) =>
        !(name !== undefined && rest.names.has(name)) &&
        !hits.some(({ source }) => rest.patterns.includes(source)),
    )
    .flatMap((rest) => rest.schemas);
}

/** A pair whose name is not declared; NEVER where there may be none. */
function otherPair(
  flat: Flat,
  names: ReadonlySet<string>,
  patterns: readonly Pattern[],
  allowed: Node | undefined,
  writer: Writer,
): Node {
  const free = names.size === 0 && patterns.length === 0 ? undefined : writer.keysExcept(names);
  const start = together(() =>
    allowed === undefined ? free : free === undefined ? allowed : intersect(allowed, free),
  );
  const pairs = kinds(patterns).map((hits) => {
    if (hits.length === 0 && !isOpen(flat)) return NEVER;
    const value = writer.value([...hits.flatMap((one) => one.schemas), ...left(flat, hits)]);
    if (value === NEVER) return NEVER;
    const others = patterns.filter((one) => !hits.includes(one));
    const keys = together(() => {
      const inside = hits.reduce(
        (some: Node | undefined, { keys }) => (some === undefined ? keys : intersect(keys, some)),
        start,
      );
      return others.reduce((some: Node, one) => subtract(some, one.keys), inside ?? FREE_STRING);
    });
    if (keys === NEVER) return NEVER;
    return seq(keys, literal(":"), writer.gap, value);
  });
  return alt(...pairs.filter((pair) => pair !== NEVER));
}

/** Names under several conditions. */
function together<T>(names: () => T): T {
  try {
    return names();
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
    throw new GrammarError(
      'the names under "properties", "patternProperties" and "propertyNames" together need too many states',
    );
  }
}

/** Patterns that all their combinations are looked at of; of more, a name matches one alone. */
const MAX_COMBINED = 3;

/** Which patterns an undeclared name may match, all others not. */
function kinds(patterns: readonly Pattern[]): readonly (readonly Pattern[])[] {
  if (patterns.length > MAX_COMBINED) return [[], ...patterns.map((one) => [one])];
  let sets: readonly (readonly Pattern[])[] = [[]];
  for (const one of patterns) sets = [...sets, ...sets.map((set) => [...set, one])];
  return sets;
}

/** The members; how many were written is counted no further than the limits ask for. */
function members(properties: readonly Property[], other: Node, flat: Flat, writer: Writer): Node {
  const required = properties.filter((property) => property.required).length;
  const least = flat.minProperties <= required ? 0 : flat.minProperties;
  const closedMax = other === NEVER ? properties.length : Number.POSITIVE_INFINITY;
  const most = flat.maxProperties >= closedMax ? Number.POSITIVE_INFINITY : flat.maxProperties;
  const top = Math.max(1, least, Number.isFinite(most) ? most : 0);
  if (top * properties.length > 50_000) throw new GrammarError("its property counts are too large");
  const comma = seq(literal(","), writer.space);
  const others = (written: number): Node => {
    const min = Math.max(0, least - written);
    const max = most - written;
    // One name could be written twice: then it would count once.
    if (min > 1) throw unsupported("minProperties", " beyond the declared properties");
    if (other === NEVER || max === 0) return min > 0 ? NEVER : EMPTY;
    if (written > 0) return repeat(seq(comma, other), min, max);
    const list = seq(other, repeat(seq(comma, other), Math.max(0, min - 1), max - 1));
    return min > 0 ? list : alt(EMPTY, list);
  };
  const members = (fork: Fork, last: Node, written: number): Node => {
    if (fork === NO_FORK) return last;
    const next: Node = written > 0 ? { kind: "seq", items: [comma, fork.node] } : fork.node;
    return last === NEVER ? next : { kind: "alt", options: [next, last] };
  };
  // `after[n]`: what may follow n members when the properties before the one at hand are decided;
  // from the last property back.
  // No more are written of them than there are.
  const last = Math.min(top, properties.length);
  const places = Array.from({ length: last + 1 }, (_, written) => written);
  let forks = places.map(() => NO_FORK);
  // With fewer than are required nothing ends.
  let lasts = places.map((written) =>
    written < Math.min(required, top) ? NEVER : others(written),
  );
  let after = places.map((written) => members(NO_FORK, entryAt(lasts, written), written));
  for (const { key, value, required } of properties.toReversed()) {
    const later = after;
    forks = places.map((written) => {
      const fork = required ? NO_FORK : entryAt(forks, written);
      const rest = written < most ? entryAt(later, Math.min(written + 1, last)) : NEVER;
      if (value === NEVER || rest === NEVER) return fork;
      return withText(fork, key, { kind: "seq", items: [COLON, writer.gap, value, rest] });
    });
    if (required) lasts = places.map(() => NEVER);
    after = places.map((written) =>
      members(entryAt(forks, written), entryAt(lasts, written), written),
    );
  }
  return entryAt(after, 0);
}

const COLON = literal(":");
