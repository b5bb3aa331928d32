/** GET /v1/models: one card for each name the model answers to. */
import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { Serving } from "../../serving.ts";

export function modelsRoute(app: FastifyInstance, serving: Serving): void {
  const cards = serving.names.map((id) => ({
    id,
    object: "model",
    created: serving.created,
    owned_by: "vllm",
    root: serving.root,
    parent: null,
    max_model_len: serving.maxModelLen,
    ...(serving.simulation !== undefined && { simulation: serving.simulation }),
    ...(serving.trust !== undefined && { simulation_bands: serving.trust }),
    permission: [
      {
        id: `modelperm-${randomUUID().replaceAll("-", "")}`,
        object: "model_permission",
        created: serving.created,
        allow_create_engine: false,
        allow_sampling: true,
        allow_logprobs: true,
        allow_search_indices: false,
        allow_view: true,
        allow_fine_tuning: false,
        organization: "*",
        group: null,
        is_blocking: false,
      },
    ],
  }));
  app.get("/v1/models", async () => ({ object: "list", data: cards }));
}
