/** GET /v1/models: one card for each name the model answers to, and for each adapter. */
import type { FastifyInstance } from "fastify";
import { hexId } from "../../hex-id.ts";
import type { Serving } from "../../serving.ts";

export function modelsRoute(app: FastifyInstance, serving: Serving): void {
  const { created, adapters } = serving;
  const cards = serving.names.map((id) => ({
    ...card({ id, created, root: serving.root, parent: null, longest: serving.maxModelLen }),
    ...(serving.simulation !== undefined && { simulation: serving.simulation }),
    ...(serving.trust !== undefined && { simulation_bands: serving.trust }),
    ...permission(created),
  }));
  app.get("/v1/models", async () => {
    const adapted = (adapters?.all ?? []).map(({ adapter: { name: id }, path: root, parent }) => ({
      ...card({ id, created, root, parent, longest: null }),
      ...permission(created),
    }));
    return { object: "list", data: [...cards, ...adapted] };
  });
}

function card(of: {
  readonly id: string;
  readonly created: number;
  readonly root: string;
  readonly parent: string | null;
  readonly longest: number | null;
}): object {
  const { id, created, root, parent, longest } = of;
  return { id, object: "model", created, owned_by: "vllm", root, parent, max_model_len: longest };
}

function permission(created: number): object {
  const one = {
    id: `modelperm-${hexId()}`,
    object: "model_permission",
    created,
    allow_create_engine: false,
    allow_sampling: true,
    allow_logprobs: true,
    allow_search_indices: false,
    allow_view: true,
    allow_fine_tuning: false,
    organization: "*",
    group: null,
    is_blocking: false,
  };
  return { permission: [one] };
}
