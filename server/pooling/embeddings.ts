/** POST /v1/embeddings and /pooling: a vector of each text. */
import type { FastifyInstance } from "fastify";
import { type Static, Type } from "typebox";
import { badRequest } from "../http/errors.ts";
import type { Serving } from "../serving.ts";
import { answering, poolingUsage, tokensOf, vectorsOf } from "./answer.ts";
import { inputFields, poolingFields, readInputs } from "./inputs.ts";
import type { Pooler } from "./pooler.ts";
import { type Encoding, encoded } from "./vectors.ts";

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
  app.post<{ Body: EmbeddingRequest }>(
    "/v1/embeddings",
    { schema: { body: embeddingRequest } },
    async (request) => {
      const { body } = request;
      const head = answering(serving, request, { prefix: "embd", body });
      const { vectors, tokens } = await embedded(serving, pooler, { body, model: head.model });
      const encoding = encodingOf(body);
      const data = vectors.map((vector, index) => {
        return { index, object: "embedding", embedding: encoded(vector, encoding) };
      });
      return answer(head, data, { tokens, ...pooler });
    },
  );
  app.post<{ Body: PoolingRequest }>(
    "/pooling",
    { schema: { body: poolingRequest } },
    async (request) => {
      const { body } = request;
      const head = answering(serving, request, { prefix: "pooling", body });
      const { task } = body;
      if (task !== undefined && task !== null && task !== "embed") {
        throw badRequest(
          `Try switching the model's pooling_task via --pooler-config.task ${task}.`,
          "task",
        );
      }
      const { vectors, tokens } = await embedded(serving, pooler, { body, model: head.model });
      const encoding = encodingOf(body);
      const data = vectors.map((vector, index) => {
        return { index, object: "pooling", data: encoded(vector, encoding) };
      });
      return answer(head, data, { tokens, ...pooler });
    },
  );
}

function answer(
  { id, created, model }: { id: string; created: number; model: string },
  data: readonly object[],
  { tokens, synthetic }: { readonly tokens: number; readonly synthetic: boolean },
): object {
  const usage = poolingUsage(tokens);
  // Said only where it is so: clients of vLLM know no such field.
  return { id, object: "list", created, model, data, usage, ...(synthetic && { synthetic }) };
}

async function embedded(
  serving: Serving,
  pooler: Pooler,
  { body, model }: { readonly body: EmbeddingRequest; readonly model: string },
) {
  const { dimensions } = body;
  if (dimensions !== undefined && dimensions !== null && !matryoshka(serving)) {
    throw badRequest(
      `Model '${model}' does not support Matryoshka embeddings; dimensions must be unset (received dimensions=${dimensions}).`,
    );
  }
  const prompts = await readInputs(serving, body);
  if (dimensions === undefined || dimensions === null) {
    const vectors = await vectorsOf(pooler, prompts, body.use_activation);
    return { vectors, tokens: tokensOf(prompts) };
  }
  // Cut first, then made of length 1.
  const states = await vectorsOf({ ...pooler, normalises: false }, prompts, false);
  const width = states[0]?.length ?? 0;
  if (dimensions < 1 || dimensions > width) {
    throw badRequest(`dimensions must be between 1 and ${width}, got ${dimensions}.`, "dimensions");
  }
  const cut = {
    ...pooler,
    embed: () => Promise.resolve(states.map((one) => one.slice(0, dimensions))),
  };
  return { vectors: await vectorsOf(cut, prompts, body.use_activation), tokens: tokensOf(prompts) };
}

/** May a vector be cut? As vLLM reads it: config.json says so. */
function matryoshka({ modelConfig }: Serving): boolean {
  const { is_matryoshka: is, matryoshka_dimensions: sizes } = modelConfig;
  return is === true || Array.isArray(sizes);
}

function encodingOf(body: EmbeddingRequest): Encoding {
  return {
    format: body.encoding_format ?? "float",
    dtype: body.embed_dtype ?? "float32",
    big: body.endianness === "big",
  };
}
