/**
 * Routes of `--server-dev-mode` (VLLM_SERVER_DEV_MODE=1), as vLLM's: they change
 * the server's state and, standing outside /v1, ask for no key.
 */
import type { FastifyInstance } from "fastify";
import type { Serving } from "../serving.ts";

interface ResetQuery {
  readonly reset_running_requests?: string;
}

export function devRoutes(app: FastifyInstance, { engines }: Serving): void {
  // `reset_external` names a cache outside the engine; there is none to reset.
  app.post<{ Querystring: ResetQuery }>("/reset_prefix_cache", async ({ query }) => {
    const preempt = ["true", "1"].includes(query.reset_running_requests?.toLowerCase() ?? "");
    const done = engines.all.map((engine) => engine.resetPrefixCache({ preempt }));
    return { success: done.every(Boolean) };
  });
}
