/**
 * Probes and small facts. What an orchestrator has to tell apart:
 *
 * | | starting | serving | draining | stuck |
 * |---|---|---|---|---|
 * | /livez: is it to be started again? | no answer | 200 | 200 | 503 |
 * | /readyz: does it take requests? | no answer | 200 | 503 | 503 |
 * | /health, as vLLM's | no answer | 200 | 503 | 503 |
 */
import type { FastifyInstance, FastifyReply } from "fastify";
import { SECOND } from "../../device/clock.ts";
import { ERRORS } from "../http/error-table.ts";
import type { Serving } from "../serving.ts";
import { VLLM_VERSION } from "../version.ts";

/** A server with work that has made no progress for so long is not healthy; `--step-timeout` overrides. */
const STALL_SECONDS = 120;

/** So many steps failed in a row that what computes is believed to be gone, work pending or not. */
const DEAD_AFTER = 10;

/** Answered while draining, too. */
export const PROBES: ReadonlySet<string> = new Set(["/livez", "/readyz"]);

export function healthRoutes(
  app: FastifyInstance,
  serving: Serving,
  { load, draining }: { readonly load: () => number; readonly draining: () => boolean },
): void {
  const tell = (reply: FastifyReply, state: "ok" | "draining" | "stuck", fine: boolean) =>
    reply.code(fine ? 200 : ERRORS.unhealthy.status).send(state);
  const state = () => (!healthy(serving) ? "stuck" : draining() ? "draining" : "ok");
  app.get("/livez", async (_request, reply) => tell(reply, state(), state() !== "stuck"));
  app.get("/readyz", async (_request, reply) => tell(reply, state(), state() === "ok"));
  const probe = async (_request: unknown, reply: FastifyReply) =>
    reply.code(healthy(serving) ? 200 : ERRORS.unhealthy.status).send();
  app.get("/health", probe);
  app.get("/ping", probe);
  app.post("/ping", probe);
  app.get("/version", async () => ({ version: VLLM_VERSION }));
  app.get("/kv_event_sources", async () => serving.kvEventSources ?? {});
  // What vllm-router asks of a worker before it follows its KV events; vLLM 0.32 itself has no such route.
  app.get("/get_server_info", async () => ({
    model_id: serving.names[0],
    model_path: serving.root,
    kv_block_size: serving.kvBlockSize,
    effective_attention_block_size: serving.kvBlockSize,
  }));
  app.get("/load", async () => ({ server_load: load() }));
}

/**
 * Tied to progress: with work pending, an engine whose step hangs, or whose last
 * step failed (its ranks are being restarted, say), is not healthy until a step
 * ends well.
 */
export function healthy({ engines, clock, settings }: Serving): boolean {
  const now = clock.now();
  const limit = (settings["step-timeout"] ?? STALL_SECONDS) * SECOND;
  return engines.all.every((engine) => {
    const { pending, sinceProgress, failures } = engine.health(now);
    if (failures >= DEAD_AFTER) return false;
    return !pending || (failures === 0 && sinceProgress < limit);
  });
}
