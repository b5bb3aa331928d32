/** The fields by which a request asks for structured output, to one specification. */

import type { OutputFields } from "../generation/planner.ts";
import { badRequest } from "../http/errors.ts";
import { isObject, type Schema } from "./schema/flat.ts";
import type { GrammarSpec } from "./spec.ts";

const KINDS = ["json", "regex", "choice", "grammar", "json_object", "structural_tag"] as const;

interface Wanted {
  readonly spec: GrammarSpec;
  /** The field it came from. */
  readonly field: string;
}

/** Undefined: plain text. Throws ApiError naming the field. */
export function structuredSpec(fields: OutputFields): Wanted | undefined {
  const wanted = [
    fromResponseFormat(fields.response_format),
    fromStructured(fields.structured_outputs),
    ...fromGuided(fields),
  ];
  const found = wanted.filter((one) => one !== undefined);
  if (found.length > 1) {
    const names = found.map((one) => `\`${one.field}\``).join(" and ");
    throw badRequest(
      `You can only use one kind of constraints for structured outputs ('json', 'regex' or 'choice'): ${names} were given.`,
      found[1]?.field,
    );
  }
  return found[0];
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

function fromStructured(value: unknown): Wanted | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value))
    throw badRequest("`structured_outputs` must be an object.", "structured_outputs");
  const given = KINDS.filter(
    (kind) => value[kind] !== undefined && value[kind] !== null && value[kind] !== false,
  );
  const [kind, second] = given;
  if (second !== undefined) {
    throw badRequest(
      "You can only use one kind of constraints for structured outputs ('json', 'regex' or 'choice').",
      "structured_outputs",
    );
  }
  if (kind === undefined) {
    throw badRequest(
      `You must use one kind of structured outputs constraint: ${KINDS.join(", ")}.`,
      "structured_outputs",
    );
  }
  if (value["whitespace_pattern"]) {
    throw badRequest(
      "`whitespace_pattern` is not supported; `disable_any_whitespace` is.",
      "structured_outputs.whitespace_pattern",
    );
  }
  const compact = value["disable_any_whitespace"] === true;
  return {
    field: `structured_outputs.${kind}`,
    spec: specOf(kind, value[kind], `structured_outputs.${kind}`, compact),
  };
}

function fromGuided(fields: OutputFields): readonly (Wanted | undefined)[] {
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
      return { kind: "regex", pattern: text(value, field) };
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
        tag: typeof value === "string" ? parsed(value, field) : value,
        compact,
      };
  }
}

function schemaOf(value: unknown, field: string): Schema {
  const schema = typeof value === "string" ? parsed(value, field) : value;
  if (typeof schema === "boolean" || isObject(schema)) return schema;
  throw badRequest(`\`${field}\` must be a JSON schema.`, field);
}

function parsed(value: string, field: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    throw badRequest(`\`${field}\` is not JSON.`, field);
  }
}

function text(value: unknown, field: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw badRequest(`\`${field}\` must be a text that is not empty.`, field);
}
