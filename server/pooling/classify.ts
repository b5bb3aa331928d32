/** POST /classify: how likely each label of the model's head is for a text. */
import type { FastifyInstance } from "fastify";
import { type Static, Type } from "typebox";
import { isObject } from "../../models/config.ts";
import { withBodyChecks } from "../http/validation.ts";
import { checkCacheSalt } from "../openai/body-checks.ts";
import type { Serving } from "../serving.ts";
import { PoolingExchange } from "./answer.ts";
import { inputFields, poolingFields, readInputs } from "./inputs.ts";
import type { Pooler } from "./pooler.ts";

const classifyRequest = withBodyChecks(Type.Object({ ...poolingFields, ...inputFields }), [
  checkCacheSalt,
]);

type ClassifyRequest = Static<typeof classifyRequest>;

export function classifyRoute(app: FastifyInstance, serving: Serving, pooler: Pooler): void {
  const names = labelsOf(serving.modelConfig, pooler.width);
  app.post<{ Body: ClassifyRequest }>(
    "/classify",
    { schema: { body: classifyRequest } },
    async (request, reply) => {
      const { body } = request;
      const of = { serving, pooler };
      const exchange = new PoolingExchange(of, { request, reply }, { prefix: "classify", body });
      const prompts = await readInputs(serving, body, pooler);
      const how = { activated: body.use_activation };
      const answer = await exchange.list(prompts, how, (probs, index) => {
        const label = names[probs.indexOf(Math.max(...probs))] ?? null;
        return { index, label, probs: [...probs], num_classes: probs.length };
      });
      return answer === undefined ? reply.hijack() : reply.type("application/json").send(answer);
    },
  );
}

/** As transformers names what nobody named. */
function labelsOf({ id2label }: Serving["modelConfig"], count: number): readonly unknown[] {
  const named = isObject(id2label) ? id2label : {};
  return Array.from({ length: count }, (_, index) =>
    isObject(id2label) ? named[String(index)] : `LABEL_${index}`,
  );
}
