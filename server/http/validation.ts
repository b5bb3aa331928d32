/**
 * The shapes of bodies: one check of a route's schema, with vLLM's answer where
 * it fails. Lists that are checked as they are read keep their check beside them.
 */
import { isAscii } from "node:buffer";
import type { Static, TSchema } from "typebox";
import { decoded, encodingOf } from "./encoding.ts";
import { ApiError } from "./errors.ts";
import { compile } from "./shape/check.ts";
import { bodyErrors, type Complaint, Complaints, pydanticText } from "./shape/complaint.ts";
import { JsonError, PythonLimit, readJson } from "./shape/json.ts";
import { isObject, PyValueError } from "./shape/python.ts";
import { type Check, CheckState, FAIL, type ShapeSchema } from "./shape/schema.ts";

/** Sees a body before its fields are looked at; throws ApiError. */
export type BodyCheck = (body: Readonly<Record<string, unknown>>) => void;

/** Sees what was read of a body; the complaints are answered as the fields' own. */
export type ReadCheck = (body: unknown) => Complaints | undefined;

const BODY_CHECKS = Symbol("checks of a body");

interface BodyChecks {
  readonly before: readonly BodyCheck[];
  readonly after?: ReadCheck;
}

/** Adds checks that vLLM makes of a raw body, in their order, and of what was read. */
export function withBodyChecks<T extends object>(
  schema: T,
  before: readonly BodyCheck[],
  after?: ReadCheck,
): T {
  const checks: BodyChecks = { before, ...(after !== undefined && { after }) };
  return Object.assign(schema, { [BODY_CHECKS]: checks });
}

export type Checked = { readonly value: unknown } | { readonly error: ApiError };

/** A check of bodies: what was read, or the error. */
export function shapeCheck(schema: object): (body: unknown) => Checked {
  const check = compile(schema as ShapeSchema); // TypeBox schemas are JSON schemas
  const { before, after } = (schema as { readonly [BODY_CHECKS]?: BodyChecks })[BODY_CHECKS] ?? {
    before: [],
  };
  return (body) => {
    if (body === null || body === undefined) return { error: missingBody() };
    try {
      if (typeof body === "object" && !Array.isArray(body)) {
        for (const one of before) one(body as Readonly<Record<string, unknown>>); // no list, not null
      }
      const state = new CheckState();
      const value = check(body, state);
      const checked = value === FAIL ? explained(check, body) : { value: keepLazy(state, value) };
      const complaints = "value" in checked ? after?.(checked.value) : undefined;
      return complaints === undefined ? checked : { error: shapeError(complaints) };
    } catch (error) {
      if (error instanceof ApiError) return { error };
      throw error;
    }
  };
}

/**
 * A complaint that no schema can make, as the schemas' own are answered; `path` is where,
 * without "body". Absent a type it is what pydantic says of a validator's ValueError.
 */
export function invalidShape(
  path: readonly (string | number)[],
  message: string,
  { type = "value_error", ...more }: Partial<Omit<Complaint, "path" | "message">> = {},
): ApiError {
  const complaints = new Complaints();
  complaints.path.push(...path);
  const raised = type === "value_error" && { context: { error: new PyValueError(message) } };
  const said = raised ? `Value error, ${message}` : message;
  complaints.add({ type, message: said, input: null, ...raised, ...more });
  return shapeError(complaints);
}

/** What a query asks, read by a schema of its fields; throws ApiError. */
export function readQuery<T extends TSchema>(schema: T, query: unknown): Static<T> {
  const check = compile(schema as ShapeSchema); // TypeBox schemas are JSON schemas
  const complaints = new Complaints();
  const read = check(query, new CheckState(complaints));
  if (read !== FAIL) return read as Static<T>; // by the check
  const { message, param } = bodyErrors(complaints, "query");
  throw new ApiError("invalid", message, { param });
}

/** Of routes that read their JSON by themselves: where it broke off, in their words. */
export function jsonDetail(error: Error): never {
  const { cause } = error;
  if (!(cause instanceof JsonError)) throw error;
  throw new ApiError("invalid", `JSON decode error: ${cause.message}: ${cause.place}`);
}

/** Whether a value has a schema's shape, no questions asked. */
export function fits(schema: object): (value: unknown) => boolean {
  const check = compile(schema as ShapeSchema); // TypeBox schemas are JSON schemas
  return (value) => check(value, new CheckState()) !== FAIL;
}

const texts = new WeakMap<object, string>();

/** A body as it was written, before its check; undefined: it was large, and parsed in a thread. */
export function bodyText(body: unknown): string | undefined {
  return typeof body === "object" && body !== null ? texts.get(body) : undefined;
}

/** The body's text is kept until its check has ended, to quote numbers as they were written. */
function explained(check: Check, body: unknown): Checked {
  const text = bodyText(body);
  const exact = text === undefined ? body : withAdded(readAsPython(text, true), body);
  const state = new CheckState(new Complaints());
  const value = check(exact, state);
  const { complaints } = state;
  if (value !== FAIL || complaints === undefined) {
    const again = new CheckState();
    again.anyWidth = true;
    return { value: withExact(keepLazy(again, check(body, again)), value) };
  }
  return { error: shapeError(complaints) };
}

/** What checks of a body added to it: errors count its fields. */
function withAdded(exact: unknown, body: unknown): unknown {
  return isObject(exact) && isObject(body) ? { ...body, ...exact } : exact;
}

/** The value, with the integers that are exact in what was read of the digits. */
function withExact(value: unknown, read: unknown): unknown {
  if (typeof read === "bigint") return read;
  if (!isObject(value) || !isObject(read)) return value;
  let out = value;
  for (const [name, item] of Object.entries(read)) {
    const exact = withExact(value[name], item);
    if (!Object.is(exact, value[name])) out = { ...out, [name]: exact };
  }
  return out;
}

function shapeError(complaints: Complaints, cause?: Error): ApiError {
  const { message, param } = bodyErrors(complaints);
  return new ApiError("invalid", message, { param, cause });
}

const lazyChecks = new WeakMap<object, Check>();

function keepLazy(state: CheckState, value: unknown): unknown {
  for (const [items, check] of state.lazy) lazyChecks.set(items, check);
  return value;
}

/** What is wrong with the first bad item of a list that was left until it is read. */
export function itemComplaints(items: readonly unknown[]): Complaints | undefined {
  const check = lazyChecks.get(items);
  if (check === undefined) return undefined;
  const index = items.findIndex((item) => check(item, new CheckState()) === FAIL);
  if (index < 0) return undefined;
  const complaints = new Complaints(100);
  complaints.path.push(index);
  check(items[index], new CheckState(complaints));
  return complaints;
}

/** Throws ApiError in pydantic's own words for the first bad item of such a list. */
export function checkItems(items: readonly unknown[]): void {
  const complaints = itemComplaints(items);
  if (complaints === undefined) return;
  throw new ApiError("bad-request", pydanticText(complaints, "ValidatorIterator"));
}

function missingBody(): ApiError {
  const complaints = new Complaints();
  complaints.add({ type: "missing", message: "Field required", input: null });
  return shapeError(complaints);
}

/** The body of JSON, its encoding found as Python finds it; throws ApiError in Python's words. */
export function parseBytes(bytes: Uint8Array): unknown {
  const encoding = encodingOf(bytes);
  if (encoding === "utf-8" && bytes instanceof Buffer && isAscii(bytes)) {
    return parseBody(bytes.toString("latin1"));
  }
  const text = decoded(bytes, encoding);
  if (text === undefined) throw unparsed();
  return parseBody(text);
}

const unparsed = (): ApiError => new ApiError("unparsed", "There was an error parsing the body");

/** The body of a JSON text; throws ApiError in Python's words. */
export function parseBody(text: string): unknown {
  if (text === "") return undefined;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = readAsPython(text, false);
  }
  if (typeof body === "object" && body !== null) texts.set(body, text);
  return body;
}

function readAsPython(text: string, exact: boolean): unknown {
  try {
    return readJson(text, exact);
  } catch (error) {
    if (error instanceof PythonLimit) throw unparsed();
    if (!(error instanceof JsonError)) throw error;
    const complaints = new Complaints();
    complaints.path.push(error.position);
    const context = { error: error.message };
    complaints.add({ type: "json_invalid", message: "JSON decode error", input: {}, context });
    throw shapeError(complaints, error);
  }
}
