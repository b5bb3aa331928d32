/** Argument values that come without JSON's types: the tool's schema says what they are. */
import { parseJson } from "./json-text.ts";

/** Types of each parameter of each tool, as its JSON schema declares them. */
export type ParameterTypes = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

export function parameterTypes(tools: readonly unknown[]): ParameterTypes {
  const types = new Map<string, ReadonlyMap<string, readonly string[]>>();
  for (const tool of tools) {
    const described = record(record(tool)?.["function"]) ?? record(tool);
    const name = described?.["name"];
    const properties = record(record(described?.["parameters"])?.["properties"]);
    if (typeof name !== "string") continue;
    types.set(
      name,
      new Map(Object.entries(properties ?? {}).map(([key, schema]) => [key, declared(schema)])),
    );
  }
  return types;
}

function declared(schema: unknown): readonly string[] {
  const known = record(schema);
  if (known === undefined) return [];
  const type = known["type"];
  if (typeof type === "string") return [type];
  if (Array.isArray(type)) return type.filter((one) => typeof one === "string");
  for (const keyword of ["anyOf", "oneOf"]) {
    const options = known[keyword];
    if (Array.isArray(options)) return options.flatMap(declared);
  }
  const values = known["enum"];
  if (Array.isArray(values))
    return [...new Set(values.map((value) => (value === null ? "null" : typeof value)))];
  return [];
}

/** JSON text of a value written plain; strings where nothing else is declared or fits. */
export function jsonArgument(text: string, types: readonly string[] | undefined): string {
  if (/^null$/i.test(text.trim())) return "null";
  const others = (types ?? []).filter((type) => type !== "string" && type !== "null");
  const trimmed = text.trim();
  for (const type of others) {
    if (type === "boolean" && /^(true|false)$/i.test(trimmed)) return trimmed.toLowerCase();
    const value = parseJson(trimmed);
    if ((type === "integer" || type === "number") && typeof value === "number") return trimmed;
    if ((type === "object" || type === "array") && typeof value === "object" && value !== null)
      return trimmed;
  }
  return JSON.stringify(text);
}

export function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>) // an object by the line above
    : undefined;
}
