/**
 * Most renderings put texts together: a loop over messages, some choices, a trim. Here a
 * template's tree, as python.ts left it, becomes functions over JavaScript's own values,
 * at a fifth of what the engine's own classes cost. Whatever a rendering meets that is
 * not read here (a call, a filter, a value that prints otherwise) ends it, and the engine
 * renders from the beginning: what comes out is what the engine would have said.
 */
import { isObject } from "../config.ts";
import { type HelperName, helperName } from "./python-values.ts";

/**
 * Names and their values. No object whose prototype is the scope around it: the runtime makes
 * a class of objects for each prototype, and keeps that, and the scope by it, for long.
 */
class Scope {
  readonly #values = new Map<string, unknown>();
  readonly #around: Scope | undefined;

  constructor(around?: Scope) {
    this.#around = around;
  }

  get(name: string): unknown {
    const value = this.#values.get(name);
    const own = value !== undefined || this.#around === undefined || this.#values.has(name);
    return own ? value : this.#around?.get(name);
  }

  set(name: string, value: unknown): void {
    this.#values.set(name, value);
  }

  /** What the scope around says is read again. */
  forget(name: string): void {
    this.#values.delete(name);
  }
}

type Read = (scope: Scope) => unknown;
type Write = (scope: Scope) => string;
type Node = Readonly<Record<string, unknown>>;

/** A value that only the engine can use: a function. */
const OPAQUE = Symbol("for the engine");
/** What ends a rendering here; nobody sees it. */
const NOT_PLAIN = new Error("this rendering is the engine's");
/** Renderings in a row that were the engine's, after which none is tried here. */
const GIVEN_UP = 16;
/** Of the engine's dicts: methods, where no key has the name. */
const METHODS = new Set(["dictsort", "get", "items", "keys", "values"]);

function leave(): never {
  throw NOT_PLAIN;
}

export class PlainTemplate {
  readonly #write: Write;
  readonly #globals = new Scope();
  #left = 0;

  /** `globals` are what every template may use; functions among them are the engine's. */
  constructor(program: object, globals: Readonly<Record<string, unknown>>) {
    this.#write = block((program as Node)["body"]); // a program of the engine
    for (const [name, value] of Object.entries(globals)) {
      this.#globals.set(name, typeof value === "function" ? OPAQUE : value);
    }
    this.#globals.set("namespace", OPAQUE);
  }

  /** Undefined: the engine is to render. */
  render(variables: Readonly<Record<string, unknown>>): string | undefined {
    if (this.#left >= GIVEN_UP) return undefined;
    const scope = new Scope(this.#globals);
    for (const name of Object.keys(variables)) scope.set(name, variables[name]);
    try {
      const text = this.#write(scope);
      this.#left = 0;
      return text;
    } catch (error) {
      if (error !== NOT_PLAIN) throw error;
      this.#left++;
      return undefined;
    }
  }
}

/** Statements, one after the other. */
function block(nodes: unknown): Write {
  const writes = (Array.isArray(nodes) ? nodes : []).map((node) => statement(node as Node)); // the engine's lists
  return (scope) => {
    let text = "";
    for (const write of writes) text += write(scope);
    return text;
  };
}

function statement(node: Node): Write {
  switch (node["type"]) {
    case "If": {
      const test = expression(node["test"]);
      const [body, otherwise] = [block(node["body"]), block(node["alternate"])];
      return (scope) => (truth(test(scope)) ? body(scope) : otherwise(scope));
    }
    case "For":
      return loop(node);
    case "Set": {
      const name = nameOf(node["assignee"]);
      if (name === undefined || !isObject(node["value"])) return leave;
      const value = expression(node["value"]);
      return (scope) => {
        scope.set(name, value(scope));
        return "";
      };
    }
    case "Macro": {
      const name = nameOf(node["name"]);
      if (name === undefined) return leave;
      return (scope) => {
        scope.set(name, OPAQUE);
        return "";
      };
    }
    case "Comment":
      return () => "";
    default: {
      const value = expression(node);
      return (scope) => printed(value(scope));
    }
  }
}

function printed(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return Number.isInteger(value) ? String(value) : leave();
}

function loop(node: Node): Write {
  const name = nameOf(node["loopvar"]);
  if (name === undefined) return leave;
  const over = expression(node["iterable"]);
  const [body, otherwise] = [block(node["body"]), block(node["defaultBlock"])];
  return (around) => {
    const scope = new Scope(around);
    const items = over(scope);
    if (!Array.isArray(items)) return leave();
    const { length } = items;
    if (length === 0) return otherwise(scope);
    let text = "";
    for (let index = 0; index < length; index++) {
      scope.set("loop", {
        index: index + 1,
        index0: index,
        revindex: length - index,
        revindex0: length - index - 1,
        first: index === 0,
        last: index === length - 1,
        length,
        previtem: items[index - 1],
        nextitem: items[index + 1],
      });
      scope.set(name, items[index]);
      text += body(scope);
    }
    return text;
  };
}

function expression(node: unknown): Read {
  if (!isObject(node)) return leave;
  switch (node["type"]) {
    case "StringLiteral":
    case "IntegerLiteral": {
      const { value } = node;
      return () => value;
    }
    case "ArrayLiteral": {
      const items = (Array.isArray(node["value"]) ? node["value"] : []).map(expression);
      return (scope) => items.map((item) => item(scope));
    }
    case "Identifier": {
      const name = String(node["value"]);
      return (scope) => scope.get(name);
    }
    case "MemberExpression":
      return member(node);
    case "BinaryExpression":
      return binary(node);
    case "UnaryExpression": {
      const value = expression(node["argument"]);
      return operatorOf(node) === "not" ? (scope) => !truth(value(scope)) : leave;
    }
    case "TestExpression":
      return tested(node);
    case "FilterExpression":
      return filtered(node);
    case "Ternary": {
      const test = expression(node["condition"]);
      const [yes, no] = [expression(node["trueExpr"]), expression(node["falseExpr"])];
      return (scope) => (truth(test(scope)) ? yes(scope) : no(scope));
    }
    case "CallExpression":
      return called(node);
    default:
      return leave;
  }
}

/** A key of a dict, or a place in a list. */
function member(node: Node): Read {
  const of = expression(node["object"]);
  const { property, computed } = node;
  if (!isObject(property)) return leave;
  const { type, value: key } = property;
  if (type === "IntegerLiteral") {
    return (scope) => {
      const list = of(scope);
      return Array.isArray(list) ? list.at(Number(key)) : leave();
    };
  }
  if (type !== (computed === true ? "StringLiteral" : "Identifier")) return leave;
  const name = String(key);
  return (scope) => {
    const dict = of(scope);
    if (!isDict(dict)) return leave();
    if (Object.hasOwn(dict, name)) return dict[name];
    return METHODS.has(name) ? leave() : undefined;
  };
}

function binary(node: Node): Read {
  const [left, right] = [expression(node["left"]), expression(node["right"])];
  switch (operatorOf(node)) {
    case "and":
      return (scope) => {
        const value = left(scope);
        return truth(value) ? right(scope) : value;
      };
    case "or":
      return (scope) => {
        const value = left(scope);
        return truth(value) ? value : right(scope);
      };
    case "==":
      return (scope) => same(left(scope), right(scope));
    case "!=":
      return (scope) => !same(left(scope), right(scope));
    case "in":
      return (scope) => within(left(scope), right(scope));
    case "not in":
      return (scope) => !within(left(scope), right(scope));
    case "~":
      return (scope) => printed(left(scope)) + printed(right(scope));
    case "%":
      return (scope) => whole(left(scope)) % whole(right(scope));
    default:
      return leave;
  }
}

/** As the engine compares: loosely, by JavaScript. */
function same(one: unknown, other: unknown): boolean {
  if (!isScalar(one) || !isScalar(other)) return leave();
  // biome-ignore lint/suspicious/noDoubleEquals: none equals undefined there
  return one == other;
}

function within(item: unknown, of: unknown): boolean {
  if (typeof item !== "string") return leave();
  if (typeof of === "string") return of.includes(item);
  if (Array.isArray(of)) return of.includes(item);
  return isDict(of) ? Object.hasOwn(of, item) : leave();
}

function tested(node: Node): Read {
  const value = expression(node["operand"]);
  const negate = node["negate"] === true;
  const test = TESTS[nameOf(node["test"]) ?? ""];
  return test === undefined ? leave : (scope) => test(value(scope)) !== negate;
}

const TESTS: Readonly<Record<string, (value: unknown) => boolean>> = {
  defined: (value) => value !== undefined,
  undefined: (value) => value === undefined,
  none: (value) => value === null,
  string: (value) => typeof value === "string",
};

function filtered(node: Node): Read {
  const value = expression(node["operand"]);
  switch (nameOf(node["filter"])) {
    case "trim":
      return (scope) => {
        const text = value(scope);
        return typeof text === "string" ? text.trim() : leave();
      };
    case "length":
      return (scope) => {
        const list = value(scope);
        return Array.isArray(list) ? list.length : leave();
      };
    default:
      return leave;
  }
}

/** What the rewritten tree calls (python-values.ts). */
function called(node: Node): Read {
  const args: readonly unknown[] = Array.isArray(node["args"]) ? node["args"] : [];
  const [first = leave, second = leave] = args.map(expression);
  const helper = (name: HelperName): boolean => nameOf(node["callee"]) === helperName(name);
  if (helper("text")) {
    return (scope) => {
      const value = first(scope);
      return value === null ? leave() : printed(value); // none prints a word
    };
  }
  if (helper("plus")) {
    return (scope) => {
      const [one, other] = [first(scope), second(scope)];
      return typeof one === "string" && typeof other === "string" ? one + other : leave();
    };
  }
  if (helper("items")) {
    return (scope) => {
      const value = first(scope);
      return value === undefined ? [] : value; // the loop refuses what is no list
    };
  }
  if (!helper("fresh")) return leave;
  const names = args.map((name) => (isObject(name) ? String(name["value"]) : ""));
  return (scope) => {
    for (const name of names) scope.forget(name);
    return "";
  };
}

function truth(value: unknown): boolean {
  if (isScalar(value)) return Boolean(value);
  if (Array.isArray(value)) return value.length > 0;
  return isDict(value) ? Object.keys(value).length > 0 : leave();
}

function whole(value: unknown): number {
  return Number.isInteger(value) ? Number(value) : leave();
}

function isScalar(value: unknown): boolean {
  return (
    value === null ||
    value === undefined ||
    typeof value === "string" ||
    typeof value === "boolean" ||
    typeof value === "number"
  );
}

const isDict = (value: unknown): value is Readonly<Record<string, unknown>> => isObject(value);

function nameOf(node: unknown): string | undefined {
  return isObject(node) && node["type"] === "Identifier" ? String(node["value"]) : undefined;
}

function operatorOf({ operator }: Node): unknown {
  return isObject(operator) ? operator["value"] : undefined;
}
