/** JSON arrays: items at positions of their own, then others; some of them of a kind that is counted. */
import {
  alt,
  EMPTY,
  GrammarError,
  literal,
  NEVER,
  type Node,
  optional,
  type Rule,
  ref,
  repeat,
  seq,
} from "../grammar.ts";
import type { All, Contains, Flat } from "./flat.ts";
import { unsupported } from "./read.ts";
import type { Writer } from "./writer.ts";

/** Pairs of counts of an array that is counted twice. */
const MAX_COUNTS = 20_000;

/** Of an array, in items. */
interface Lengths {
  readonly min: number;
  readonly max: number;
}

/** Without `items` a list that has a prefix ends with it, unless more are required. */
export function arrays(flat: Flat, writer: Writer): Node {
  const { prefix, minItems } = flat;
  const closed = flat.items?.includes(false) ?? (prefix.length > 0 && minItems <= prefix.length);
  const max = Math.min(flat.maxItems, closed ? prefix.length : Number.POSITIVE_INFINITY);
  if (max < minItems) return NEVER;
  const lengths = { min: minItems, max };
  const [counted, ...others] = flat.contains;
  if (others.length > 0) throw unsupported("contains", " twice");
  const body =
    counted === undefined ? listed(flat, lengths, writer) : holding(counted, flat, lengths, writer);
  if (body === NEVER) return NEVER;
  return seq(literal("["), writer.space, body, writer.space, literal("]"));
}

/**
 * Positions [0, prefix.length) have schemas of their own, those after share one:
 *
 *     prefix[0] , prefix[1] , … , items , items
 */
function listed(flat: Flat, { min, max }: Lengths, writer: Writer): Node {
  const comma = seq(literal(","), writer.space);
  const rest = max <= flat.prefix.length ? NEVER : writer.value(flat.items ?? []);
  const fixed = flat.prefix
    .slice(0, Number.isFinite(max) ? max : flat.prefix.length)
    .map((all) => writer.value(all));
  const least = Math.max(min - fixed.length, 0);
  const most = max - fixed.length;
  if (fixed.length === 0) {
    const list =
      rest === NEVER || most === 0
        ? NEVER
        : seq(rest, repeat(seq(comma, rest), Math.max(least - 1, 0), most - 1));
    if (least > 0) return list;
    return list === NEVER ? EMPTY : optional(list);
  }
  // From the last back: an item is there only if those before it are.
  let node = repeat(seq(comma, rest), least, most);
  for (let i = fixed.length - 1; i >= 0; i--) {
    const item = fixed[i] ?? NEVER;
    const here = seq(i > 0 ? comma : EMPTY, item, node);
    node = i < min ? here : here === NEVER ? EMPTY : optional(here);
  }
  return node;
}

/**
 * An array some of whose items are of a schema. `after(i, k)` is what may follow i
 * items of which k were counted; both count no further than the limits ask for.
 * Where there may be too many, the items not counted are sure not to be of it.
 */
function holding(counted: Contains, flat: Flat, { min, max }: Lengths, writer: Writer): Node {
  const limited = Number.isFinite(counted.max);
  const topItems = Math.max(1, flat.prefix.length, min, Number.isFinite(max) ? max : 0);
  const topFound = limited ? counted.max : counted.min;
  if ((topItems + 1) * (topFound + 1) > MAX_COUNTS)
    throw new GrammarError("its item counts are too large");
  const comma = seq(literal(","), writer.space);
  const unlike: All = limited ? [writer.opposite(counted.schema)] : [];
  const rules = new Map<string, Rule>();

  const after = (items: number, found: number): Node => {
    const key = `${items},${found}`;
    let rule = rules.get(key);
    if (rule === undefined) {
      rule = { name: `items ${key}`, body: undefined };
      rules.set(key, rule);
      rule.body = following(items, found);
    }
    return rule.body === NEVER ? NEVER : ref(rule);
  };
  const following = (items: number, found: number): Node => {
    const options: Node[] = [];
    if (items >= min && found >= counted.min) options.push(EMPTY);
    if (items >= max) return alt(...options);
    const here = flat.prefix[items] ?? flat.items ?? [];
    const next = Math.min(items + 1, topItems);
    const write = (schemas: All, then: number) => {
      const value = writer.value(schemas);
      const rest = value === NEVER ? NEVER : after(next, then);
      if (rest !== NEVER) options.push(seq(items > 0 ? comma : EMPTY, value, rest));
    };
    // Enough found and no limit: whether an item is of the schema no longer matters.
    if (limited || found < counted.min) {
      if (found < topFound) write([...here, counted.schema], found + 1);
    }
    write([...here, ...unlike], found);
    return alt(...options);
  };
  return after(0, 0);
}
