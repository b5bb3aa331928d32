/**
 * Who may read answers from a page of another origin, as vLLM's framework tells it: nobody,
 * unless `--allowed-origins` says so. Most requests come from no page: they cost one look at
 * their headers.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Settings } from "../settings/table.ts";
import { ApiError } from "./errors.ts";

const METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY"];
/** Those that pages may always send. */
const HEADERS = ["Accept", "Accept-Language", "Content-Language", "Content-Type"];
/** Seconds for which a browser need not ask again. */
const MAX_AGE = 600;
/** What an answer to a browser that asks depends on. */
const ASKED =
  "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network";

/** Does a browser ask before a request of its page? */
export function isPreflight({ method, headers }: FastifyRequest): boolean {
  return (
    method === "OPTIONS" &&
    Boolean(headers.origin) &&
    Boolean(headers["access-control-request-method"])
  );
}

export function answerOrigins(app: FastifyInstance, settings: Settings): void {
  const credentials = settings["allow-credentials"];
  const origins = new Set(settings["allowed-origins"]);
  const any = origins.has("*");
  /** As the header names it; undefined: it may not read. */
  const allowed = (origin: string): string | undefined => {
    if (any) return credentials ? origin : "*";
    return origins.has(origin) ? origin : undefined;
  };
  const preflight = preflightAnswer(settings, allowed);
  app.addHook("onRequest", (request, reply, done) => {
    const { origin } = request.headers;
    if (origin === undefined) {
      done();
      return;
    }
    const named = allowed(origin);
    if (named !== undefined) reply.header("access-control-allow-origin", named);
    if (credentials) reply.header("access-control-allow-credentials", "true");
    if (isPreflight(request)) preflight(request, reply);
    else done();
  });
  // A path that nobody serves has preflights too.
  app.options("*", (_request, reply) => void reply.callNotFound());
}

function preflightAnswer(
  settings: Settings,
  allowed: (origin: string) => string | undefined,
): (request: FastifyRequest, reply: FastifyReply) => void {
  const given = settings["allowed-methods"];
  const methods = given.includes("*") ? METHODS : given;
  const names = settings["allowed-headers"];
  const anyHeader = names.includes("*");
  const headers = [...new Set([...HEADERS, ...names])].sort();
  const lower = new Set(headers.map((name) => name.toLowerCase()));
  return ({ headers: asked }, reply) => {
    const wanted = asked["access-control-request-headers"];
    const faults: string[] = [];
    if (allowed(asked.origin ?? "") === undefined) faults.push("origin");
    if (!methods.includes(asked["access-control-request-method"] ?? "")) faults.push("method");
    if (!anyHeader) reply.header("access-control-allow-headers", headers.join(", "));
    else if (wanted !== undefined) reply.header("access-control-allow-headers", wanted);
    const each = anyHeader ? [] : (wanted?.split(",") ?? []);
    if (each.some((name) => !lower.has(name.trim().toLowerCase()))) faults.push("headers");
    if (asked["access-control-request-private-network"] !== undefined) {
      faults.push("private-network");
    }
    reply.header("vary", ASKED);
    reply.header("access-control-allow-methods", methods.join(", "));
    reply.header("access-control-max-age", String(MAX_AGE));
    if (faults.length === 0) reply.type("text/plain; charset=utf-8").send("OK");
    else reply.send(new ApiError("other-origin", `Disallowed CORS ${faults.join(", ")}`));
  };
}
