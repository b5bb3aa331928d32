/** Filters of Jinja that the template engine lacks, and those that map and select by name. */
import {
  EMPTY,
  engineValue,
  type Helper,
  listOf,
  membersOf,
  repr,
  split,
  UNDEFINED,
  type Value,
  written,
} from "./engine-values.ts";

type Filter = (value: Value, args: readonly Value[], named: ReadonlyMap<string, Value>) => Value;

const number = (value: Value | undefined): number => Number(value?.value ?? 0);
const onText = (change: (text: string, ...args: readonly string[]) => unknown): Filter => {
  return (value, args) => engineValue(change(written(value), ...args.map(written)));
};

/** The attribute of an item, by a path of keys; without one the item itself. */
function attribute(item: Value, path: Value | undefined): Value {
  if (path === undefined) return item;
  return String(path.value)
    .split(".")
    .reduce<Value>((at, step) => {
      const found: unknown =
        at.value instanceof Map
          ? at.value.get(step)
          : Array.isArray(at.value)
            ? at.value[Number(step)]
            : undefined;
      return (found as Value | undefined) ?? UNDEFINED; // the engine's values hold its own
    }, item);
}

function extreme(sign: 1 | -1): Filter {
  return (value, _, named) => {
    const by = (item: Value): Value => attribute(item, named.get("attribute"));
    const sorted = [...membersOf(value)].sort((a, b) => sign * compare(by(a), by(b)));
    return sorted[0] ?? UNDEFINED;
  };
}

function compare(a: Value, b: Value): number {
  const [x, y] = [a.value, b.value];
  if (typeof x === "number" && typeof y === "number") return x - y;
  return String(x) < String(y) ? -1 : String(x) > String(y) ? 1 : 0;
}

function round(value: Value, [digits]: readonly Value[]): Value {
  const scale = 10 ** number(digits);
  return engineValue(Math.round(number(value) * scale) / scale);
}

function parts(value: Value, [size]: readonly Value[]): Value {
  const items = membersOf(value);
  const step = Math.max(1, number(size));
  const starts = Array.from({ length: Math.ceil(items.length / step) }, (_, at) => at * step);
  return listOf(starts.map((at) => listOf(items.slice(at, at + step))));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
};
const escaped = onText((text) => text.replace(/[&<>"']/g, (one) => ENTITIES[one] ?? one));

const FILTERS: Readonly<Record<string, Filter>> = {
  abs: (value) => engineValue(Math.abs(number(value))),
  batch: parts,
  capitalize: onText((text) => text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase()),
  e: escaped,
  escape: escaped,
  first: (value) => membersOf(value)[0] ?? UNDEFINED,
  float: (value) => engineValue(number(value)),
  int: (value) => engineValue(Math.trunc(number(value)) || 0),
  join: (value, [mark]) =>
    engineValue(
      membersOf(value)
        .map(written)
        .join(mark ? written(mark) : ""),
    ),
  last: (value) => membersOf(value).at(-1) ?? UNDEFINED,
  length: (value) => engineValue(membersOf(value).length),
  lower: onText((text) => text.toLowerCase()),
  max: extreme(-1),
  min: extreme(1),
  replace: onText((text, from = "", to = "") => text.replaceAll(from, to)),
  round,
  string: onText((text) => text),
  striptags: onText((text) => text.replace(/<[^>]*>/g, "").trim()),
  sum: (value, [path, start], named) => {
    const by = path ?? named.get("attribute");
    const from = number(start ?? named.get("start"));
    return engineValue(
      membersOf(value).reduce((sum, item) => sum + number(attribute(item, by)), from),
    );
  },
  title: onText((text) =>
    text
      .toLowerCase()
      .replace(
        /(^|[^\p{L}'])(\p{L})/gu,
        (_, before = "", letter = "") => `${before}${letter.toUpperCase()}`,
      ),
  ),
  trim: onText((text) => text.trim()),
  upper: onText((text) => text.toUpperCase()),
  urlencode: onText((text) => encodeURIComponent(text).replaceAll("%2F", "/")),
  wordcount: onText((text) => text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0),
};

/** Filters that the engine has not at all. */
export const FURTHER_FILTERS: ReadonlySet<string> = new Set([
  "batch",
  "e",
  "escape",
  "max",
  "min",
  "round",
  "striptags",
  "sum",
  "urlencode",
  "wordcount",
]);

/** `value | name(…)`. */
export const filter: Helper = ([value = EMPTY, name = EMPTY, ...rest]) => {
  const { args, named } = split(rest);
  return filterNamed(String(name.value))(value, args, named);
};

function filterNamed(name: string): Filter {
  const found = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined;
  if (found === undefined) throw new Error(`the filter "${name}" is not known`);
  return found;
}

/** `value | list`. */
export const listed: Helper = ([value = EMPTY]) =>
  Array.isArray(value.value) && value.type === "ArrayValue" ? value : listOf(membersOf(value));

/** `values | map('name', …)`. */
export const mapped: Helper = ([values = EMPTY, name = EMPTY, ...rest]) => {
  const { args, named } = split(rest);
  const each = filterNamed(String(name.value));
  return listOf(membersOf(values).map((item) => each(item, args, named)));
};

type Test = (value: Value, other: Value | undefined) => boolean;

const equal: Test = (a, b) => b !== undefined && repr(a) === repr(b);
const order =
  (holds: (sign: number) => boolean): Test =>
  (a, b) =>
    b !== undefined && holds(compare(a, b));
const truthy: Test = ({ value }) =>
  Array.isArray(value) ? value.length > 0 : value instanceof Map ? value.size > 0 : Boolean(value);

const TESTS: Readonly<Record<string, Test>> = {
  "!=": (a, b) => !equal(a, b),
  "<": order((sign) => sign < 0),
  "<=": order((sign) => sign <= 0),
  "==": equal,
  ">": order((sign) => sign > 0),
  ">=": order((sign) => sign >= 0),
  boolean: ({ type }) => type === "BooleanValue",
  defined: ({ type }) => type !== "UndefinedValue",
  eq: equal,
  equalto: equal,
  even: ({ value }) => Number(value) % 2 === 0,
  ge: order((sign) => sign >= 0),
  gt: order((sign) => sign > 0),
  in: (a, b) => b !== undefined && membersOf(b).some((one) => equal(one, a)),
  le: order((sign) => sign <= 0),
  lt: order((sign) => sign < 0),
  mapping: ({ type }) => type === "ObjectValue",
  ne: (a, b) => !equal(a, b),
  none: ({ type }) => type === "NullValue",
  number: ({ value }) => typeof value === "number",
  odd: ({ value }) => Math.abs(Number(value)) % 2 === 1,
  sequence: ({ value }) => Array.isArray(value) || typeof value === "string",
  string: ({ value }) => typeof value === "string",
  undefined: ({ type }) => type === "UndefinedValue",
};

/** `values | select('test', other)`; first `'select'` or `'reject'`. */
export const selected: Helper = ([values = EMPTY, kind = EMPTY, name, other]) => {
  const test = name === undefined ? truthy : TESTS[String(name.value)];
  if (test === undefined) throw new Error(`the test "${String(name?.value)}" is not known`);
  const wanted = kind.value === "select";
  return listOf(membersOf(values).filter((item) => test(item, other) === wanted));
};
