/** POST /v1/embeddings and /pooling: a vector of each text. */
import type { FastifyInstance } from "fastify";
import { type Static, Type } from "typebox";
import { badRequest } from "../http/errors.ts";
import type { Serving } from "../serving.ts";
import { PoolingExchange } from "./answer.ts";
import { inputFields, poolingFields, readInputs } from "./inputs.ts";
import type { Pooler } from "./pooler.ts";
import { type Encoding, encoded, normalised } from "./vectors.ts";

const encodings = {
  encoding_format: Type.Optional(Type.Enum(["float", "base64"])),
  embed_dtype: Type.Optional(Type.Enum(["float32", "float16", "bfloat16"])),
  endianness: Type.Optional(Type.Enum(["native", "big", "little"])),
  dimensions: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
};

const embeddingRequest = Type.Object({ ...poolingFields, ...inputFields, ...encodings });
const poolingRequest = Type.Object({
  ...{ ...poolingFields, ...inputFields, ...encodings },
  task: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});

type EmbeddingRequest = Static<typeof embeddingRequest>;
type PoolingRequest = Static<typeof poolingRequest>;

export function embeddingRoutes(app: FastifyInstance, serving: Serving, pooler: Pooler): void {
  const of = { serving, pooler };
  app.post<{ Body: EmbeddingRequest }>(
    "/v1/embeddings",
    { schema: { body: embeddingRequest } },
    async (request, reply) => {
      const { body } = request;
      const exchange = new PoolingExchange(of, { request, reply }, { prefix: "embd", body });
      const answer = await embedded(of, exchange, body);
      if (answer === undefined) return reply.hijack();
      const data = answer.vectors.map((embedding, index) => {
        return { index, object: "embedding", embedding };
      });
      return exchange.list(data, answer.tokens);
    },
  );
  app.post<{ Body: PoolingRequest }>(
    "/pooling",
    { schema: { body: poolingRequest } },
    async (request, reply) => {
      const { body } = request;
      const exchange = new PoolingExchange(of, { request, reply }, { prefix: "pooling", body });
      const { task } = body;
      if (task !== undefined && task !== null && task !== "embed") {
        throw badRequest(
          `Try switching the model's pooling_task via --pooler-config.task ${task}.`,
          "task",
        );
      }
      const answer = await embedded(of, exchange, body);
      if (answer === undefined) return reply.hijack();
      const data = answer.vectors.map((vector, index) => {
        return { index, object: "pooling", data: vector };
      });
      return exchange.list(data, answer.tokens);
    },
  );
}

/** As the wire has them; undefined: the client is gone. */
async function embedded(
  { serving, pooler }: { readonly serving: Serving; readonly pooler: Pooler },
  exchange: PoolingExchange,
  body: EmbeddingRequest,
): Promise<{ vectors: readonly (string | number[])[]; tokens: number } | undefined> {
  const dimensions = body.dimensions ?? undefined;
  if (dimensions !== undefined) checkDimensions(dimensions, exchange.model, { serving, pooler });
  const prompts = await readInputs(serving, body);
  const states = await exchange.states(prompts);
  if (states === undefined) return undefined;
  const encoding = encodingOf(body);
  const normalises = body.use_activation ?? pooler.normalises;
  const vectors = states.map((state) => {
    // Cut first, then made of length 1.
    const cut = dimensions === undefined ? state : state.subarray(0, dimensions);
    return encoded(normalises ? normalised(cut) : cut, encoding);
  });
  return { vectors, tokens: prompts.reduce((sum, { ids }) => sum + ids.length, 0) };
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
