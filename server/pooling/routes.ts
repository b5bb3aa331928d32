/** The routes of a server that pools, by what its model does: as vLLM has them. */
import type { FastifyInstance } from "fastify";
import type { Serving } from "../serving.ts";
import { classifyRoute } from "./classify.ts";
import { embeddingRoute, poolingRoute } from "./embeddings.ts";
import type { Pooler } from "./pooler.ts";
import { pairRoutes } from "./scoring.ts";

export function poolingRoutes(app: FastifyInstance, serving: Serving, pooler: Pooler): void {
  const embeds = pooler.task === "embed";
  poolingRoute(app, serving, pooler);
  if (embeds) embeddingRoute(app, serving, pooler);
  else classifyRoute(app, serving, pooler);
  // One label compares, several do not.
  if (embeds || pooler.width === 1) pairRoutes(app, serving, pooler);
}
