/**
 * API keys: `Authorization: Bearer <key>` for the model's paths and the list of requests; probes and metrics stay
 * open, as in vLLM. Anthropic's clients send `x-api-key` to their own paths.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "./errors.ts";

const GUARDED = ["/v1", "/v2", "/inference", "/cohere", "/requests"];

export function requireKeys(app: FastifyInstance, keys: readonly string[]): void {
  if (keys.length === 0) return;
  const digests = keys.map(digest);
  const allows = (request: FastifyRequest): boolean => {
    if (request.method === "OPTIONS") return true;
    // The route that was found, not the path as written: `/%761/models` is /v1/models too.
    const path = request.routeOptions.url ?? request.url;
    if (!GUARDED.some((prefix) => path.startsWith(prefix))) return true;
    const [scheme, bearer] = (request.headers.authorization ?? "").split(" ");
    const anthropic = path.startsWith("/v1/messages") ? request.headers["x-api-key"] : undefined;
    for (const token of [scheme?.toLowerCase() === "bearer" ? bearer : undefined, anthropic]) {
      if (typeof token !== "string") continue;
      const given = digest(token);
      if (digests.some((known) => timingSafeEqual(known, given))) return true;
    }
    return false;
  };
  app.addHook("onRequest", (request, _reply, done) => {
    if (allows(request)) done();
    else done(new ApiError("unauthorized", "Unauthorized"));
  });
}

const digest = (key: string): Buffer => createHash("sha256").update(key).digest();
