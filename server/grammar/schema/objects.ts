/** JSON objects: declared properties in their order, then others where allowed. */
import { Automaton } from "../automaton.ts";
import { alt, EMPTY, GrammarError, literal, NEVER, type Node, repeat, seq } from "../grammar.ts";
import { intersect } from "../intersect.ts";
import { parseRegex } from "../regex.ts";
import { isOpen } from "./disjoint.ts";
import { type All, canonical, type Flat } from "./flat.ts";
import { unsupported } from "./read.ts";
import { FREE_STRING, keysExcept, QUOTE } from "./strings.ts";
import type { Writer } from "./writer.ts";

interface Property {
  readonly pair: Node;
  readonly required: boolean;
}

export function objects(flat: Flat, writer: Writer): Node {
  const patterns = [...flat.patternProperties].map(([pattern, schemas]) => ({
    schemas,
    keys: seq(QUOTE, parseRegex(pattern, { json: true, search: true }), QUOTE),
  }));
  const allowed =
    flat.keys.length === 0 ? undefined : writer.value([{ type: "string" }, ...flat.keys]);
  const keyTest = allowed === undefined || allowed === NEVER ? undefined : new Automaton(allowed);
  const matching = patterns.map((one) => ({ ...one, test: new Automaton(one.keys) }));

  /** Conditions on the value of a name. */
  const conditions = (name: string): All => {
    const key = JSON.stringify(name);
    const hits = matching.filter((one) => one.test.accepts(key));
    const named = flat.properties.get(name);
    const additional = named === undefined && hits.length === 0 ? (flat.additional ?? []) : [];
    return [...(named ?? []), ...hits.flatMap((one) => one.schemas), ...additional];
  };
  const names = new Set([...flat.properties.keys(), ...flat.required]);
  const properties = [...names].map((name): Property => {
    const key = JSON.stringify(name);
    const fits = allowed === undefined || (keyTest?.accepts(key) ?? false);
    const value = fits ? writer.value(conditions(name)) : NEVER;
    const pair = value === NEVER ? NEVER : seq(literal(key), literal(":"), writer.gap, value);
    return { pair, required: flat.required.has(name) };
  });
  const other = otherPair(flat, names, patterns, allowed, writer);
  const body = members(properties, other, flat, writer);
  return body === NEVER ? NEVER : seq(literal("{"), writer.space, body, writer.space, literal("}"));
}

/** A pair whose name is not declared; NEVER where there may be none. */
function otherPair(
  flat: Flat,
  names: ReadonlySet<string>,
  patterns: readonly { readonly keys: Node; readonly schemas: All }[],
  allowed: Node | undefined,
  writer: Writer,
): Node {
  const colon = seq(literal(":"), writer.gap);
  const [first] = patterns;
  const free = keysExcept(names);
  if (first !== undefined) {
    // Names under a pattern only: the rest could match it by other means.
    if (patterns.some((one) => canonical(one.schemas) !== canonical(first.schemas))) {
      if (!isClosed(flat)) return NEVER;
      throw unsupported("patternProperties", " with several patterns");
    }
    if (allowed !== undefined)
      throw unsupported("propertyNames", ' together with "patternProperties"');
    const keys = intersect(first.keys, free);
    const value = writer.value(first.schemas);
    return value === NEVER ? NEVER : seq(keys, colon, value);
  }
  if (!isOpen(flat)) return NEVER;
  const value = writer.value(flat.additional ?? []);
  if (value === NEVER) return NEVER;
  if (allowed !== undefined) {
    if (allowed === NEVER) return NEVER;
    const keys = names.size === 0 ? allowed : intersect(allowed, free);
    return seq(keys, colon, value);
  }
  return seq(names.size === 0 ? FREE_STRING : free, colon, value);
}

const isClosed = (flat: Flat): boolean => flat.additional?.includes(false) ?? false;

/**
 * The members, built from the last back. `after(i, n)` is what may follow when the
 * properties before i were decided and n members were written; n counts no further
 * than the limits ask for.
 */
function members(properties: readonly Property[], other: Node, flat: Flat, writer: Writer): Node {
  const required = properties.filter((property) => property.required).length;
  const least = flat.minProperties <= required ? 0 : flat.minProperties;
  const closedMax = other === NEVER ? properties.length : Number.POSITIVE_INFINITY;
  const most = flat.maxProperties >= closedMax ? Number.POSITIVE_INFINITY : flat.maxProperties;
  const top = Math.max(1, least, Number.isFinite(most) ? most : 0);
  if (top * properties.length > 50_000) throw new GrammarError("its property counts are too large");
  const comma = seq(literal(","), writer.space);
  const memo = new Map<string, Node>();
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
  const after = (i: number, written: number): Node => {
    const property = properties[i];
    if (property === undefined) return others(written);
    const key = `${i},${written}`;
    const known = memo.get(key);
    if (known !== undefined) return known;
    const options: Node[] = [];
    if (property.pair !== NEVER && written < most) {
      const rest = after(i + 1, Math.min(written + 1, top));
      if (rest !== NEVER)
        options.push({
          kind: "seq",
          items: [...(written > 0 ? [comma] : []), property.pair, rest],
        });
    }
    if (!property.required) {
      const rest = after(i + 1, written);
      if (rest !== NEVER) options.push(rest);
    }
    // Not flattened: the parts are shared, and copies would grow with the square.
    const node: Node = options.length === 0 ? NEVER : { kind: "alt", options };
    memo.set(key, node);
    return node;
  };
  // From the back, so that hundreds of properties do not recurse.
  for (let i = properties.length - 1; i >= 0; i--) {
    for (let written = 0; written <= Math.min(i, top); written++) after(i, written);
  }
  return after(0, 0);
}
