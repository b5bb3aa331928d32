/**
 * POST /generative_scoring: how probable a label is as the next token after a query and
 * each of several items.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import type { GenerationRequest } from "../../../engine/sequence.ts";
import { entryAt } from "../../entry-at.ts";
import { Exchange } from "../../exchange/exchange.ts";
import { nullable, requestId } from "../../generation/fields.ts";
import { samplingParams } from "../../generation/params.ts";
import { samplingContext } from "../../generation/prepare.ts";
import { badRequest } from "../../http/errors.ts";
import { withBodyChecks } from "../../http/validation.ts";
import { type Serving, servedName } from "../../serving.ts";
import { checkCacheSalt } from "../body-checks.ts";
import { tokenCounts } from "../usage.ts";

const ids = Type.Array(Type.Integer());

export const scoringRequest = withBodyChecks(
  Type.Object({
    model: nullable(Type.String()),
    query: Type.Union([Type.String(), ids]),
    items: Type.Union([Type.Array(Type.String()), Type.Array(ids)]),
    label_token_ids: ids,
    apply_softmax: Type.Optional(Type.Boolean()),
    item_first: Type.Optional(Type.Boolean()),
    add_special_tokens: Type.Optional(Type.Boolean()),
    cache_salt: nullable(Type.String()),
    priority: Type.Optional(Type.Integer()),
    request_id: Type.Optional(requestId),
  }),
  [checkCacheSalt],
);

type ScoringRequest = Static<typeof scoringRequest>;

/** Items of one request: each is a sequence. */
const MAX_ITEMS = 4096;

export function scoringRoute(app: FastifyInstance, serving: Serving): void {
  app.post<{ Body: ScoringRequest }>(
    "/generative_scoring",
    { schema: { body: scoringRequest } },
    (request, reply) => score(serving, request, reply),
  );
}

async function score(
  serving: Serving,
  request: FastifyRequest<{ Body: ScoringRequest }>,
  reply: FastifyReply,
): Promise<unknown> {
  const { body } = request;
  const model = servedName(serving, body.model);
  check(serving, body);
  const exchange = new Exchange(
    serving,
    { request, reply },
    { prefix: "generative-scoring", requestId: body.request_id, model: body.model },
  );
  const labels = [...new Set(body.label_token_ids)];
  const { params } = await samplingParams(
    { logprob_token_ids: labels, temperature: 0 },
    { maxTokens: 1, logprobs: labels.length },
    { ...samplingContext(serving), maxLogprobs: -1 },
  );
  const prompts = await readPrompts(serving, body);
  const priority = exchange.priority(body.priority);
  const requests = prompts.map(
    (prompt): GenerationRequest => ({
      ...{ prompt, params, n: 1, priority },
      ...(body.cache_salt && { salt: body.cache_salt }),
    }),
  );
  const { rank } = exchange;
  const generation = exchange.start({
    ...{ requests, stop: [], includeStop: false, skipSpecialTokens: true },
    ...(rank !== undefined && { rank }),
  });
  if (generation === undefined) return reply.hijack();
  const deltas = await exchange.collect(generation);
  if (deltas === undefined) return reply.hijack();
  const promptTokens = prompts.reduce((sum, prompt) => sum + prompt.length, 0);
  return {
    id: exchange.id,
    object: "list",
    created: exchange.created,
    model,
    data: deltas.map(({ index, ids: drawn, logprobs: [position] }) => {
      const known = new Map<number, number>();
      position?.topIds.forEach((id, at) => {
        known.set(id, entryAt(position.topLogprobs, at));
      });
      const [chosen] = drawn;
      if (chosen !== undefined && position !== undefined) known.set(chosen, position.chosen);
      const logprobs = labels.map((id) => known.get(id) ?? LEAST);
      return { index, object: "score", score: probability(logprobs, body.apply_softmax ?? true) };
    }),
    usage: {
      ...tokenCounts(promptTokens, generation.outputTokens),
      prompt_tokens_details: null,
      completion_tokens_details: null,
    },
  };
}

const LEAST = Number.NEGATIVE_INFINITY;

/** Of the first label: among the labels alone, or among all tokens. */
function probability(logprobs: readonly number[], among: boolean): number {
  const [first = LEAST] = logprobs;
  if (!among) return Math.exp(first);
  const most = Math.max(...logprobs);
  const sum = logprobs.reduce((all, one) => all + Math.exp(one - most), 0);
  return Math.exp(first - most) / sum;
}

function check(
  { vocabSize, tokenizer }: Serving,
  { label_token_ids: labels, items }: ScoringRequest,
) {
  if (tokenizer === undefined) {
    throw badRequest("Tokenizer not available. Cannot process generative scoring request.");
  }
  const outside = labels.find((id) => id < 0 || id >= vocabSize);
  if (outside !== undefined) {
    throw badRequest(
      `label_token_id ${outside} is out of vocabulary range [0, ${vocabSize}). Please provide valid token IDs.`,
    );
  }
  if (labels.length === 0) throw badRequest("label_token_ids must contain at least one token ID.");
  if (items.length === 0) throw badRequest("items must contain at least one item.");
  if (items.length > MAX_ITEMS) throw badRequest(`items must be ${MAX_ITEMS} at most.`, "items");
}

/** Cut at the end so that one token can follow, as in vLLM. */
async function readPrompts(serving: Serving, body: ScoringRequest): Promise<readonly Int32Array[]> {
  const { tokenizer, maxModelLen, promptVocabSize } = serving;
  const encode = async (given: string | readonly number[], special: boolean) => {
    if (typeof given === "string") {
      return [...((await tokenizer?.encode(given, { addSpecialTokens: special })) ?? [])];
    }
    const outside = given.find((id) => id < 0 || id >= promptVocabSize);
    if (outside !== undefined) throw badRequest(`Token id ${outside} is out of vocabulary`);
    return [...given];
  };
  const query = await encode(body.query, body.add_special_tokens ?? true);
  const prompts: Int32Array[] = [];
  for (const given of body.items) {
    const item = await encode(given, false);
    const joined = body.item_first ? [...item, ...query] : [...query, ...item];
    if (joined.length === 0) throw badRequest("The decoder prompt cannot be empty");
    prompts.push(Int32Array.from(joined.slice(0, maxModelLen - 1)));
  }
  return prompts;
}
