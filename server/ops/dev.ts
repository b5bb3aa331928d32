/**
 * Routes of `--server-dev-mode` (VLLM_SERVER_DEV_MODE=1), as vLLM's: they change
 * the server's state and, standing outside /v1, ask for no key.
 */
import { arch, cpus, totalmem, type } from "node:os";
import type { FastifyInstance } from "fastify";
import type { Serving } from "../serving.ts";
import { shownSettings } from "../settings/shown.ts";

/** Names of variables whose values are nobody's business. */
const SECRET = /KEY|TOKEN|SECRET|PASSW|CREDENTIAL/i;

interface ResetQuery {
  readonly reset_running_requests?: string;
}

interface InfoQuery {
  readonly config_format?: string;
}

export function devRoutes(app: FastifyInstance, { engines, settings }: Serving): void {
  // `reset_external` names a cache outside the engine; there is none to reset.
  app.post<{ Querystring: ResetQuery }>("/reset_prefix_cache", async ({ query }) => {
    const preempt = ["true", "1"].includes(query.reset_running_requests?.toLowerCase() ?? "");
    const done = engines.all.map((engine) => engine.resetPrefixCache({ preempt }));
    return { success: done.every(Boolean) };
  });
  // There are no such caches: nothing is left in them.
  app.post("/reset_mm_cache", async (_request, reply) => reply.code(200).send());
  app.post("/reset_encoder_cache", async (_request, reply) => reply.code(200).send());
  app.get("/is_sleeping", async () => ({ is_sleeping: false }));
  app.get<{ Querystring: InfoQuery }>("/server_info", async ({ query }) => {
    const config = shownSettings(settings);
    return {
      vllm_config: query.config_format === "json" ? config : assignments(config),
      vllm_env: Object.fromEntries(
        Object.entries(process.env).filter(
          ([name]) => name.startsWith("VLLM_") && !SECRET.test(name),
        ),
      ),
      system_env: {
        node_version: process.version,
        os: type(),
        cpu: arch(),
        cpu_count: cpus().length,
        memory_bytes: totalmem(),
      },
    };
  });
}

function assignments(config: object): string {
  return Object.entries(config)
    .map(([name, value]) => `${name}=${JSON.stringify(value ?? null)}`)
    .join(", ");
}
