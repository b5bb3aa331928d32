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
 * | `{% set x %}` in a loop      | holds for that round only                          |
 * | `'a' + x`                    | fails of what is no string                         |
 * | `[] | first`                 | is undefined, and has no attributes to ask for     |
 * | `selectattr('x', 'defined')` | asks those without x too                           |
 * | `{512: 1}`                   | has a number for a key                             |
 */
import { isObject } from "../config.ts";
import { FURTHER_FILTERS } from "./python-filters.ts";
import { FURTHER_METHODS } from "./python-methods.ts";
import { type HelperName, helperName, numberKey } from "./python-values.ts";

type Node = Record<string, unknown>;

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
  rewrite(program, hasNumberKeys(program));
}

/** Does a dict of the template have a number for a key? Else none is looked for. */
function hasNumberKeys(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasNumberKeys);
  if (value instanceof Map)
    return [...value].some(([key, item]) => isNumber(key) || hasNumberKeys(item));
  return isObject(value) && Object.values(value).some(hasNumberKeys);
}

const isNumber = (node: unknown): boolean => isObject(node) && node["type"] === "IntegerLiteral";

function rewrite(value: unknown, numberKeys: boolean): unknown {
  const inner = (child: unknown): unknown => rewrite(child, numberKeys);
  if (Array.isArray(value)) return value.map(inner);
  if (value instanceof Map)
    return new Map([...value].map(([key, item]) => [inner(key), inner(item)]));
  if (!isObject(value)) return value;
  for (const [key, child] of Object.entries(value)) {
    const changed = inner(child);
    value[key] = BODIES.has(key) && Array.isArray(changed) ? changed.map(printed) : changed;
  }
  return replaced(value, numberKeys);
}

function printed(node: unknown): unknown {
  return isObject(node) && !STATEMENTS.has(String(node["type"])) ? call("text", [node]) : node;
}

/** The node itself, changed or not, or the call that takes its place. */
function replaced(node: Node, numberKeys: boolean): Node {
  switch (node["type"]) {
    case "For":
      return looped(node);
    case "BinaryExpression":
      return operated(node);
    case "FilterExpression":
      return filtered(node);
    case "CallExpression":
      return called(node);
    case "MemberExpression":
      return member(node, numberKeys);
    case "ObjectLiteral": {
      const entries = node["value"] instanceof Map ? [...node["value"]] : [];
      node["value"] = new Map(
        entries.map(([key, item]: [unknown, unknown]) => [
          isObject(key) && key["type"] === "IntegerLiteral"
            ? literal(numberKey(key["value"]))
            : key,
          item,
        ]),
      );
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

/** A loop over what Python would walk; names set in it are new in each turn. */
function looped(node: Node): Node {
  const { iterable } = node;
  if (isObject(iterable) && iterable["type"] === "SelectExpression")
    iterable["lhs"] = call("items", [iterable["lhs"]]);
  else node["iterable"] = call("items", [iterable]);
  const names = setIn(node["body"]).filter((name) => !namesOf(node["loopvar"]).includes(name));
  if (names.length > 0 && Array.isArray(node["body"]))
    node["body"] = [call("fresh", names.map(literal)), ...node["body"]];
  return node;
}

function operated(node: Node): Node {
  const { operator, left } = node;
  if (!isObject(operator)) return node;
  if (operator["value"] === "*" && isObject(left) && left["type"] === "StringLiteral")
    return call("repeat", [left, node["right"]]);
  if (operator["value"] === "%" && isObject(left) && left["type"] === "StringLiteral")
    return call("format", [left, ...valuesOf(node["right"])]);
  if (operator["value"] === "+") return call("plus", [left, node["right"]]);
  if (operator["value"] !== "~") return node;
  node["left"] = call("text", [node["left"]]);
  node["right"] = call("text", [node["right"]]);
  return node;
}

function member(node: Node, numberKeys: boolean): Node {
  const { property, object } = node;
  const plain = isObject(property) && /Literal|SliceExpression/.test(String(property["type"]));
  if (node["computed"] && (!plain || (numberKeys && isNumber(property))))
    node["property"] = call("key", numberKeys ? [property, object] : [property]);
  if (isFirst(object)) node["object"] = call("there", [object]);
  return node;
}

function filtered(node: Node): Node {
  const { filter, operand } = node;
  if (!isObject(filter)) return node;
  const callee = isObject(filter["callee"]) ? filter["callee"] : filter;
  const args: readonly unknown[] = Array.isArray(filter["args"]) ? filter["args"] : [];
  const kind = String(callee["value"]);
  if (FURTHER_FILTERS.has(kind)) return call("filter", [operand, literal(kind), ...args]);
  switch (kind) {
    case "list":
      return call("listed", [operand]);
    case "map":
      // By attribute the engine does it itself.
      return isNamed(args[0]) ? node : call("mapped", [operand, ...args]);
    case "select":
    case "reject":
      return call("selected", [operand, literal(kind), ...args]);
    case "format":
      return call("format", [operand, ...args]);
    case "trim":
    case "string":
      node["operand"] = call("text", [operand]);
      return node;
    case "first":
    case "last":
      return call(kind, [operand]);
    case "dictsort":
      return args.length === 0 ? call("dictsort", [operand]) : node;
    case "selectattr":
    case "rejectattr": {
      const members = call("list", [operand]);
      const [name, test] = args;
      const asks = isObject(test) ? test["value"] : undefined;
      if (asks === "defined" || asks === "undefined") {
        const wanted = (asks === "defined") === (kind === "selectattr");
        return call("having", [members, name, literal(String(wanted))]);
      }
      node["operand"] = members;
      return node;
    }
    default:
      return node;
  }
}

function called(node: Node): Node {
  const { callee } = node;
  if (!isObject(callee) || callee["type"] !== "MemberExpression" || callee["computed"]) return node;
  const property = isObject(callee["property"]) ? String(callee["property"]["value"]) : "";
  const args: readonly unknown[] = Array.isArray(node["args"]) ? node["args"] : [];
  const name = literal(property);
  if (STRIPS.has(property) && args.length > 0)
    return call("strip", [callee["object"], name, ...args]);
  if (FURTHER_METHODS.has(property)) return call("invoked", [callee["object"], name, ...args]);
  // Only what the engine would look up among the keys first.
  if (METHODS.has(property)) node["callee"] = call("method", [callee["object"], name, callee]);
  return node;
}

/** A call of the helper that `| first` and `| last` became. */
function isFirst(node: unknown): boolean {
  const callee = isObject(node) ? node["callee"] : undefined;
  const name = isObject(callee) ? callee["value"] : undefined;
  return name === helperName("first") || name === helperName("last");
}

/** Names that a loop's body sets, those of loops inside it left out. */
function setIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(setIn);
  if (!isObject(value)) return [];
  if (value["type"] === "Set") return namesOf(value["assignee"]);
  return value["type"] === "If" ? [...setIn(value["body"]), ...setIn(value["alternate"])] : [];
}

/** Of a name, or of a tuple of names. */
function namesOf(target: unknown): readonly string[] {
  if (!isObject(target)) return [];
  if (target["type"] === "Identifier") return [String(target["value"])];
  return Array.isArray(target["value"]) ? target["value"].flatMap(namesOf) : [];
}

/** Members of a tuple; of anything else, itself. */
function valuesOf(node: unknown): readonly unknown[] {
  const tuple = isObject(node) && node["type"] === "TupleLiteral" ? node["value"] : undefined;
  return Array.isArray(tuple) ? tuple : [node];
}

function isNamed(node: unknown): boolean {
  return isObject(node) && node["type"] === "KeywordArgumentExpression";
}

function literal(value: string): Node {
  return { type: "StringLiteral", value };
}

function call(helper: HelperName, args: readonly unknown[]): Node {
  const callee = { type: "Identifier", value: helperName(helper) };
  return { type: "CallExpression", callee, args };
}
