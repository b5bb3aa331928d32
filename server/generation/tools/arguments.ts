/** Argument values that come without JSON's types: the tool's schema says what they are. */
import { parseJson } from "./json-text.ts";

/** Types of each parameter of each tool, as its JSON schema declares them. */
export type ParameterTypes = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

export function parameterTypes(tools: readonly unknown[]): ParameterTypes {
  const types = new Map<string, ReadonlyMap<string, readonly string[]>>();
  for (const tool of tools) {
    const described = record(record(tool)?.["function"]) ?? record(tool);
    const name = described?.["name"];
    const root = record(described?.["parameters"]);
    const properties = record(root?.["properties"]);
    if (typeof name !== "string") continue;
    const entries = Object.entries(properties ?? {});
    types.set(name, new Map(entries.map(([key, schema]) => [key, declared(schema, root)])));
  }
  return types;
}

/** References followed at most: a schema may refer to itself. */
const MAX_REFERENCES = 16;

function declared(schema: unknown, root: unknown, followed = 0): readonly string[] {
  const known = record(schema);
  if (known === undefined) return [];
  const { $ref: reference, type } = known;
  if (typeof reference === "string") {
    return followed < MAX_REFERENCES ? declared(target(reference, root), root, followed + 1) : [];
  }
  if (typeof type === "string") return [type];
  if (Array.isArray(type)) return type.filter((one) => typeof one === "string");
  for (const keyword of ["anyOf", "oneOf", "allOf"]) {
    const options = known[keyword];
    if (Array.isArray(options)) return options.flatMap((one) => declared(one, root, followed));
  }
  const values = Array.isArray(known["enum"])
    ? known["enum"]
    : Object.hasOwn(known, "const")
      ? [known["const"]]
      : undefined;
  if (values !== undefined)
    return [...new Set(values.map((value) => (value === null ? "null" : typeof value)))];
  if (record(known["properties"]) !== undefined) return ["object"];
  return known["items"] === undefined ? [] : ["array"];
}

/** What a reference within the schema (`#/$defs/City`) stands for. */
function target(reference: string, root: unknown): unknown {
  if (!reference.startsWith("#")) return undefined;
  const steps = reference
    .slice(1)
    .split("/")
    .filter((step) => step !== "");
  return steps.reduce<unknown>(
    (at, step) =>
      record(at)?.[decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~")],
    root,
  );
}

/** Names that other schema languages have for JSON's types. */
const ALIASES: Readonly<Record<string, string>> = {
  bool: "boolean",
  int: "integer",
  int32: "integer",
  int64: "integer",
  long: "integer",
  float: "number",
  double: "number",
  dict: "object",
  list: "array",
};

/** JSON text of a value written plain, by its declared types; a string where no other fits. */
export function jsonArgument(text: string, types: readonly string[] = []): string {
  const kinds = new Set(types.map((type) => ALIASES[type] ?? type));
  const trimmed = text.trim();
  const value = parseJson(trimmed);
  if (kinds.has("null") && /^null$/i.test(trimmed)) return "null";
  if (kinds.has("integer") && Number.isInteger(value)) return trimmed;
  if (kinds.has("number") && typeof value === "number") return trimmed;
  if (kinds.has("boolean") && /^(true|1)$/i.test(trimmed)) return "true";
  if (kinds.has("boolean") && /^(false|0)$/i.test(trimmed)) return "false";
  const nested = typeof value === "object" && value !== null;
  if (nested && kinds.has(Array.isArray(value) ? "array" : "object")) return trimmed;
  // Of another type than declared: what it is, unless it may be text.
  const other = kinds.size > 0 && !kinds.has("string") && value !== undefined;
  return other ? trimmed : JSON.stringify(text);
}

export function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>) // an object by the line above
    : undefined;
}
