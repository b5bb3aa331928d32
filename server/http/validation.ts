/**
 * Shape errors, printed as vLLM prints pydantic's:
 *
 *     1 validation error:
 *       {'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field required', 'input': {...}}
 *
 * One error is reported, the first: a long list of bad messages must not cost
 * memory. Types are as lax as pydantic's: "5" and 5.0 are integers, "true" is a boolean.
 */
import { Ajv, type ErrorObject } from "ajv";
import { ApiError } from "./errors.ts";

const ajv = new Ajv({ allErrors: false, strict: false, verbose: true, useDefaults: false });

/** A check of bodies: the error, or nothing. Scalars are changed in place to what was read. */
export function shapeCheck(schema: object): (body: unknown) => ApiError | undefined {
  const valid = ajv.compile(schema);
  return (body) => {
    if (body === null || body === undefined) return missingBody();
    relax(schema, body);
    return valid(body) ? undefined : shapeError(valid.errors ?? [], "body");
  };
}

interface ShapeSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, ShapeSchema>>;
  readonly anyOf?: readonly ShapeSchema[];
}

const TRUE: ReadonlySet<unknown> = new Set([1, "1", "true", "t", "yes", "y", "on"]);
const FALSE: ReadonlySet<unknown> = new Set([0, "0", "false", "f", "no", "n", "off"]);

/** The value as pydantic would read it for the schema; fields of objects are changed in place. */
function relax(schema: ShapeSchema, value: unknown): unknown {
  if (schema.anyOf !== undefined) {
    if (schema.anyOf.some(({ type }) => type === typeof value)) return value;
    return schema.anyOf.reduce(
      (read, branch) => (read === value ? relax(branch, value) : read),
      value,
    );
  }
  const { type, properties } = schema;
  if (type === "integer" || type === "number") {
    if (typeof value === "boolean") return Number(value);
    const form =
      type === "integer" ? /^\s*[+-]?\d+(\.0*)?\s*$/ : /^\s*[+-]?[\d.]+(e[+-]?\d+)?\s*$/i;
    return typeof value === "string" && form.test(value) ? Number(value) : value;
  }
  if (type === "boolean") {
    const read = typeof value === "string" ? value.toLowerCase() : value;
    return TRUE.has(read) ? true : FALSE.has(read) ? false : value;
  }
  if (properties !== undefined && isObject(value)) {
    for (const [name, field] of Object.entries(value)) {
      const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (known !== undefined) value[name] = relax(known, field);
    }
  }
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Characters of the offending input that are shown. */
const SHOWN = 400;

function shapeError(errors: readonly ErrorObject[], where: string): ApiError {
  // A union reports each branch and then itself; the deepest complaint is the most telling,
  // of equals the one about a value of the right type.
  const telling = errors
    .filter((error) => error.keyword !== "anyOf" && !saysNull(error))
    .reduce<ErrorObject | undefined>(
      (best, error) => (best === undefined || weight(error) > weight(best) ? error : best),
      undefined,
    );
  const error = telling ?? errors[0];
  if (error === undefined) return new ApiError("invalid", "Invalid request.");
  const path = error.instancePath.split("/").slice(1).map(unescapePointer);
  if (error.keyword === "required") path.push(String(error.params["missingProperty"]));
  const { type, message } = describe(error);
  const location = [where, ...path].map((part) => (/^\d+$/.test(part) ? part : python(part)));
  const input = shorten(python(error.data));
  const tuple = location.length === 1 ? `(${location[0]},)` : `(${location.join(", ")})`;
  return new ApiError(
    "invalid",
    `1 validation error:\n  {'type': '${type}', 'loc': ${tuple}, 'msg': ${python(message)}, 'input': ${input}}`,
    { param: [where, ...path].join(".") },
  );
}

function missingBody(): ApiError {
  return new ApiError(
    "invalid",
    "1 validation error:\n  {'type': 'missing', 'loc': ('body',), 'msg': 'Field required', 'input': None}",
    { param: "body" },
  );
}

/** The body is no JSON. */
export function jsonError(text: string, cause: Error): ApiError {
  // Where the text broke off; an unexpected end has no position.
  const position = /position (\d+)/.exec(cause.message)?.[1] ?? String(text.length);
  return new ApiError(
    "invalid",
    `1 validation error:\n  {'type': 'json_invalid', 'loc': ('body', ${position}), 'msg': 'JSON decode error', 'input': {}, 'ctx': {'error': ${python(cause.message)}}}`,
    { param: `body.${position}`, cause },
  );
}

function saysNull(error: ErrorObject): boolean {
  return error.keyword === "type" && error.params["type"] === "null";
}

function weight({ instancePath, keyword }: ErrorObject): number {
  const depth = instancePath.split("/").length + (keyword === "required" ? 1 : 0);
  return depth + (keyword === "type" ? 0 : 0.5);
}

function describe(error: ErrorObject): { readonly type: string; readonly message: string } {
  switch (error.keyword) {
    case "required":
      return { type: "missing", message: "Field required" };
    case "type":
      return error.instancePath === ""
        ? NO_OBJECT
        : describeType(String(error.params["type"]), error.data);
    case "const":
    case "enum":
      return { type: "literal_error", message: `Input should be ${python(error.schema)}` };
    case "minimum":
      return {
        type: "greater_than_equal",
        message: `Input should be greater than or equal to ${error.params["limit"]}`,
      };
    case "maximum":
      return {
        type: "less_than_equal",
        message: `Input should be less than or equal to ${error.params["limit"]}`,
      };
    case "maxItems":
      return {
        type: "too_long",
        message: `List should have at most ${error.params["limit"]} items after validation, not ${Array.isArray(error.data) ? error.data.length : "more"}`,
      };
    case "minLength":
      return {
        type: "string_too_short",
        message: `String should have at least ${error.params["limit"]} character`,
      };
    default:
      return { type: "value_error", message: error.message ?? "Invalid value" };
  }
}

/** The body itself. */
const NO_OBJECT = {
  type: "model_attributes_type",
  message: "Input should be a valid dictionary or object to extract fields from",
};

function describeType(type: string, data: unknown) {
  switch (type) {
    case "integer":
      if (typeof data === "string") {
        return {
          type: "int_parsing",
          message: "Input should be a valid integer, unable to parse string as an integer",
        };
      }
      return typeof data === "number"
        ? {
            type: "int_from_float",
            message: "Input should be a valid integer, got a number with a fractional part",
          }
        : { type: "int_type", message: "Input should be a valid integer" };
    case "number":
      return typeof data === "string"
        ? {
            type: "float_parsing",
            message: "Input should be a valid number, unable to parse string as a number",
          }
        : { type: "float_type", message: "Input should be a valid number" };
    case "boolean":
      return { type: "bool_type", message: "Input should be a valid boolean" };
    case "array":
      return { type: "list_type", message: "Input should be a valid list" };
    case "object":
      return { type: "dict_type", message: "Input should be a valid dictionary" };
    default:
      return { type: "string_type", message: "Input should be a valid string" };
  }
}

/** A JSON value in Python's spelling; deep or long ones are cut. */
function python(value: unknown, level = 0): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "string") return pythonString(value.slice(0, SHOWN));
  if (typeof value !== "object") return String(value);
  if (level > 3) return "...";
  if (Array.isArray(value)) {
    return `[${value
      .slice(0, 20)
      .map((item) => python(item, level + 1))
      .join(", ")}]`;
  }
  const items = Object.entries(value)
    .slice(0, 20)
    .map(([key, item]) => `${pythonString(key.slice(0, SHOWN))}: ${python(item, level + 1)}`);
  return `{${items.join(", ")}}`;
}

function pythonString(text: string): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return escaped.includes("'") && !escaped.includes('"')
    ? `"${escaped}"`
    : `'${escaped.replaceAll("'", "\\'")}'`;
}

function shorten(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}...`;
}

function unescapePointer(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}
