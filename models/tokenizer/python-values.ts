/**
 * What a rewritten template calls (python.ts): each helper does with values of the
 * template engine what Python does with its own.
 */
import type { Environment } from "@huggingface/jinja";
import {
  EMPTY,
  engineValue,
  type Helper,
  repr,
  text,
  UNDEFINED,
  type Value,
} from "./engine-values.ts";
import { filter, listed, mapped, selected } from "./python-filters.ts";
import { formatted, invoked } from "./python-methods.ts";

const items: Helper = ([value = EMPTY]) => {
  if (value.type === "UndefinedValue") return engineValue([]);
  if (value.value instanceof Map && [...value.value.keys()].some(isNumberKey))
    return engineValue([...value.value.keys()].map(keyValue));
  return typeof value.value === "string" ? engineValue([...value.value]) : value;
};

/** The engine's dicts have strings for keys; a number is one that begins so. */
const NUMBER_KEY = "(number) ";
const isNumberKey = (key: unknown): key is string => String(key).startsWith(NUMBER_KEY);
const keyValue = (key: unknown): unknown =>
  isNumberKey(key) ? Number(key.slice(NUMBER_KEY.length)) : key;

export const numberKey = (key: unknown): string => `${NUMBER_KEY}${String(key)}`;

/** No dict has this key. */
const NOWHERE = engineValue("(undefined)");

const key: Helper = ([value = EMPTY, of = EMPTY]) => {
  if (value.type === "UndefinedValue") return NOWHERE;
  const number = of.value instanceof Map && typeof value.value === "number";
  return number ? engineValue(numberKey(value.value)) : value;
};

const dictsort: Helper = ([value = EMPTY]) => {
  if (!(value.value instanceof Map)) throw new Error("dictsort takes a dict");
  const order = (key: unknown) => (typeof key === "string" ? key.toLowerCase() : Number(key));
  const pairs = [...value.value].map(([key, item]: [unknown, unknown]) => {
    const pair = engineValue([keyValue(key), null]);
    (pair.value as unknown[])[1] = item; // a list by the line above
    return { by: order(keyValue(key)), pair };
  });
  pairs.sort((a, b) => (a.by < b.by ? -1 : a.by > b.by ? 1 : 0));
  const sorted = engineValue([]);
  sorted.value = pairs.map(({ pair }) => pair);
  return sorted;
};

const first: Helper = ([value = EMPTY]) => end(value, 0);
const last: Helper = ([value = EMPTY]) => end(value, -1);

function end({ type, value }: Value, index: number): Value {
  if (typeof value === "string") return engineValue([...value].at(index) ?? undefined);
  if (!Array.isArray(value)) throw new Error(`${type} is not a sequence`);
  return (value.at(index) as Value | undefined) ?? UNDEFINED; // lists of the engine hold its values
}

const there: Helper = ([value = EMPTY]) => {
  if (value.type === "UndefinedValue") throw new Error("No first item, sequence was empty.");
  return value;
};

/** `'true'`: those that have the attribute; `'false'`: the others. */
const having: Helper = ([value = EMPTY, name = EMPTY, wanted = EMPTY]) => {
  const members = Array.isArray(value.value) ? (value.value as readonly Value[]) : []; // as in end()
  const kept = engineValue([]);
  kept.value = members.filter(
    (item) =>
      (item.value instanceof Map && item.value.has(name.value)) === (wanted.value === "true"),
  );
  return kept;
};

const PYTHON_TYPES: Readonly<Record<string, string>> = {
  ArrayValue: "list",
  BooleanValue: "bool",
  FloatValue: "float",
  IntegerValue: "int",
  NullValue: "NoneType",
  ObjectValue: "dict",
};

const plus: Helper = ([left = EMPTY, right = EMPTY]) => {
  const [a, b] = [left.value, right.value];
  if (left.type === "UndefinedValue" || right.type === "UndefinedValue")
    throw new Error("an undefined value cannot be added to");
  if (typeof a === "string" && typeof b === "string") return engineValue(a + b);
  if (typeof a === "number" && typeof b === "number") return engineValue(a + b);
  if (Array.isArray(a) && Array.isArray(b)) {
    const joined = engineValue([]);
    joined.value = [...a, ...b];
    return joined;
  }
  const other = PYTHON_TYPES[right.type] ?? "str";
  throw new Error(
    typeof a === "string"
      ? `can only concatenate str (not "${other}") to str`
      : `unsupported operand types for +: ${PYTHON_TYPES[left.type] ?? "str"} and ${other}`,
  );
};

/** What a loop's body sets is unset again when the next round begins. */
const fresh: Helper = (names, scope) => {
  for (const name of names) scope.variables.delete(String(name.value));
  return EMPTY;
};

const walkable: Helper = ([value = EMPTY]) =>
  value.type === "ObjectValue" || value.type === "UndefinedValue" ? engineValue([]) : value;

const list: Helper = ([value = EMPTY]) => (value.type === "NullValue" ? engineValue([]) : value);

/** Longest text that `'…' * n` makes. */
const REPEAT_LIMIT = 100_000;

const repeat: Helper = ([value = EMPTY, count = EMPTY]) => {
  const text = String(value.value);
  const times = Math.max(0, Number(count.value));
  if (!Number.isInteger(times))
    throw new Error("can't multiply a string by anything but a whole number");
  if (text.length * times > REPEAT_LIMIT) throw new Error("a repeated string is too long");
  return engineValue(text.repeat(times));
};

const format: Helper = ([pattern = EMPTY, ...values]) => {
  let next = 0;
  const made = String(pattern.value).replace(
    /%(?:%|\.?(\d*)([sdifr]))/g,
    (whole, digits: string, kind: string) => {
      if (whole === "%%") return "%";
      const value = values[next++];
      if (value === undefined) throw new Error("not enough arguments for format string");
      if (kind === "r") return repr(value);
      if (kind === "s") return String(text([value]).value);
      const number = Number(value.value);
      if (kind !== "f") return String(Math.trunc(number));
      return number.toFixed(digits === "" ? 6 : Number(digits));
    },
  );
  return engineValue(made);
};

const strip: Helper = ([value = EMPTY, name = EMPTY, characters = EMPTY]) => {
  if (typeof value.value !== "string" || typeof characters.value !== "string")
    throw new Error(`${String(name.value)}() takes a string`);
  const drop = new Set(characters.value);
  const kept = [...value.value];
  let [begin, end] = [0, kept.length];
  if (name.value !== "rstrip") while (begin < end && drop.has(kept[begin] ?? "")) begin++;
  if (name.value !== "lstrip") while (end > begin && drop.has(kept[end - 1] ?? "")) end--;
  return engineValue(kept.slice(begin, end).join(""));
};

/** A dict's own method; of anything else, what the engine found. */
const method: Helper = ([value = EMPTY, name = EMPTY, found = EMPTY]) => {
  const own = value.type === "ObjectValue" ? value.builtins.get(String(name.value)) : undefined;
  return own ?? found;
};

const BY_NAME = {
  text,
  items,
  list,
  key,
  walkable,
  repeat,
  format,
  formatted,
  filter,
  invoked,
  listed,
  mapped,
  selected,
  strip,
  method,
  dictsort,
  first,
  last,
  there,
  having,
  plus,
  fresh,
} as const satisfies Record<string, Helper>;

export type HelperName = keyof typeof BY_NAME;

/** What a helper is called in a template; no template can name it. */
export const helperName = (helper: HelperName): string => `(${helper})`;

/** Makes the helpers known to a template that was rewritten. */
export function declareHelpers(environment: Environment): void {
  for (const [name, helper] of HELPERS) environment.setVariable(name, helper);
}

const HELPERS = Object.entries(BY_NAME).map(([name, helper]): readonly [string, Value] => {
  // A function of the engine: it is called with values of the engine and gives one back.
  const value = engineValue(() => undefined);
  value.value = (values: readonly Value[], scope: Environment) => helper(values, scope);
  return [helperName(name as HelperName), value]; // a key of the line above
});
