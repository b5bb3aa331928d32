/** The fields by which a request asks for structured output, to one specification. */

import { badRequest } from "../http/errors.ts";
import { pyRepr } from "../http/shape/python.ts";
import { isObject, type Schema } from "./schema/flat.ts";
import type { GrammarSpec } from "./spec.ts";

/** Of a request: shapes are checked by the route's schema. */
export interface ConstraintFields {
  readonly response_format?: unknown;
  readonly structured_outputs?: unknown;
  readonly guided_json?: unknown;
  readonly guided_regex?: unknown;
  readonly guided_choice?: unknown;
  readonly guided_grammar?: unknown;
  readonly guided_json_object?: unknown;
}

const KINDS = ["json", "regex", "choice", "grammar", "json_object", "structural_tag"] as const;

interface Wanted {
  readonly spec: GrammarSpec;
  /** The field it came from. */
  readonly field: string;
}

/** Undefined: plain text. Throws ApiError naming the field. */
export function structuredSpec(fields: ConstraintFields): Wanted | undefined {
  const wanted = [
    fromResponseFormat(fields.response_format),
    fromStructured(fields.structured_outputs),
    ...fromGuided(fields),
  ];
  const found = wanted.filter((one) => one !== undefined);
  if (found.length > 1) {
    // vLLM writes the response format over the constraint, and then finds two.
    const both = { ...overrides(fields.response_format), ...record(fields.structured_outputs) };
    if (Object.keys(both).length > 0) oneConstraint(both);
    const names = found.map((one) => `\`${one.field}\``).join(" and ");
    throw badRequest(
      `You can only use one kind of constraints for structured outputs: ${names} were given.`,
      found[1]?.field,
    );
  }
  return found[0];
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}

function overrides(format: unknown): Readonly<Record<string, unknown>> {
  const { type, json_schema: described } = record(format);
  if (type === "json_object") return { json_object: true };
  if (type === "json_schema") return { json: record(described)["schema"] };
  return {};
}

function fromResponseFormat(value: unknown): Wanted | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw badRequest("`response_format` must be an object.", "response_format");
  const field = "response_format";
  switch (value["type"]) {
    case "text":
      return undefined;
    case "json_object":
      return { field, spec: { kind: "object", compact: false } };
    case "json_schema": {
      const described = value["json_schema"];
      if (!isObject(described))
        throw badRequest(
          "`response_format.json_schema` must be an object with a `schema`.",
          "response_format.json_schema",
        );
      const schema = described["schema"] ?? described["json_schema"];
      if ((schema ?? null) === null) oneConstraint({});
      return {
        field,
        spec: {
          kind: "json",
          schema: schemaOf(schema, "response_format.json_schema.schema"),
          compact: false,
        },
      };
    }
    case "structural_tag":
      return { field, spec: { kind: "tag", tag: value, compact: false } };
    default:
      throw badRequest(
        `Invalid value for \`response_format.type\`: ${JSON.stringify(value["type"])}. Expected text, json_object, json_schema or structural_tag.`,
        "response_format.type",
      );
  }
}

/** All fields of the constraint as Python prints the object. */
function shown(given: Readonly<Record<string, unknown>>): string {
  const of = (name: string, otherwise: unknown = null) => given[name] ?? otherwise;
  return pyRepr({
    json: of("json"),
    regex: of("regex"),
    choice: of("choice"),
    grammar: of("grammar"),
    json_object: of("json_object"),
    disable_any_whitespace: of("disable_any_whitespace", false),
    disable_additional_properties: of("disable_additional_properties", false),
    whitespace_pattern: of("whitespace_pattern"),
    structural_tag: of("structural_tag"),
    _backend: null,
    _backend_was_auto: false,
  });
}

/** Throws unless just one kind of constraint is given. */
export function oneConstraint(value: unknown): void {
  const given = value as Readonly<Record<string, unknown>>; // the schema has seen to it
  const count = KINDS.filter((kind) => (given[kind] ?? null) !== null).length;
  if (count === 1) return;
  const how = count > 1 ? "multiple are" : "none are";
  throw badRequest(
    `You ${count > 1 ? "can only" : "must"} use one kind of structured outputs constraint but ${how} specified: ${shown(given)}`,
  );
}

function fromStructured(value: unknown): Wanted | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) {
    throw badRequest("`structured_outputs` must be an object.", "structured_outputs");
  }
  oneConstraint(value);
  checkConstraint(value);
  const kind = KINDS.find((one) => (value[one] ?? null) !== null);
  if (kind === undefined) return undefined;
  const compact = value["disable_any_whitespace"] === true;
  return {
    field: `structured_outputs.${kind}`,
    spec: specOf(kind, value[kind], `structured_outputs.${kind}`, compact),
  };
}

/** What vLLM refuses before it looks closer. */
function checkConstraint(given: Readonly<Record<string, unknown>>): void {
  const { choice, regex, structural_tag: tag } = given;
  if (Array.isArray(choice) && choice.length === 0) {
    throw badRequest("Choice '[]' cannot be an empty list");
  }
  if (isBlank(tag)) throw invalidTag("structured_outputs");
  for (const name of ["grammar", "json"] as const) {
    if (isBlank(given[name])) {
      throw badRequest(`structured_outputs.${name} cannot be an empty string`);
    }
  }
  if (given["json_object"] === false) {
    throw badRequest(
      "structured_outputs.json_object must be True if set; omit structured_outputs to disable structured outputs",
    );
  }
  if (typeof regex === "string" && regex.includes("\0")) {
    throw badRequest("structured_outputs.regex must not contain a NUL character ('\\x00')");
  }
}

function isBlank(value: unknown): boolean {
  return typeof value === "string" && value.trim() === "";
}

function invalidTag(field: string) {
  return badRequest(`Invalid ${field} structural_tag specification.`, field);
}

function fromGuided(fields: ConstraintFields): readonly (Wanted | undefined)[] {
  return (["json", "regex", "choice", "grammar", "json_object"] as const).map((kind) => {
    const field = `guided_${kind}` as const;
    const value = fields[field];
    if (value === undefined || value === null || value === false) return undefined;
    return { field, spec: specOf(kind, value, field, false) };
  });
}

function specOf(
  kind: (typeof KINDS)[number],
  value: unknown,
  field: string,
  compact: boolean,
): GrammarSpec {
  switch (kind) {
    case "json":
      return { kind: "json", schema: schemaOf(value, field), compact };
    case "json_object":
      return { kind: "object", compact };
    case "regex":
      return { kind: "regex", pattern: String(value) };
    case "grammar":
      return { kind: "grammar", text: text(value, field) };
    case "choice":
      if (
        !Array.isArray(value) ||
        value.length === 0 ||
        !value.every((one) => typeof one === "string")
      ) {
        throw badRequest(`\`${field}\` must be a list of texts that is not empty.`, field);
      }
      return { kind: "choice", options: value };
    case "structural_tag":
      return {
        kind: "tag",
        tag:
          typeof value === "string"
            ? parsed(value, field, () => invalidTag("structured_outputs"))
            : value,
        compact,
      };
  }
}

function schemaOf(value: unknown, field: string): Schema {
  const broken = () => badRequest("Invalid JSON grammar specification.");
  const schema = typeof value === "string" ? parsed(value, field, broken) : value;
  if (typeof schema === "boolean" || isObject(schema)) return schema;
  throw badRequest(`\`${field}\` must be a JSON schema.`);
}

/** Characters of a schema or a tag that is written as text; what is made of them may have half as many. */
const MOST_TEXT = 2 ** 20;

function parsed(value: string, field: string, broken: () => Error): unknown {
  if (value.length > MOST_TEXT) {
    throw badRequest(
      `A schema written as text has ${value.length} characters; at most ${MOST_TEXT} are read.`,
      field,
    );
  }
  try {
    return JSON.parse(value);
  } catch {
    throw broken();
  }
}

function text(value: unknown, field: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw badRequest(`\`${field}\` must be a text that is not empty.`, field);
}
