/** Values of the template engine, and how Python would write them. */
import { Environment } from "@huggingface/jinja";

/** A value of the template engine, whose classes are not exported. */
export interface Value {
  readonly type: string;
  value: unknown;
  readonly builtins: ReadonlyMap<string, Value>;
  toString(): string;
}
export type Helper = (values: readonly Value[], scope: Environment) => Value;

/** A value of the engine from one of ours. */
export function engineValue(plain: unknown): Value {
  MAKER.variables.delete("value");
  // Every value of the engine has these members.
  return MAKER.set("value", plain) as Value;
}

const MAKER = new Environment();
export const EMPTY = engineValue("");
export const UNDEFINED = engineValue(undefined);

/** As text where an undefined value is nothing; strings and numbers stay themselves. */
export const text = ([value = EMPTY]: readonly Value[]): Value => {
  switch (value.type) {
    case "UndefinedValue":
      return EMPTY;
    case "NullValue":
    case "BooleanValue":
    case "ArrayValue":
    case "ObjectValue":
    case "TupleValue":
      return engineValue(repr(value));
    default:
      return value;
  }
};

/** A list of the engine from values of its own. */
export function listOf(values: readonly Value[]): Value {
  const made = engineValue([]);
  made.value = values;
  return made;
}

/** Members of a list, characters of a string, keys of a dict. */
export function membersOf(value: Value): readonly Value[] {
  if (Array.isArray(value.value)) return value.value as readonly Value[]; // lists of the engine hold its values
  if (typeof value.value === "string") return [...value.value].map((one) => engineValue(one));
  if (value.value instanceof Map) return [...value.value.keys()].map((one) => engineValue(one));
  return [];
}

/** As `str()` writes it. */
export function written(value: Value): string {
  return String(text([value]).value);
}

/** Positional values, and keyword arguments apart. */
export function split(values: readonly Value[]): {
  readonly args: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
} {
  const last = values.at(-1);
  if (last?.type !== "KeywordArgumentsValue") return { args: values, named: new Map() };
  return { args: values.slice(0, -1), named: last.value as ReadonlyMap<string, Value> }; // the engine's
}

/** Python's repr of a value. */
export function repr(value: Value): string {
  const inner: unknown = value.value;
  switch (value.type) {
    case "StringValue":
      return quote(String(inner));
    case "BooleanValue":
      return inner ? "True" : "False";
    case "NullValue":
      return "None";
    case "ArrayValue":
      return `[${reprAll(inner)}]`;
    case "TupleValue":
      return `(${reprAll(inner)}${Array.isArray(inner) && inner.length === 1 ? "," : ""})`;
    case "ObjectValue": {
      const entries = inner instanceof Map ? [...inner] : [];
      return `{${entries.map(([key, item]) => `${quote(String(key))}: ${repr(item)}`).join(", ")}}`;
    }
    default:
      return value.toString();
  }
}

function reprAll(values: unknown): string {
  return Array.isArray(values) ? values.map(repr).join(", ") : "";
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** Single quotes, unless there are some inside and no double ones. */
function quote(string: string): string {
  const mark = string.includes("'") && !string.includes('"') ? '"' : "'";
  const body = string.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character] ?? character);
  return mark + (mark === "'" ? body.replaceAll("'", "\\'") : body) + mark;
}
