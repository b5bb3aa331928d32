/**
 * `not`, where its opposite can be written: alternatives, each of which breaks one
 * keyword. A keyword whose opposite cannot be written gives no alternative, so that
 * fewer values are generated, never wrong ones.
 */
import { isObject, type Schema, type Type, typeOf } from "./flat.ts";
import { wholeDivisor } from "./multiples.ts";

/** Strings that a value may not be: a keyword of our own, for the opposite of `enum`. */
export const WITHOUT = "$without";

/** Patterns that a string may not match: as well, for the opposite of `pattern`. */
export const UNLIKE = "$unlike";

/** A whole number that does not divide an integer: the opposite of `multipleOf`. */
export const INDIVISIBLE = "$indivisible";

/** Every value has one of these. */
const KINDS: readonly Type[] = ["null", "boolean", "number", "string", "array", "object"];

type Keywords = Exclude<Schema, boolean>;
/** `beside`: the schema that the keyword stands in. */
type Negation = (
  value: unknown,
  context: NegateContext,
  beside: Keywords,
) => readonly Schema[] | undefined;

export interface NegateContext {
  /** Schemas that the references of a schema point to. */
  targets(schema: Keywords): readonly Schema[];
  readonly depth: number;
}

const MAX_DEPTH = 16;

/** Schemas of which one must hold for `schema` not to; undefined: it cannot be said. */
export function negate(schema: Schema, context: NegateContext): readonly Schema[] | undefined {
  if (typeof schema === "boolean") return schema ? [] : [true];
  if (context.depth > MAX_DEPTH) return undefined;
  const deeper = { ...context, depth: context.depth + 1 };
  // Before draft 2019-09 nothing beside a reference counts: then its opposite alone is sure.
  const keywords = (schema["$ref"] === undefined ? Object.keys(schema) : ["$ref"]).filter(
    (keyword) => !ANNOTATIONS.has(keyword),
  );
  if (keywords.length === 0) return [];
  const parts = keywords.flatMap((keyword) => {
    const negation = Object.hasOwn(NEGATIONS, keyword) ? NEGATIONS[keyword] : undefined;
    const part = negation?.(schema[keyword], deeper, schema);
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
  const numbers = values.filter((value) => typeof value === "number").sort((a, b) => a - b);
  if (numbers.length > 0 && numbers.length <= MAX_GAPS) rest.push(...gaps(numbers));
  const booleans = [true, false].filter((value) => !values.includes(value));
  if (taken.has("boolean") && booleans.length > 0) rest.push({ enum: booleans });
  return rest;
}

/** Numbers left out one by one, at most. */
const MAX_GAPS = 16;

/** Numbers below the first, between each two, and above the last. */
function gaps(numbers: readonly number[]): readonly Schema[] {
  return [undefined, ...numbers].map((low, at) => ({
    type: "number",
    ...(low !== undefined && { exclusiveMinimum: low }),
    ...(at < numbers.length && { exclusiveMaximum: numbers[at] }),
  }));
}

/** The opposite of a bound; only values of its type can break it. */
function bound(type: Type, opposite: string, move = 0): Negation {
  return (value) => {
    if (typeof value !== "number") return undefined;
    const limit = value + move;
    return limit < 0 && type !== "number" ? [] : [{ type, [opposite]: limit }];
  };
}

/** Schemas that must not all hold; those whose opposite cannot be said are let hold. */
function someBroken(
  schemas: readonly (Schema | undefined)[],
  context: NegateContext,
): readonly Schema[] | undefined {
  const opposites = schemas
    .map((schema) => (schema === undefined ? undefined : negate(schema, context)))
    .filter((one) => one !== undefined);
  return opposites.length === 0 ? undefined : opposites.flat();
}

/** Schemas none of which may hold; undefined where one's opposite cannot be said. */
function allBroken(
  schemas: readonly (Schema | undefined)[],
  context: NegateContext,
): readonly Schema[] | undefined {
  const opposites = schemas.map((schema) =>
    schema === undefined ? undefined : negate(schema, context),
  );
  if (opposites.some((one) => one === undefined)) return undefined;
  return opposites.some((one) => one?.length === 0)
    ? []
    : [{ allOf: opposites.map((one) => ({ anyOf: one })) }];
}

/** Objects with a name of one of these schemas, where one can be given. */
function named(schemas: readonly Schema[] | undefined): readonly Schema[] | undefined {
  const parts = schemas?.map((schema): readonly Schema[] | undefined => {
    if (schema === true) return [{ type: "object", minProperties: 1 }];
    if (schema === false) return [];
    const { type = "string", ...rest } = schema;
    if (!list(type).includes("string")) return [];
    const [[keyword, value] = [], ...others] = Object.entries(rest);
    const plain = keyword === "pattern" ? PLAIN_PATTERN.exec(String(value))?.[1] : undefined;
    const names = keyword === "const" || keyword === "enum" ? list(value) : [plain];
    if (others.length > 0 || names.includes(undefined)) return undefined;
    return names
      .filter((name) => typeof name === "string")
      .map((name) => ({ type: "object", required: [name] }));
  });
  const known = parts?.flatMap((part) => part ?? []);
  return parts?.includes(undefined) && known?.length === 0 ? undefined : known;
}

/** A pattern of plain letters, which finds these letters themselves. */
const PLAIN_PATTERN = /^\^?([A-Za-z0-9-]+)\$?$/;

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
  // Of the names that a pattern of plain letters finds, that of these letters.
  patternProperties: (patterns, context) => {
    if (!isObject(patterns)) return undefined;
    const parts = Object.entries(patterns).map(([pattern, inner]) => {
      const schema = asSchema(inner);
      const opposite = schema === undefined ? undefined : negate(schema, context);
      const name = PLAIN_PATTERN.exec(pattern)?.[1];
      if (opposite?.length === 0) return [];
      return name === undefined
        ? undefined
        : opposite?.map((one) => ({
            ...{ type: "object", properties: { [name]: one }, required: [name] },
          }));
    });
    const known = parts.flatMap((part) => part ?? []);
    return known.length === 0 && parts.includes(undefined) ? undefined : known;
  },
  not: (value) => {
    const schema = asSchema(value);
    return schema === undefined ? undefined : [schema];
  },
  allOf: (parts, context) => someBroken(list(parts).map(asSchema), context),
  anyOf: (parts, context) => allBroken(list(parts).map(asSchema), context),
  // None holds, or two do.
  oneOf: (parts, context) => {
    const schemas = list(parts).map(asSchema);
    if (schemas.includes(undefined)) return undefined;
    const pairs = schemas.flatMap((one, i) =>
      schemas.slice(i + 1).map((other) => ({ allOf: [one, other] })),
    );
    return [...(allBroken(schemas, context) ?? []), ...pairs];
  },
  $ref: (_, context, beside) => someBroken(context.targets(beside), context),
  pattern: (value) => (typeof value === "string" ? [{ type: "string", [UNLIKE]: [value] }] : []),
  [UNLIKE]: (value) => list(value).map((pattern) => ({ type: "string", pattern })),
  [WITHOUT]: (value) => [{ enum: list(value) }],
  items: (value, context, { prefixItems }) => {
    const schema = asSchema(value);
    if (schema === undefined || prefixItems !== undefined) return undefined;
    const opposite = negate(schema, context);
    return opposite?.map((one) => ({ type: "array", contains: one }));
  },
  contains: (value, context, { minContains, maxContains }) => {
    const schema = asSchema(value);
    if (schema === undefined || minContains !== undefined || maxContains !== undefined)
      return undefined;
    const opposite = negate(schema, context);
    return (
      opposite && [{ type: "array", items: opposite.length === 0 ? false : { anyOf: opposite } }]
    );
  },
  propertyNames: (value, context) => {
    const schema = asSchema(value);
    return schema === undefined ? undefined : named(negate(schema, context));
  },
  multipleOf: (value) => {
    const divisor = typeof value === "number" ? wholeDivisor(value) : undefined;
    return divisor === undefined || divisor === 1
      ? []
      : [{ type: "integer", [INDIVISIBLE]: divisor }];
  },
  [INDIVISIBLE]: (value) => [{ type: "integer", multipleOf: value }],
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
