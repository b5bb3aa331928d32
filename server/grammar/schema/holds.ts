/**
 * Whether a value satisfies a schema, by JSON schema's own rules: of values that a schema
 * lists, those are written that satisfy all else it says, whatever that is. Undefined:
 * not sure (an annotation that some validators check, a keyword that is not known here).
 */
import { Automaton } from "../automaton.ts";
import { GrammarError } from "../grammar.ts";
import { parseRegex } from "../regex.ts";
import { isMultiple } from "./decimals.ts";
import { canonical, isObject, type Schema, sameValue, typeOf } from "./flat.ts";
import { INDIVISIBLE, UNLIKE, WITHOUT } from "./negate.ts";
import { formatShape } from "./strings.ts";

export type Verdict = boolean | undefined;
type Keywords = Exclude<Schema, boolean>;

export interface HoldsContext {
  /** Schemas that the references of a schema point to. Throws GrammarError. */
  targets(schema: Keywords): readonly Schema[];
  readonly depth: number;
}

const MAX_DEPTH = 64;

export function holds(schema: Schema, value: unknown, context: HoldsContext): Verdict {
  if (typeof schema === "boolean") return schema;
  if (context.depth > MAX_DEPTH) return undefined;
  const deeper = { ...context, depth: context.depth + 1 };
  const beside = all(Object.keys(schema), (keyword) =>
    Object.hasOwn(CHECKS, keyword)
      ? CHECKS[keyword]?.({ given: schema[keyword], value, schema, context: deeper })
      : true,
  );
  if (schema["$ref"] === undefined && schema["$dynamicRef"] === undefined) return beside;
  const there = all(targetsOf(schema, deeper), (one) => inner(one, value, deeper));
  // Before draft 2019-09 nothing beside a reference counts.
  return there === true && beside === false
    ? undefined
    : there === false
      ? false
      : and(there, beside);
}

function targetsOf(schema: Keywords, context: HoldsContext): readonly (Schema | undefined)[] {
  try {
    return context.targets(schema);
  } catch (error) {
    if (error instanceof GrammarError) return [undefined];
    throw error;
  }
}

interface Asked {
  readonly given: unknown;
  readonly value: unknown;
  readonly schema: Keywords;
  readonly context: HoldsContext;
}

type Check = (asked: Asked) => Verdict;

function all<T>(list: Iterable<T>, of: (one: T) => Verdict): Verdict {
  let verdict: Verdict = true;
  for (const one of list) {
    const next = of(one);
    if (next === false) return false;
    if (next === undefined) verdict = undefined;
  }
  return verdict;
}

const not = (verdict: Verdict): Verdict => (verdict === undefined ? undefined : !verdict);
const and = (a: Verdict, b: Verdict): Verdict => all([a, b], (one) => one);

/** How many of them hold at least and at most. */
function count<T>(list: Iterable<T>, of: (one: T) => Verdict): { least: number; most: number } {
  let [least, most] = [0, 0];
  for (const one of list) {
    const verdict = of(one);
    if (verdict === true) least++;
    if (verdict !== false) most++;
  }
  return { least, most };
}

const some = <T>(list: Iterable<T>, of: (one: T) => Verdict): Verdict =>
  not(all(list, (one) => not(of(one))));

const isSchema = (value: unknown): value is Schema => typeof value === "boolean" || isObject(value);

/** Of a part that must be a schema. */
function inner(part: unknown, value: unknown, context: HoldsContext): Verdict {
  return isSchema(part) ? holds(part, value, context) : undefined;
}

type Fields = Readonly<Record<string, unknown>>;

const ofNumber =
  (test: (value: number, given: number) => boolean): Check =>
  ({ given, value }) =>
    typeof given !== "number"
      ? typeof given === "boolean"
        ? true
        : undefined
      : typeof value !== "number" || test(value, given);

const ofCount =
  (
    size: (value: unknown) => number | undefined,
    test: (size: number, given: number) => boolean,
  ): Check =>
  ({ given, value }) => {
    const length = size(value);
    return typeof given !== "number" ? undefined : length === undefined || test(length, given);
  };

const ofObject =
  (test: (fields: Fields, asked: Asked) => Verdict): Check =>
  (asked) =>
    isObject(asked.value) ? test(asked.value, asked) : true;

const ofArray =
  (test: (items: readonly unknown[], asked: Asked) => Verdict): Check =>
  (asked) =>
    Array.isArray(asked.value) ? test(asked.value, asked) : true;

const characters = (value: unknown) =>
  typeof value === "string" ? Array.from(value).length : undefined;
const items = (value: unknown) => (Array.isArray(value) ? value.length : undefined);
const properties = (value: unknown) => (isObject(value) ? Object.keys(value).length : undefined);

/** Patterns as they run, for the many values of a list; absent where one cannot be read. */
const patterns = new Map<string, Automaton | undefined>();
const MAX_PATTERNS = 256;

function automatonOf(pattern: string): Automaton | undefined {
  if (patterns.has(pattern)) return patterns.get(pattern);
  let automaton: Automaton | undefined;
  try {
    automaton = new Automaton(parseRegex(pattern, { search: true }));
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
  }
  if (patterns.size >= MAX_PATTERNS) patterns.clear();
  patterns.set(pattern, automaton);
  return automaton;
}

function matches(pattern: unknown, text: string): Verdict {
  return typeof pattern === "string" ? automatonOf(pattern)?.accepts(text) : undefined;
}

/** A bound, and draft 4's flag beside it that leaves the bound itself out. */
const bound =
  (exclusive: string, below: (a: number, b: number) => boolean): Check =>
  ({ given, value, schema }) => {
    if (typeof given !== "number") return undefined;
    if (typeof value !== "number") return true;
    return schema[exclusive] === true ? below(given, value) : !below(value, given);
  };

function isType(name: unknown, value: unknown): boolean {
  const type = typeOf(value);
  return type === name || (type === "integer" && name === "number");
}

/** Names that no other keyword of the schema speaks of. */
function additional(fields: Fields, schema: Keywords): readonly (readonly [string, Verdict])[] {
  const named = isObject(schema["properties"]) ? schema["properties"] : {};
  const patterns = isObject(schema["patternProperties"])
    ? Object.keys(schema["patternProperties"])
    : [];
  return Object.keys(fields)
    .filter((name) => !Object.hasOwn(named, name))
    .map((name) => [name, not(some(patterns, (pattern) => matches(pattern, name)))]);
}

const implies = (test: Verdict, then: () => Verdict): Verdict =>
  test === false ? true : test === true ? then() : then() === true ? true : undefined;

const dependent: Check = ofObject((fields, { given, value, context }) =>
  isObject(given)
    ? all(Object.entries(given), ([name, asked]) => {
        if (!Object.hasOwn(fields, name)) return true;
        const names = typeof asked === "string" ? [asked] : asked;
        return Array.isArray(names)
          ? names.every((one) => Object.hasOwn(fields, String(one)))
          : inner(asked, value, context);
      })
    : undefined,
);

const unevaluated =
  (size: (value: unknown) => number | undefined): Check =>
  ({ given, value }) =>
    given === true || (size(value) ?? 0) === 0 ? true : undefined;

const unknown: Check = () => undefined;

/** A long list is asked for each of its own values. */
const texts = new WeakMap<readonly unknown[], ReadonlySet<string>>();

function textsOf(values: readonly unknown[]): ReadonlySet<string> {
  const known = texts.get(values) ?? new Set(values.map(canonical));
  texts.set(values, known);
  return known;
}

const CHECKS: Readonly<Record<string, Check>> = {
  type: ({ given, value, schema }) => {
    const names: readonly unknown[] = Array.isArray(given) ? given : [given];
    return (
      names.some((name) => isType(name, value)) || (value === null && schema["nullable"] === true)
    );
  },
  enum: ({ given, value }) =>
    Array.isArray(given) ? textsOf(given).has(canonical(value)) : undefined,
  const: ({ given, value }) => sameValue(given, value),
  minimum: bound("exclusiveMinimum", (a, b) => a < b),
  maximum: bound("exclusiveMaximum", (a, b) => a > b),
  exclusiveMinimum: ofNumber((value, given) => value > given),
  exclusiveMaximum: ofNumber((value, given) => value < given),
  multipleOf: ({ given, value }) => {
    if (typeof given !== "number" || given <= 0) return undefined;
    return typeof value !== "number" || isMultiple(value, given);
  },
  [INDIVISIBLE]: ({ given, value }) =>
    typeof given === "number" && typeof value === "number" ? !isMultiple(value, given) : true,
  minLength: ofCount(characters, (size, given) => size >= given),
  maxLength: ofCount(characters, (size, given) => size <= given),
  pattern: ({ given, value }) => (typeof value === "string" ? matches(given, value) : true),
  [UNLIKE]: ({ given, value }) =>
    typeof value === "string" && Array.isArray(given)
      ? all(given, (pattern) => not(matches(pattern, value)))
      : true,
  [WITHOUT]: ({ given, value }) => !(Array.isArray(given) && given.includes(value)),
  // A text that is not of the plain form may be of the format all the same.
  format: ({ given, value }) => {
    const shape =
      typeof value === "string" && typeof given === "string" ? formatShape(given) : undefined;
    return shape === undefined || new Automaton(shape).accepts(String(value)) ? true : undefined;
  },
  contentEncoding: ({ given, value }) =>
    typeof value !== "string" || given !== "base64" ? true : undefined,
  contentMediaType: ({ value }) => (typeof value === "string" ? undefined : true),
  minItems: ofCount(items, (size, given) => size >= given),
  maxItems: ofCount(items, (size, given) => size <= given),
  uniqueItems: ofArray(
    (list, { given }) => given !== true || new Set(list.map(canonical)).size === list.length,
  ),
  prefixItems: ofArray((list, { given, context }) =>
    Array.isArray(given)
      ? all(list.entries(), ([at, item]) => at >= given.length || inner(given[at], item, context))
      : undefined,
  ),
  items: ofArray((list, { given, schema, context }) => {
    if (Array.isArray(given))
      return all(
        list.entries(),
        ([at, item]) => at >= given.length || inner(given[at], item, context),
      );
    const prefix = Array.isArray(schema["prefixItems"]) ? schema["prefixItems"].length : 0;
    return all(list.slice(prefix), (item) => inner(given, item, context));
  }),
  additionalItems: ofArray((list, { given, schema, context }) =>
    Array.isArray(schema["items"])
      ? all(list.slice(schema["items"].length), (item) => inner(given, item, context))
      : true,
  ),
  contains: ofArray((list, { given, schema, context }) => {
    const { minContains = 1, maxContains = Number.POSITIVE_INFINITY } = schema;
    if (typeof minContains !== "number" || typeof maxContains !== "number") return undefined;
    const { least, most } = count(list, (item) => inner(given, item, context));
    if (most < minContains || least > maxContains) return false;
    return least >= minContains && most <= maxContains ? true : undefined;
  }),
  minProperties: ofCount(properties, (size, given) => size >= given),
  maxProperties: ofCount(properties, (size, given) => size <= given),
  required: ofObject((fields, { given }) =>
    Array.isArray(given)
      ? given.every((name) => Object.hasOwn(fields, String(name)))
      : typeof given === "boolean" || undefined,
  ),
  properties: ofObject((fields, { given, context }) =>
    isObject(given)
      ? all(
          Object.entries(given),
          ([name, schema]) => !Object.hasOwn(fields, name) || inner(schema, fields[name], context),
        )
      : undefined,
  ),
  patternProperties: ofObject((fields, { given, context }) =>
    isObject(given)
      ? all(Object.entries(given), ([pattern, schema]) =>
          all(Object.entries(fields), ([name, value]) =>
            implies(matches(pattern, name), () => inner(schema, value, context)),
          ),
        )
      : undefined,
  ),
  additionalProperties: ofObject((fields, { given, schema, context }) =>
    all(additional(fields, schema), ([name, free]) =>
      implies(free, () => inner(given, fields[name], context)),
    ),
  ),
  propertyNames: ofObject((fields, { given, context }) =>
    all(Object.keys(fields), (name) => inner(given, name, context)),
  ),
  dependentRequired: dependent,
  dependentSchemas: dependent,
  dependencies: dependent,
  unevaluatedProperties: unevaluated(properties),
  unevaluatedItems: unevaluated(items),
  allOf: ({ given, value, context }) =>
    Array.isArray(given) ? all(given, (one) => inner(one, value, context)) : undefined,
  anyOf: ({ given, value, context }) =>
    Array.isArray(given) ? some(given, (one) => inner(one, value, context)) : undefined,
  oneOf: ({ given, value, context }) => {
    if (!Array.isArray(given)) return undefined;
    const { least, most } = count(given, (one) => inner(one, value, context));
    return least > 1 || most === 0 ? false : least === 1 && most === 1 ? true : undefined;
  },
  not: ({ given, value, context }) => not(inner(given, value, context)),
  if: ({ given, value, schema, context }) => {
    const test = inner(given, value, context);
    const branch = (keyword: string): Verdict =>
      schema[keyword] === undefined ? true : inner(schema[keyword], value, context);
    return and(
      implies(test, () => branch("then")),
      implies(not(test), () => branch("else")),
    );
  },
  $recursiveRef: unknown,
  disallow: unknown,
  extends: unknown,
};
