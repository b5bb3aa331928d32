/** POST /v1/load_lora_adapter and /v1/unload_lora_adapter, where adapters may come and go. */
import type { FastifyInstance } from "fastify";
import { type Static, Type } from "typebox";
import { badRequest } from "../http/errors.ts";
import { type AdapterRegistry, checkLoad, described, notLoaded } from "./registry.ts";

const loadRequest = Type.Object({
  lora_name: Type.String(),
  lora_path: Type.String(),
  load_inplace: Type.Optional(Type.Boolean()),
  is_3d_lora_weight: Type.Optional(Type.Boolean()),
});

const unloadRequest = Type.Object({
  lora_name: Type.String(),
  lora_int_id: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
});

/** `adapters`: absent without `--enable-lora`. */
export function adapterRoutes(app: FastifyInstance, adapters: AdapterRegistry | undefined): void {
  app.post<{ Body: Static<typeof loadRequest> }>(
    "/v1/load_lora_adapter",
    { schema: { body: loadRequest } },
    async ({ body, log }, reply) => {
      const { lora_name: name, lora_path: path, load_inplace: inPlace = false } = body;
      checkLoad({ name, path });
      log.info(described(await enabled(adapters).load({ name, path, inPlace })));
      return reply.send(`Success: LoRA adapter '${name}' added successfully.`);
    },
  );
  app.post<{ Body: Static<typeof unloadRequest> }>(
    "/v1/unload_lora_adapter",
    { schema: { body: unloadRequest } },
    async ({ body }, reply) => {
      const { lora_name: name } = body;
      if (adapters === undefined) throw notLoaded(name);
      await adapters.unload(name);
      return reply.send(`Success: LoRA adapter '${name}' removed successfully.`);
    },
  );
}

function enabled(adapters: AdapterRegistry | undefined): AdapterRegistry {
  if (adapters !== undefined) return adapters;
  throw badRequest("LoRA is not enabled: start the server with --enable-lora.");
}
