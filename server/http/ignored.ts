/**
 * Fields that no schema names are accepted and ignored, as in vLLM; but the
 * answer says which: `x-trainyard-ignored-fields`. With `--strict` they are
 * refused.
 */
import type { FastifyInstance } from "fastify";
import { type ApiError, badRequest } from "./errors.ts";

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly anyOf?: readonly ObjectSchema[];
}

/** `accepted`: fields that are let pass though they do nothing. */
export function reportIgnored(
  app: FastifyInstance,
  accepted: ReadonlySet<string>,
  strict: boolean,
): void {
  const known = new Map<object, ReadonlySet<string> | undefined>();
  app.addHook("preHandler", (request, reply, done) => {
    const { body, record } = request;
    const schema = record.route?.schema;
    if (schema === undefined || typeof body !== "object" || body === null) {
      done();
      return;
    }
    if (!known.has(schema)) known.set(schema, fieldsOf(schema));
    const fields = known.get(schema);
    const ignored =
      fields === undefined
        ? []
        : Object.keys(body).filter((name) => !(fields.has(name) || accepted.has(name)));
    if (ignored.length === 0) done();
    else if (strict) done(unknown(ignored));
    else {
      record.ignored = ignored.slice(0, 20);
      const names = record.ignored.map((name) => name.replaceAll(/[^\w.-]/g, "?").slice(0, 64));
      reply.header("x-trainyard-ignored-fields", names.join(", "));
      done();
    }
  });
}

/** Undefined: the schema leaves its fields open. */
function fieldsOf(schema: ObjectSchema): ReadonlySet<string> | undefined {
  const shapes = (schema.anyOf ?? [schema]).map(({ properties = {} }) => Object.keys(properties));
  return (shapes[0] ?? []).length === 0 ? undefined : new Set(shapes.flat());
}

function unknown(ignored: readonly string[]): ApiError {
  const named = ignored.slice(0, 20).join(", ");
  return badRequest(`Unknown field(s): ${named}. The server runs with --strict.`, ignored[0]);
}
