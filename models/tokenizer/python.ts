/**
 * Where Jinja in Python reads a template otherwise than @huggingface/jinja does.
 * A compiled template is rewritten once: the places named below call a helper
 * of ours first. Found by rendering the published templates with both.
 *
 * | in a template                | in Python                                          |
 * |------------------------------|----------------------------------------------------|
 * | `{{ value }}`                | prints `True`, `['a']`, `{'k': 1}`: Python's repr  |
 * | `a ~ b`, `x | trim`          | an undefined value is "", none is "None"           |
 * | `x | string`                 | the repr of lists and dicts                        |
 * | `for c in x`                 | walks a string's characters; undefined is empty    |
 * | `x | selectattr(…)`          | is lazy: of none, it fails only when read          |
 * | `'%s' | format(x)`           | printf                                             |
 * | `d[missing]`                 | is undefined when the key is                       |
 * | `'  ' * depth`               | repeats the string                                 |
 * | `for a, b in [(1, 2)]`       | unpacks tuples                                     |
 * | `x is iterable`              | is true of a dict, and of an undefined value       |
 * | `x.strip('\n')`              | strips those characters, not white space           |
 * | `schema.items()`             | the method, though the dict has a key "items"      |
 */
import { Environment } from "@huggingface/jinja";
import { isObject } from "../config.ts";

/** A value of the template engine, whose classes are not exported. */
interface Value {
  readonly type: string;
  value: unknown;
  readonly builtins: ReadonlyMap<string, Value>;
  toString(): string;
}
type Node = Record<string, unknown>;
type Helper = (values: readonly Value[]) => Value;

/** Statements; what else stands in a body is printed. */
const STATEMENTS = new Set([
  "Break",
  "CallStatement",
  "Comment",
  "Continue",
  "FilterStatement",
  "For",
  "If",
  "Macro",
  "Program",
  "Set",
  "StringLiteral",
]);
const BODIES = new Set(["alternate", "body", "defaultBlock"]);
const STRIPS = new Set(["lstrip", "rstrip", "strip"]);
const METHODS = new Set(["get", "items", "keys", "values"]);

/** Rewrites a compiled template in place. */
export function readAsPython(program: object): void {
  rewrite(program);
}

/** Makes the helpers known to a template that was rewritten. No template can name them. */
export function declareHelpers(environment: Environment): void {
  for (const [name, helper] of HELPERS) environment.setVariable(name, helper);
}

function rewrite(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewrite);
  if (value instanceof Map)
    return new Map([...value].map(([key, item]) => [rewrite(key), rewrite(item)]));
  if (!isObject(value)) return value;
  for (const [key, child] of Object.entries(value)) {
    const changed = rewrite(child);
    value[key] = BODIES.has(key) && Array.isArray(changed) ? changed.map(printed) : changed;
  }
  return replaced(value);
}

function printed(node: unknown): unknown {
  return isObject(node) && !STATEMENTS.has(String(node["type"])) ? call("print", [node]) : node;
}

/** The node itself, changed or not, or the call that takes its place. */
function replaced(node: Node): Node {
  switch (node["type"]) {
    case "For": {
      const { iterable } = node;
      if (isObject(iterable) && iterable["type"] === "SelectExpression")
        iterable["lhs"] = call("items", [iterable["lhs"]]);
      else node["iterable"] = call("items", [iterable]);
      return node;
    }
    case "BinaryExpression": {
      const { operator, left } = node;
      if (!isObject(operator)) return node;
      if (operator["value"] === "*" && isObject(left) && left["type"] === "StringLiteral")
        return call("repeat", [left, node["right"]]);
      if (operator["value"] !== "~") return node;
      node["left"] = call("text", [node["left"]]);
      node["right"] = call("text", [node["right"]]);
      return node;
    }
    case "FilterExpression":
      return filtered(node);
    case "CallExpression":
      return called(node);
    case "MemberExpression": {
      const { property } = node;
      const plain = isObject(property) && /Literal|SliceExpression/.test(String(property["type"]));
      if (node["computed"] && !plain) node["property"] = call("key", [property]);
      return node;
    }
    case "ArrayLiteral": {
      // A list of tuples is there to be unpacked, which the engine does for lists only.
      const values: readonly unknown[] = Array.isArray(node["value"]) ? node["value"] : [];
      node["value"] = values.map((item) =>
        isObject(item) && item["type"] === "TupleLiteral"
          ? { ...item, type: "ArrayLiteral" }
          : item,
      );
      return node;
    }
    case "TestExpression": {
      const { test } = node;
      if (isObject(test) && test["value"] === "iterable")
        node["operand"] = call("walkable", [node["operand"]]);
      return node;
    }
    default:
      return node;
  }
}

function filtered(node: Node): Node {
  const { filter, operand } = node;
  if (!isObject(filter)) return node;
  const callee = isObject(filter["callee"]) ? filter["callee"] : filter;
  const args: readonly unknown[] = Array.isArray(filter["args"]) ? filter["args"] : [];
  switch (callee["value"]) {
    case "format":
      return call("format", [operand, ...args]);
    case "trim":
    case "string":
      node["operand"] = call("text", [operand]);
      return node;
    case "selectattr":
    case "rejectattr":
      node["operand"] = call("list", [operand]);
      return node;
    default:
      return node;
  }
}

function called(node: Node): Node {
  const { callee } = node;
  if (!isObject(callee) || callee["type"] !== "MemberExpression" || callee["computed"]) return node;
  const property = isObject(callee["property"]) ? String(callee["property"]["value"]) : "";
  const args: readonly unknown[] = Array.isArray(node["args"]) ? node["args"] : [];
  const name = { type: "StringLiteral", value: property };
  if (STRIPS.has(property) && args.length > 0)
    return call("strip", [callee["object"], name, ...args]);
  // Only what the engine would look up among the keys first.
  if (METHODS.has(property)) node["callee"] = call("method", [callee["object"], name, callee]);
  return node;
}

function call(helper: string, args: readonly unknown[]): Node {
  return { type: "CallExpression", callee: { type: "Identifier", value: `(${helper})` }, args };
}

/** A value of the engine from one of ours. */
function engineValue(plain: unknown): Value {
  // Every value of the engine has these members.
  return new Environment().set("value", plain) as Value;
}

const EMPTY = engineValue("");

/** As text where an undefined value is nothing; strings and numbers stay themselves. */
const text: Helper = ([value = EMPTY]) => {
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

/** None prints nothing: vLLM gives templates "" where a message has no content. */
const print: Helper = ([value = EMPTY]) => (value.type === "NullValue" ? EMPTY : text([value]));

const items: Helper = ([value = EMPTY]) => {
  if (value.type === "UndefinedValue") return engineValue([]);
  return typeof value.value === "string" ? engineValue([...value.value]) : value;
};

/** No dict has this key. */
const NOWHERE = engineValue("(undefined)");

const key: Helper = ([value = EMPTY]) => (value.type === "UndefinedValue" ? NOWHERE : value);

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

const HELPERS: ReadonlyMap<string, Value> = new Map(
  Object.entries({ text, print, items, list, key, walkable, repeat, format, strip, method }).map(
    ([name, helper]) => {
      // A function of the engine: it is called with values of the engine and gives one back.
      const value = engineValue(() => undefined);
      value.value = (values: readonly Value[]) => helper(values);
      return [`(${name})`, value];
    },
  ),
);

/** Python's repr of a value. */
function repr(value: Value): string {
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
