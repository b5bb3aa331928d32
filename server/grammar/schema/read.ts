/**
 * The keywords of one schema object to plain conditions. What cannot be enforced is
 * refused here, by name; keywords that JSON schema calls annotations, and unknown
 * ones, mean nothing and are passed over.
 */
import { GrammarError } from "../grammar.ts";
import {
  type All,
  ANYTHING,
  type Flat,
  isObject,
  type NumericLimit,
  type Schema,
  TYPES,
  type Type,
} from "./flat.ts";
import { INDIVISIBLE, UNLIKE, WITHOUT } from "./negate.ts";

/** Keywords of drafts that nobody writes any more. */
const REFUSED: readonly string[] = ["$recursiveRef", "disallow", "extends"];

type Keywords = Readonly<Record<string, unknown>>;

export function unsupported(keyword: string, why = ""): GrammarError {
  return new GrammarError(`the keyword "${keyword}" is not supported${why}`);
}

export function asSchema(value: unknown, keyword: string): Schema {
  if (typeof value === "boolean" || isObject(value)) return value;
  throw new GrammarError(`"${keyword}" must be a schema: an object or a boolean`);
}

export function schemaList(value: unknown, keyword: string): readonly Schema[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new GrammarError(`"${keyword}" must be a list of schemas that is not empty`);
  }
  return value.map((item: unknown) => asSchema(item, keyword));
}

/** The conditions beside `$ref`, `allOf`, `anyOf` and `oneOf`. */
export function readFlat(schema: Keywords): Flat {
  refuse(schema);
  const types = readTypes(schema["type"], schema["nullable"] === true);
  const values = readValues(schema);
  const numeric = readNumeric(schema);
  const divisor = number(schema, "multipleOf");
  const indivisible = number(schema, INDIVISIBLE);
  const format = schema["format"];
  const pattern = schema["pattern"];
  if (pattern !== undefined && typeof pattern !== "string") throw wrongType("pattern", "a string");
  const items = readItems(schema);
  const properties = schemaMap(schema, "properties");
  const patternProperties = schemaMap(schema, "patternProperties");
  const additional = schema["additionalProperties"];
  const names = schema["propertyNames"];
  return {
    ...ANYTHING,
    indivisible: indivisible === undefined ? [] : [indivisible],
    ...(types !== undefined && { types }),
    ...(values !== undefined && { values }),
    numeric,
    divisors: divisor === undefined ? [] : [divisor],
    minLength: count(schema, "minLength") ?? 0,
    maxLength: count(schema, "maxLength") ?? Number.POSITIVE_INFINITY,
    patterns: [...(pattern === undefined ? [] : [pattern]), ...readEncoding(schema)],
    formats: typeof format === "string" ? [format] : [],
    without: texts(schema[WITHOUT]),
    unlike: texts(schema[UNLIKE]),
    ...items,
    minItems: count(schema, "minItems") ?? 0,
    maxItems: count(schema, "maxItems") ?? Number.POSITIVE_INFINITY,
    contains: readContains(schema),
    properties,
    patternProperties,
    rests:
      additional === undefined
        ? []
        : [
            {
              names: new Set(properties.keys()),
              patterns: [...patternProperties.keys()],
              schemas: all(asSchema(additional, "additionalProperties")),
            },
          ],
    required: readRequired(schema["required"]),
    keys: names === undefined ? [] : all(asSchema(names, "propertyNames")),
    minProperties: count(schema, "minProperties") ?? 0,
    maxProperties: count(schema, "maxProperties") ?? Number.POSITIVE_INFINITY,
  };
}

const all = (schema: Schema): All => (schema === true ? [] : [schema]);

function refuse(schema: Keywords): void {
  for (const keyword of REFUSED) {
    if (schema[keyword] !== undefined) throw unsupported(keyword);
  }
  if (schema["uniqueItems"] === true && !((count(schema, "maxItems") ?? 2) <= 1))
    throw unsupported("uniqueItems");
}

/** Draft 7 lets a string be checked for what it encodes; later drafts only annotate. */
function readEncoding(schema: Keywords): readonly string[] {
  if (schema["contentMediaType"] === "application/json") {
    throw unsupported("contentMediaType", ' for "application/json"');
  }
  const base64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$";
  return schema["contentEncoding"] === "base64" ? [base64] : [];
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === "string") : [];
}

function readTypes(value: unknown, nullable: boolean): ReadonlySet<Type> | undefined {
  if (value === undefined) return undefined;
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const types = new Set<Type>();
  for (const item of list) {
    const type = TYPES.find((known) => known === item);
    if (type === undefined) throw new GrammarError(`the type ${JSON.stringify(item)} is unknown`);
    types.add(type);
  }
  if (types.size === 0) throw wrongType("type", "a type or a list of types");
  if (types.has("number")) types.delete("integer");
  if (nullable) types.add("null");
  return types;
}

/** What `enum` and `const` list. */
export function readValues(schema: Keywords): readonly unknown[] | undefined {
  const list = schema["enum"];
  if (list !== undefined && (!Array.isArray(list) || list.length === 0)) {
    throw wrongType("enum", "a list that is not empty");
  }
  const only = "const" in schema ? [schema["const"]] : undefined;
  const values = only ?? (list as readonly unknown[] | undefined);
  const rounded = values?.find((value) => Number.isInteger(value) && !Number.isSafeInteger(value));
  if (rounded !== undefined) {
    const keyword = only === undefined ? "enum" : "const";
    throw unsupported(keyword, ` for integers beyond 2^53, such as about ${rounded}`);
  }
  if (only === undefined || list === undefined) return values;
  const text = JSON.stringify(only[0]);
  return (list as readonly unknown[]).filter((item) => JSON.stringify(item) === text);
}

function readNumeric(schema: Keywords): readonly NumericLimit[] {
  const limits: NumericLimit[] = [];
  for (const kind of ["min", "max"] as const) {
    const plain = number(schema, `${kind}imum`);
    const name = `exclusive${kind === "min" ? "Min" : "Max"}imum`;
    // Draft 4 has a flag here, later drafts a bound of its own.
    const flag = schema[name];
    const open = typeof flag === "boolean" ? undefined : number(schema, name);
    if (plain !== undefined) limits.push({ kind, value: plain, open: flag === true });
    if (open !== undefined) limits.push({ kind, value: open, open: true });
  }
  return limits;
}

function readItems(schema: Keywords): Pick<Flat, "prefix" | "items"> {
  const tuple =
    schema["prefixItems"] ?? (Array.isArray(schema["items"]) ? schema["items"] : undefined);
  const rest = Array.isArray(schema["items"]) ? schema["additionalItems"] : schema["items"];
  const prefix =
    tuple === undefined || (Array.isArray(tuple) && tuple.length === 0)
      ? []
      : schemaList(tuple, "prefixItems").map(all);
  if (rest === undefined) return { prefix };
  return { prefix, items: all(asSchema(rest, "items")) };
}

function readContains(schema: Keywords): Flat["contains"] {
  if (schema["contains"] === undefined) return [];
  const min = count(schema, "minContains") ?? 1;
  const max = count(schema, "maxContains") ?? Number.POSITIVE_INFINITY;
  if (min === 0 && max === Number.POSITIVE_INFINITY) return [];
  return [{ schema: asSchema(schema["contains"], "contains"), min, max }];
}

function readRequired(value: unknown): ReadonlySet<string> {
  if (value === undefined || typeof value === "boolean") return new Set();
  if (!Array.isArray(value) || !value.every((name) => typeof name === "string")) {
    throw wrongType("required", "a list of names");
  }
  return new Set(value as readonly string[]);
}

function schemaMap(schema: Keywords, keyword: string): ReadonlyMap<string, All> {
  const value = schema[keyword];
  if (value === undefined) return new Map();
  if (!isObject(value)) throw wrongType(keyword, "an object");
  return new Map(
    Object.entries(value).map(([name, inner]) => [name, all(asSchema(inner, keyword))]),
  );
}

function number(schema: Keywords, keyword: string): number | undefined {
  const value = schema[keyword];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value)) throw wrongType(keyword, "a number");
  return value;
}

function count(schema: Keywords, keyword: string): number | undefined {
  const value = number(schema, keyword);
  if (value !== undefined && (!Number.isInteger(value) || value < 0)) {
    throw wrongType(keyword, "a whole number that is not negative");
  }
  return value;
}

function wrongType(keyword: string, expected: string): GrammarError {
  return new GrammarError(`"${keyword}" must be ${expected}`);
}
