/**
 * Who may read answers from a page of another origin, as vLLM's framework tells it. Most
 * requests come from no page: they cost one look at their headers.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Settings } from "../settings/table.ts";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"];
/** Seconds for which a browser need not ask again. */
const MAX_AGE = 600;

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
  const preflight = preflightAnswer(settings, any);
  app.addHook("onRequest", (request, reply, done) => {
    const { origin } = request.headers;
    if (origin !== undefined && (any || origins.has(origin))) {
      reply.header("access-control-allow-origin", any ? "*" : origin);
    }
    if (credentials) reply.header("access-control-allow-credentials", "true");
    if (isPreflight(request)) preflight(request, reply);
    else done();
  });
  // A path that nobody serves has preflights too.
  app.options("*", (_request, reply) => void reply.callNotFound());
}

function preflightAnswer(
  settings: Settings,
  any: boolean,
): (request: FastifyRequest, reply: FastifyReply) => void {
  const allowed = settings["allowed-methods"];
  const methods = allowed.includes("*") ? METHODS : allowed;
  const headers = settings["allowed-headers"];
  return (request, reply) => {
    const vary = any ? [] : ["Origin"];
    reply.header("access-control-allow-methods", methods.join(", "));
    if (!headers.includes("*")) {
      reply.header("access-control-allow-headers", headers.join(", "));
    } else {
      const wanted = request.headers["access-control-request-headers"];
      if (wanted !== undefined) reply.header("access-control-allow-headers", wanted);
      vary.push("Access-Control-Request-Headers");
    }
    if (vary.length > 0) reply.header("vary", vary.join(", "));
    reply.header("access-control-max-age", String(MAX_AGE));
    reply.code(200).header("content-length", "0").send();
  };
}
