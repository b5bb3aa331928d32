/** Probes and small facts: /health, /ping, /version, /load. */
import type { FastifyInstance, FastifyReply } from "fastify";
import { SECOND } from "../../device/clock.ts";
import type { Serving } from "../serving.ts";
import { VERSION } from "../version.ts";

/** A server with work that has made no progress for so long is not healthy. */
const STALL_SECONDS = 120;

export function healthRoutes(app: FastifyInstance, serving: Serving, load: () => number): void {
  const probe = async (_request: unknown, reply: FastifyReply) =>
    reply.code(healthy(serving) ? 200 : 503).send();
  app.get("/health", probe);
  app.get("/ping", probe);
  app.post("/ping", probe);
  app.get("/version", async () => ({ version: VERSION }));
  app.get("/load", async () => ({ server_load: load() }));
}

/** Tied to progress: an engine that answers nothing says so. */
export function healthy({ engines, clock }: Serving): boolean {
  const now = clock.now();
  return engines.all.every((engine) => {
    const { pending, sinceProgress } = engine.health(now);
    return !pending || sinceProgress < STALL_SECONDS * SECOND;
  });
}
