/**
 * A schema without references and combinators: plain conditions on one value, and
 * how two such sets of conditions become one. `allOf`, siblings of `anyOf` and of
 * `$ref` are all this one merge.
 */
export type Schema = boolean | Readonly<Record<string, unknown>>;
export type Type = "null" | "boolean" | "integer" | "number" | "string" | "array" | "object";

export const TYPES: readonly Type[] = [
  "null",
  "boolean",
  "integer",
  "number",
  "string",
  "array",
  "object",
];

/** Schemas that must all hold; empty: anything. */
export type All = readonly Schema[];

export interface Flat {
  /** Properties that only a schema that must fail speaks of: they count as unevaluated. */
  readonly silent?: ReadonlySet<string>;
  /** Such a schema speaks of items. */
  readonly silentItems?: boolean;
  /** Absent: any. */
  readonly types?: ReadonlySet<Type>;
  /** The value is one of these (enum, const). */
  readonly values?: readonly unknown[];
  readonly numeric: readonly NumericLimit[];
  readonly divisors: readonly number[];
  /** Whole numbers that do not divide it; it is an integer then. */
  readonly indivisible: readonly number[];
  readonly minLength: number;
  readonly maxLength: number;
  readonly patterns: readonly string[];
  readonly formats: readonly string[];
  /** Strings that it is not. */
  readonly without: readonly string[];
  /** Patterns that it does not match. */
  readonly unlike: readonly string[];
  readonly prefix: readonly All[];
  /** Items past the prefix; absent: not said. */
  readonly items?: All;
  readonly minItems: number;
  readonly maxItems: number;
  readonly contains: readonly Contains[];
  readonly properties: ReadonlyMap<string, All>;
  readonly patternProperties: ReadonlyMap<string, All>;
  /** What was said of properties not named; several where schemas were merged. */
  readonly rests: readonly Rest[];
  readonly required: ReadonlySet<string>;
  readonly keys: All;
  readonly minProperties: number;
  readonly maxProperties: number;
}

/** So many items are of the schema. */
export interface Contains {
  readonly schema: Schema;
  readonly min: number;
  readonly max: number;
}

/** `additionalProperties` and its like: of all names but these, and but those that match. */
export interface Rest {
  readonly names: ReadonlySet<string>;
  readonly patterns: readonly string[];
  readonly schemas: All;
}

export interface NumericLimit {
  readonly kind: "min" | "max";
  readonly value: number;
  readonly open: boolean;
}

export const ANYTHING: Flat = {
  numeric: [],
  divisors: [],
  indivisible: [],
  minLength: 0,
  maxLength: Number.POSITIVE_INFINITY,
  patterns: [],
  formats: [],
  without: [],
  unlike: [],
  prefix: [],
  minItems: 0,
  maxItems: Number.POSITIVE_INFINITY,
  contains: [],
  properties: new Map(),
  patternProperties: new Map(),
  rests: [],
  required: new Set(),
  keys: [],
  minProperties: 0,
  maxProperties: Number.POSITIVE_INFINITY,
};

/** Undefined: nothing satisfies both. */
export function mergeFlat(a: Flat, b: Flat): Flat | undefined {
  const types =
    a.types === undefined || b.types === undefined
      ? (a.types ?? b.types)
      : commonTypes(a.types, b.types);
  if (types?.size === 0) return undefined;
  const values =
    a.values === undefined || b.values === undefined
      ? (a.values ?? b.values)
      : a.values.filter((value) => b.values?.some((other) => sameValue(value, other)));
  if (values?.length === 0) return undefined;
  const items = both(a.items, b.items);
  return {
    ...silence(a, b),
    ...(types !== undefined && { types }),
    ...(values !== undefined && { values }),
    numeric: [...a.numeric, ...b.numeric],
    divisors: [...a.divisors, ...b.divisors],
    indivisible: [...a.indivisible, ...b.indivisible],
    minLength: Math.max(a.minLength, b.minLength),
    maxLength: Math.min(a.maxLength, b.maxLength),
    patterns: [...new Set([...a.patterns, ...b.patterns])],
    formats: [...new Set([...a.formats, ...b.formats])],
    without: [...new Set([...a.without, ...b.without])],
    unlike: [...new Set([...a.unlike, ...b.unlike])],
    prefix: Array.from({ length: Math.max(a.prefix.length, b.prefix.length) }, (_, i) => [
      ...(a.prefix[i] ?? a.items ?? []),
      ...(b.prefix[i] ?? b.items ?? []),
    ]),
    ...(items !== undefined && { items }),
    minItems: Math.max(a.minItems, b.minItems),
    maxItems: Math.min(a.maxItems, b.maxItems),
    contains: [...new Set([...a.contains, ...b.contains])],
    properties: joined(a.properties, b.properties),
    patternProperties: joined(a.patternProperties, b.patternProperties),
    rests: [...new Set([...a.rests, ...b.rests])],
    required: new Set([...a.required, ...b.required]),
    keys: [...a.keys, ...b.keys],
    minProperties: Math.max(a.minProperties, b.minProperties),
    maxProperties: Math.min(a.maxProperties, b.maxProperties),
  };
}

/** A name is silent as long as no schema that holds speaks of it. */
function silence(a: Flat, b: Flat): Pick<Flat, "silent" | "silentItems"> {
  const left = (one: Flat, other: Flat): string[] =>
    [...(one.silent ?? [])].filter(
      (name) => !other.properties.has(name) || other.silent?.has(name) === true,
    );
  const silent = new Set([...left(a, b), ...left(b, a)]);
  return {
    ...(silent.size > 0 && { silent }),
    ...((a.silentItems || b.silentItems) && { silentItems: true }),
  };
}

function joined(
  a: ReadonlyMap<string, All>,
  b: ReadonlyMap<string, All>,
): ReadonlyMap<string, All> {
  if (a.size === 0 || b.size === 0) return a.size === 0 ? b : a;
  const all = new Map(a);
  for (const [name, schemas] of b) all.set(name, [...(a.get(name) ?? []), ...schemas]);
  return all;
}

function both(a: All | undefined, b: All | undefined): All | undefined {
  return a === undefined || b === undefined ? (a ?? b) : [...a, ...b];
}

function commonTypes(a: ReadonlySet<Type>, b: ReadonlySet<Type>): ReadonlySet<Type> {
  const common = new Set<Type>();
  for (const type of a) {
    if (b.has(type)) common.add(type);
    else if (type === "integer" && b.has("number")) common.add("integer");
    else if (type === "number" && b.has("integer")) common.add("integer");
  }
  return common;
}

export function sameValue(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

/** JSON with sorted keys: equal values have equal texts. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([x], [y]) => (x < y ? -1 : 1)))
      : inner,
  );
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function typeOf(value: unknown): Type {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  if (typeof value === "boolean") return "boolean";
  return typeof value === "string" ? "string" : "object";
}
