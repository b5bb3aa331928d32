/**
 * `not`, where its opposite can be written: alternatives, each of which breaks one
 * keyword. A keyword whose opposite cannot be written gives no alternative, so that
 * fewer values are generated, never wrong ones.
 */
import { isObject, type Schema, type Type, typeOf } from "./flat.ts";

/** Strings that a value may not be: a keyword of our own, for the opposite of `enum`. */
export const WITHOUT = "$without";

/** Every value has one of these. */
const KINDS: readonly Type[] = ["null", "boolean", "number", "string", "array", "object"];

type Negation = (value: unknown, context: NegateContext) => readonly Schema[] | undefined;

export interface NegateContext {
  resolve(reference: unknown): Schema;
  readonly depth: number;
}

const MAX_DEPTH = 16;

/** Schemas of which one must hold for `schema` not to; undefined: it cannot be said. */
export function negate(schema: Schema, context: NegateContext): readonly Schema[] | undefined {
  if (typeof schema === "boolean") return schema ? [] : [true];
  if (context.depth > MAX_DEPTH) return undefined;
  const deeper = { ...context, depth: context.depth + 1 };
  const keywords = Object.keys(schema).filter((keyword) => !ANNOTATIONS.has(keyword));
  if (keywords.length === 0) return [];
  const parts = keywords.flatMap((keyword) => {
    const negation = Object.hasOwn(NEGATIONS, keyword) ? NEGATIONS[keyword] : undefined;
    const part = negation?.(schema[keyword], deeper);
    return part === undefined ? [] : [part];
  });
  return parts.length === 0 ? undefined : parts.flat();
}

const ANNOTATIONS: ReadonlySet<string> = new Set([
  ...["title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"],
  ...["$comment", "$schema", "$id", "id", "$defs", "definitions", "$anchor"],
]);

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value]);

function asSchema(value: unknown): Schema | undefined {
  return typeof value === "boolean" || isObject(value) ? value : undefined;
}

function notType(value: unknown): readonly Schema[] {
  const named = list(value);
  // Numbers that are no integers cannot be singled out: then no number is written.
  const left = KINDS.filter(
    (kind) => !named.includes(kind) && !(kind === "number" && named.includes("integer")),
  );
  return left.length === 0 ? [] : [{ type: left }];
}

function notValues(values: readonly unknown[]): readonly Schema[] {
  const taken = new Set<Type>(
    values.map((value) => (typeof value === "number" ? "number" : typeOf(value))),
  );
  const texts = values.filter((value) => typeof value === "string");
  const rest: Schema[] = [];
  const free = KINDS.filter((kind) => !taken.has(kind));
  if (free.length > 0) rest.push({ type: free });
  if (texts.length > 0) rest.push({ type: "string", [WITHOUT]: texts });
  const booleans = [true, false].filter((value) => !values.includes(value));
  if (taken.has("boolean") && booleans.length > 0) rest.push({ enum: booleans });
  return rest;
}

/** The opposite of a bound; only values of its type can break it. */
function bound(type: Type, opposite: string, move = 0): Negation {
  return (value) => {
    if (typeof value !== "number") return undefined;
    const limit = value + move;
    return limit < 0 && type !== "number" ? [] : [{ type, [opposite]: limit }];
  };
}

const NEGATIONS: Readonly<Record<string, Negation>> = {
  type: notType,
  const: (value) => notValues([value]),
  enum: (value) => (Array.isArray(value) ? notValues(value) : undefined),
  required: (names) =>
    list(names).map((name) => ({ type: "object", properties: { [String(name)]: false } })),
  properties: (properties, context) => {
    if (!isObject(properties)) return undefined;
    return Object.entries(properties).flatMap(([name, inner]) => {
      const schema = asSchema(inner);
      const opposite = schema === undefined ? undefined : negate(schema, context);
      return (opposite ?? []).map((one) => ({
        type: "object",
        properties: { [name]: one },
        required: [name],
      }));
    });
  },
  not: (value) => {
    const schema = asSchema(value);
    return schema === undefined ? undefined : [schema];
  },
  allOf: (parts, context) => {
    const opposites = list(parts).map((part) => {
      const schema = asSchema(part);
      return schema === undefined ? undefined : negate(schema, context);
    });
    const known = opposites.filter((one) => one !== undefined);
    return known.length === 0 ? undefined : known.flat();
  },
  anyOf: (parts, context) => {
    const opposites = list(parts).map((part) => {
      const schema = asSchema(part);
      return schema === undefined ? undefined : negate(schema, context);
    });
    if (opposites.some((one) => one === undefined)) return undefined;
    // Every part must be broken.
    return opposites.some((one) => one?.length === 0)
      ? []
      : [{ allOf: opposites.map((one) => ({ anyOf: one })) }];
  },
  $ref: (reference, context) => negate(context.resolve(reference), context),
  minimum: bound("number", "exclusiveMaximum"),
  maximum: bound("number", "exclusiveMinimum"),
  exclusiveMinimum: bound("number", "maximum"),
  exclusiveMaximum: bound("number", "minimum"),
  minLength: bound("string", "maxLength", -1),
  maxLength: bound("string", "minLength", 1),
  minItems: bound("array", "maxItems", -1),
  maxItems: bound("array", "minItems", 1),
  minProperties: bound("object", "maxProperties", -1),
  maxProperties: bound("object", "minProperties", 1),
};
