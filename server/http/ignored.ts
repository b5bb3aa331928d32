/**
 * Fields that no schema names are accepted and ignored, as in vLLM; but the
 * answer says which: `x-trainyard-ignored-fields`. With `--strict` they are
 * refused.
 */
import type { FastifyInstance } from "fastify";
import { badRequest } from "./errors.ts";

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
  app.addHook("preHandler", async (request, reply) => {
    const schema = request.routeOptions.schema?.body as ObjectSchema | undefined; // ours are objects
    const { body } = request;
    if (schema === undefined || typeof body !== "object" || body === null) return;
    const known = (schema.anyOf ?? [schema]).flatMap(({ properties = {} }) => [properties]);
    if (Object.keys(known[0] ?? {}).length === 0) return;
    const ignored = Object.keys(body).filter(
      (name) =>
        !(known.some((properties) => Object.hasOwn(properties, name)) || accepted.has(name)),
    );
    if (ignored.length === 0) return;
    if (strict) {
      throw badRequest(
        `Unknown field(s): ${ignored.slice(0, 20).join(", ")}. The server runs with --strict.`,
        ignored[0],
      );
    }
    request.record.ignored = ignored.slice(0, 20);
    const names = ignored.slice(0, 20).map((name) => name.replaceAll(/[^\w.-]/g, "?").slice(0, 64));
    reply.header("x-trainyard-ignored-fields", names.join(", "));
  });
}
