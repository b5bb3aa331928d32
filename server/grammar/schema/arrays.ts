/** JSON arrays: items at positions of their own, then others; some of them of a kind that is counted. */
import { entryAt } from "../../entry-at.ts";
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

/** Kinds of items that are counted in one array. */
const MAX_KINDS = 4;

interface Kind extends Contains {
  /** There may be too many. */
  readonly limited: boolean;
  readonly unlike: All;
  /** Counted no further. */
  readonly top: number;
}

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
  if (flat.contains.length > MAX_KINDS)
    throw unsupported("contains", ` ${flat.contains.length} times`);
  const body =
    flat.contains.length === 0 ? listed(flat, lengths, writer) : holding(flat, lengths, writer);
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
 * An array some of whose items are of certain kinds. `after(i, [k, …])` is what may follow
 * i items of which k were counted for the first kind, and so on; all count no further than
 * the limits ask for. Where there may be too many of a kind, the items not counted are sure
 * not to be of it.
 */
function holding(flat: Flat, { min, max }: Lengths, writer: Writer): Node {
  const kinds = flat.contains.map((counted): Kind => {
    const limited = Number.isFinite(counted.max);
    const unlike: All = limited ? [writer.opposite(counted.schema)] : [];
    return { ...counted, limited, unlike, top: limited ? counted.max : counted.min };
  });
  const topItems = Math.max(1, flat.prefix.length, min, Number.isFinite(max) ? max : 0);
  if (kinds.reduce((all, { top }) => all * (top + 1), topItems + 1) > MAX_COUNTS)
    throw new GrammarError('the item counts of "contains" are too large');
  const comma = seq(literal(","), writer.space);
  const rules = new Map<string, Rule>();

  const after = (items: number, found: readonly number[]): Node => {
    const key = `${items},${found.join()}`;
    let rule = rules.get(key);
    if (rule === undefined) {
      rule = { name: `items ${key}`, body: undefined };
      rules.set(key, rule);
      rule.body = following(items, found);
    }
    return rule.body === NEVER ? NEVER : ref(rule);
  };
  const following = (items: number, found: readonly number[]): Node => {
    const options: Node[] = [];
    const enough = kinds.every((kind, at) => entryAt(found, at) >= kind.min);
    if (items >= min && enough) options.push(EMPTY);
    if (items >= max) return alt(...options);
    const here = flat.prefix[items] ?? flat.items ?? [];
    const next = Math.min(items + 1, topItems);
    for (const counted of choices(kinds, found)) {
      const asked = kinds.flatMap((kind, at) => (counted[at] ? [kind.schema] : kind.unlike));
      const value = writer.value([...here, ...asked]);
      const then = found.map((count, at) => (counted[at] ? count + 1 : count));
      const rest = value === NEVER ? NEVER : after(next, then);
      if (rest !== NEVER) options.push(seq(items > 0 ? comma : EMPTY, value, rest));
    }
    return alt(...options);
  };
  return after(
    0,
    kinds.map(() => 0),
  );
}

/** What an item may be counted for. Enough found and no limit: whether it is of the kind no longer matters. */
function choices(
  kinds: readonly Kind[],
  found: readonly number[],
): readonly (readonly boolean[])[] {
  return kinds.reduce(
    (all: readonly (readonly boolean[])[], kind, at) => {
      const open = entryAt(found, at) < kind.top;
      return all.flatMap((one) =>
        open
          ? [
              [...one, true],
              [...one, false],
            ]
          : [[...one, false]],
      );
    },
    [[]],
  );
}
