/** POST /v1/embeddings and /pooling: a vector of each text. */
import type { FastifyInstance } from "fastify";
import { type Static, Type } from "typebox";
import { badRequest } from "../http/errors.ts";
import { withBodyChecks } from "../http/validation.ts";
import { checkCacheSalt } from "../openai/body-checks.ts";
import type { Serving } from "../serving.ts";
import { PoolingExchange } from "./answer.ts";
import { inputFields, poolingFields, readInputs } from "./inputs.ts";
import type { Pooler } from "./pooler.ts";
import { type Encoding, encoded } from "./vectors.ts";

/** What vLLM knows as tasks; a server does one of the first two. */
const TASKS = [
  "embed",
  "classify",
  "token_embed",
  "token_classify",
  "plugin",
  "embed&token_classify",
] as const;

const encodings = {
  encoding_format: Type.Optional(Type.Enum(["float", "base64"])),
  embed_dtype: Type.Optional(Type.Enum(["float32", "float16", "bfloat16"])),
  endianness: Type.Optional(Type.Enum(["native", "big", "little"])),
  dimensions: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
};

const embeddingRequest = withBodyChecks(
  Type.Object({ ...poolingFields, ...inputFields, ...encodings }),
  [checkCacheSalt],
);
const poolingRequest = withBodyChecks(
  Type.Object({
    ...{ ...poolingFields, ...inputFields, ...encodings },
    task: Type.Optional(Type.Union([Type.Enum([...TASKS]), Type.Null()])),
  }),
  [checkCacheSalt],
);

type EmbeddingRequest = Static<typeof embeddingRequest>;
type PoolingRequest = Static<typeof poolingRequest>;

export function embeddingRoute(app: FastifyInstance, serving: Serving, pooler: Pooler): void {
  const of = { serving, pooler };
  app.post<{ Body: EmbeddingRequest }>(
    "/v1/embeddings",
    { schema: { body: embeddingRequest } },
    async (request, reply) => {
      const { body } = request;
      const exchange = new PoolingExchange(of, { request, reply }, { prefix: "embd", body });
      const answer = await vectorsOf(of, exchange, body, (embedding, index) => {
        return { index, object: "embedding", embedding };
      });
      return answer === undefined ? reply.hijack() : reply.type("application/json").send(answer);
    },
  );
}

/** Of a server that classifies too: the same numbers as a list. */
export function poolingRoute(app: FastifyInstance, serving: Serving, pooler: Pooler): void {
  const of = { serving, pooler };
  app.post<{ Body: PoolingRequest }>(
    "/pooling",
    { schema: { body: poolingRequest } },
    async (request, reply) => {
      const { body } = request;
      const exchange = new PoolingExchange(of, { request, reply }, { prefix: "pooling", body });
      checkTask(body.task ?? pooler.task, pooler);
      const answer = await vectorsOf(of, exchange, body, (data, index) => {
        return { index, object: "pooling", data };
      });
      return answer === undefined ? reply.hijack() : reply.type("application/json").send(answer);
    },
  );
}

/** What vLLM could do beside the server's own task is a start of its own there, and missing here. */
function checkTask(task: (typeof TASKS)[number], pooler: Pooler): void {
  if (task === pooler.task) return;
  const byToken = `token_${pooler.task}`;
  if (task === byToken) {
    throw badRequest(
      `Try switching the model's pooling_task via --pooler-config.task ${task}.`,
      "task",
    );
  }
  throw badRequest(
    `Unsupported task: '${task}' Supported tasks: ['${byToken}', '${pooler.task}']`,
    "task",
  );
}

/** The answer, with vectors as the wire has them; undefined: the client is gone. */
async function vectorsOf(
  of: { readonly serving: Serving; readonly pooler: Pooler },
  exchange: PoolingExchange,
  body: EmbeddingRequest,
  entry: (vector: string | number[], index: number) => object,
): Promise<string | undefined> {
  const dimensions = body.dimensions ?? undefined;
  if (dimensions !== undefined) checkDimensions(dimensions, exchange.model, of);
  const prompts = await readInputs(of.serving, body, of.pooler);
  const encoding = encodingOf(body);
  const how = { activated: body.use_activation, dimensions };
  return exchange.list(prompts, how, (values, index) => entry(encoded(values, encoding), index));
}

/** May a vector be cut, and so? As vLLM reads it: config.json says so. */
function checkDimensions(
  dimensions: number,
  model: string,
  { serving, pooler }: { readonly serving: Serving; readonly pooler: Pooler },
): void {
  const { is_matryoshka: is, matryoshka_dimensions: sizes } = serving.modelConfig;
  if (is !== true && !Array.isArray(sizes)) {
    throw badRequest(
      `Model '${model}' does not support Matryoshka embeddings; dimensions must be unset (received dimensions=${dimensions}).`,
    );
  }
  if (dimensions >= 1 && dimensions <= pooler.width) return;
  throw badRequest(
    `dimensions must be between 1 and ${pooler.width}, got ${dimensions}.`,
    "dimensions",
  );
}

function encodingOf(body: EmbeddingRequest): Encoding {
  return {
    format: body.encoding_format ?? "float",
    dtype: body.embed_dtype ?? "float32",
    big: body.endianness === "big",
  };
}
