/**
 * POST /score and /rerank: how near texts are to each other, by the cosine of their vectors or by a
 * model that reads both (a cross-encoder).
 */
import type { FastifyInstance } from "fastify";
import { type Static, Type } from "typebox";
import { badRequest } from "../http/errors.ts";
import type { Serving } from "../serving.ts";
import { PoolingExchange, tokensOf, usageOf } from "./answer.ts";
import { checkCount, poolingFields, readPairs, readTexts } from "./inputs.ts";
import type { Pooler } from "./pooler.ts";
import { cosine } from "./vectors.ts";

const text = Type.Union([Type.String(), Type.Array(Type.String())]);

/** Names of the two sides of a score, as they may be spelt. */
const SIDES = [
  ["queries", "documents"],
  ["queries", "items"],
  ["data_1", "data_2"],
  ["text_1", "text_2"],
] as const;

const scoreRequest = Type.Object({
  ...poolingFields,
  ...{ queries: Type.Optional(text), documents: Type.Optional(text), items: Type.Optional(text) },
  ...{ data_1: Type.Optional(text), data_2: Type.Optional(text) },
  ...{ text_1: Type.Optional(text), text_2: Type.Optional(text) },
});

const rerankRequest = Type.Object({
  ...poolingFields,
  query: Type.String(),
  documents: text,
  top_n: Type.Optional(Type.Integer({ minimum: 0 })),
});

type ScoreRequest = Static<typeof scoreRequest>;
type RerankRequest = Static<typeof rerankRequest>;

export function pairRoutes(app: FastifyInstance, serving: Serving, pooler: Pooler): void {
  const of = { serving, pooler };
  for (const url of ["/score", "/v1/score"]) {
    app.post<{ Body: ScoreRequest }>(
      url,
      { schema: { body: scoreRequest } },
      async (request, reply) => {
        const { body } = request;
        const exchange = new PoolingExchange(of, { request, reply }, { prefix: "score", body });
        const [left, right] = sidesOf(body);
        const found = await scored(of, exchange, { left, right, body });
        if (found === undefined) return reply.hijack();
        const data = found.scores.map((score, index) => ({ index, object: "score", score }));
        const { id, created, model, drawn } = exchange;
        const usage = usageOf(found.tokens);
        return { id, object: "list", created, model, data, usage, ...drawn };
      },
    );
  }
  for (const url of ["/rerank", "/v1/rerank", "/v2/rerank"]) {
    app.post<{ Body: RerankRequest }>(
      url,
      { schema: { body: rerankRequest } },
      async (request, reply) => {
        const { body } = request;
        const exchange = new PoolingExchange(of, { request, reply }, { prefix: "score", body });
        const documents = listOf(body.documents);
        checkCount(documents.length, "documents");
        const asked = { left: [body.query], right: documents, body };
        const found = await scored(of, exchange, asked);
        if (found === undefined) return reply.hijack();
        const results = found.scores.map((relevance_score, index) => {
          const document = { text: documents[index], multi_modal: null };
          return { index, document, relevance_score };
        });
        results.sort((a, b) => b.relevance_score - a.relevance_score);
        const most = body.top_n ? Math.min(body.top_n, results.length) : results.length;
        const usage = { prompt_tokens: found.tokens, total_tokens: found.tokens };
        const { id, model } = exchange;
        return { id, model, usage, results: results.slice(0, most), ...exchange.drawn };
      },
    );
  }
}

const listOf = (given: string | readonly string[]): readonly string[] =>
  typeof given === "string" ? [given] : given;

function sidesOf(body: ScoreRequest): readonly [readonly string[], readonly string[]] {
  for (const [first, second] of SIDES) {
    const [a, b] = [body[first], body[second]];
    if (a === undefined || b === undefined) continue;
    const sides = [listOf(a), listOf(b)] as const;
    checkCount(sides[0].length, first);
    checkCount(sides[1].length, second);
    return sides;
  }
  const known = SIDES.map((pair) => pair.join(" and ")).join("; ");
  throw badRequest(`Two sides are scored: ${known}.`);
}

interface Scored {
  readonly scores: readonly number[];
  readonly tokens: number;
}

/** Undefined: the client is gone. Throws ApiError. */
async function scored(
  { serving, pooler }: { readonly serving: Serving; readonly pooler: Pooler },
  exchange: PoolingExchange,
  of: {
    readonly left: readonly string[];
    readonly right: readonly string[];
    readonly body: ScoreRequest | RerankRequest;
  },
): Promise<Scored | undefined> {
  const { left, right, body } = of;
  if (left.length === 0) throw badRequest("At least one text element must be given");
  if (right.length === 0) throw badRequest("At least one text_pair element must be given");
  if (left.length > 1 && left.length !== right.length) {
    throw badRequest("Input lengths must be either 1:1, 1:N or N:N");
  }
  const how = { ...body, lowerCase: pooler.lowerCase };
  if (pooler.task === "classify") {
    const pairs = right.map((text, index) => [left[index] ?? left[0] ?? "", text] as const);
    const prompts = await readPairs(serving, pairs, how);
    const found = await exchange.pooled(prompts, { activated: body.use_activation });
    return found && { scores: found.map(([score = 0]) => score), tokens: tokensOf(prompts) };
  }
  // Each text is embedded once, whatever it is compared with.
  const prompts = await readTexts(serving, [...left, ...right], how);
  const vectors = await exchange.pooled(prompts, { activated: true });
  const scores = right.map((_, index) => {
    const a = vectors?.[left.length === 1 ? 0 : index];
    const b = vectors?.[left.length + index];
    return a && b ? cosine(a, b) : 0;
  });
  return vectors && { scores, tokens: tokensOf(prompts) };
}
