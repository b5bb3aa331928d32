/** POST /v1/chat/completions/batch: many conversations in one request, one choice for each. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { entryAt } from "../../entry-at.ts";
import { Exchange } from "../../exchange/exchange.ts";
import { type PreparedChat, prepareChat } from "../../generation/chat.ts";
import { contentText } from "../../generation/chat-prompt.ts";
import type { ChoiceDelta } from "../../generation/choice.ts";
import { nullable } from "../../generation/fields.ts";
import type { Running } from "../../generation/generate.ts";
import { ChoiceReader, PLAIN } from "../../generation/parser.ts";
import { textOf } from "../../generation/parts.ts";
import { badRequest } from "../../http/errors.ts";
import { pyStr, truthy } from "../../http/shape/python.ts";
import { withBodyChecks } from "../../http/validation.ts";
import { type Serving, servedName } from "../../serving.ts";
import { chatLogprobs, TokenNames } from "../logprobs.ts";
import { tokenCounts } from "../usage.ts";
import { CHAT_CHECKS } from "./body-checks.ts";
import { readChat } from "./read.ts";
import { type ChatRequest, chatRequest } from "./schema.ts";

/** Of a chat's fields, those that say nothing here: they are ignored, as in vLLM. */
const {
  messages: conversation,
  stream,
  stream_options: _options,
  tools: _tools,
  tool_choice: _choice,
  parallel_tool_calls: _parallel,
  cache_salt: _salt,
  ...shared
} = chatRequest.properties;

export const batchRequest = withBodyChecks(
  Type.Object({
    ...shared,
    stream,
    cache_salt: Type.Optional(Type.Unknown()),
    tool_choice: nullable(Type.Literal("none")),
    messages: Type.Array(Type.Array(conversation.items, { minItems: 1 }), { minItems: 1 }),
  }),
  [checkOne],
);

export type BatchRequest = Static<typeof batchRequest>;

/** Conversations of one request: each is a sequence, and costs memory before it costs time. */
const MAX_CONVERSATIONS = 1024;

export function chatBatchRoute(app: FastifyInstance, serving: Serving): void {
  app.post<{ Body: BatchRequest }>(
    "/v1/chat/completions/batch",
    { schema: { body: batchRequest } },
    (request, reply) => answer(serving, request, reply),
  );
}

async function answer(
  serving: Serving,
  request: FastifyRequest<{ Body: BatchRequest }>,
  reply: FastifyReply,
): Promise<unknown> {
  const { body } = request;
  check(body);
  const model = servedName(serving, body.model);
  const exchange = new Exchange(
    serving,
    { request, reply },
    { prefix: "chatcmpl", requestId: body.request_id, model: body.model },
    "_",
  );
  const prepared: PreparedChat[] = [];
  for (const messages of body.messages) {
    const one: ChatRequest = { ...known(body), messages };
    prepared.push(await prepareChat(serving, readChat(serving, one), exchange));
  }
  const first = entryAt(prepared, 0);
  const requests = prepared.flatMap(({ task }) => task.requests);
  const generation = exchange.start({ ...first.task, requests });
  if (generation === undefined) return reply.hijack();
  const deltas = await exchange.collect(generation);
  if (deltas === undefined) return reply.hijack();
  const promptTokens = requests.reduce((sum, { prompt }) => sum + prompt.length, 0);
  return {
    id: exchange.id,
    object: "chat.completion",
    created: exchange.created,
    model,
    choices: deltas.map((delta) => choice(serving, body, { prepared, generation, delta })),
    service_tier: null,
    system_fingerprint: serving.fingerprint,
    usage: {
      ...tokenCounts(promptTokens, generation.outputTokens),
      prompt_tokens_details: null,
      completion_tokens_details: null,
    },
    prompt_logprobs: null,
    prompt_token_ids: null,
    prompt_text: null,
    kv_transfer_params: null,
    ec_transfer_params: null,
    metrics: null,
  };
}

/** Without what the schema does not name. */
function known(body: BatchRequest): Omit<ChatRequest, "messages"> {
  const names = Object.keys(body).filter((name) => Object.hasOwn(shared, name));
  const fields = Object.fromEntries(names.map((name) => [name, body[name as keyof BatchRequest]]));
  return fields as Omit<ChatRequest, "messages">; // a chat's fields, some of them
}

function checkOne({ n, use_beam_search: beams }: Readonly<Record<string, unknown>>): void {
  if (truthy(beams)) {
    throw badRequest(
      "Batch chat completions do not support beam search. Please set `use_beam_search` to False.",
      "use_beam_search",
    );
  }
  if (n !== undefined && n !== null && n !== 1) {
    throw badRequest(
      "Batch chat completions do not support `n > 1`. Please set `n` to 1.",
      "n",
      pyStr(n),
    );
  }
}

function check(body: BatchRequest): void {
  // Each conversation is a chat to vLLM once the batch has its shape.
  for (const one of CHAT_CHECKS) one(body);
  if (body.messages.length > MAX_CONVERSATIONS) {
    throw badRequest(
      `A batch holds ${MAX_CONVERSATIONS} conversations at most.`,
      "messages",
      body.messages.length,
    );
  }
}

function choice(
  serving: Serving,
  body: BatchRequest,
  {
    prepared,
    delta,
  }: {
    readonly prepared: readonly PreparedChat[];
    readonly generation: Running;
    readonly delta: ChoiceDelta;
  },
): object {
  const { index, ids, finish } = delta;
  const { plan, prompt } = entryAt(prepared, index);
  const { parts } = new ChoiceReader(plan.parser?.(prompt.text) ?? PLAIN).read(delta);
  const turns = entryAt(body.messages, index);
  const last = entryAt(turns, turns.length - 1);
  const generated = body.add_generation_prompt ?? true;
  const role = generated ? serving.settings["response-role"] : last.role;
  const text = textOf(parts, "text-delta") ?? "";
  const echo = body.echo && last.role === role ? contentText(last.content) : "";
  const asIds = body.return_tokens_as_token_ids ?? serving.settings["return-tokens-as-token-ids"];
  const names = new TokenNames(serving.tokenizer, asIds);
  const named = Boolean(body.logprob_token_ids?.length);
  const top = named ? -1 : (body.top_logprobs ?? 0);
  return {
    index,
    message: {
      role,
      content: echo + text,
      refusal: null,
      annotations: null,
      audio: null,
      function_call: null,
      reasoning:
        body.include_reasoning === false ? null : (textOf(parts, "reasoning-delta") ?? null),
    },
    logprobs: body.logprobs ? chatLogprobs(ids, delta.logprobs, { names, top, named }) : null,
    finish_reason: finish?.reason ?? "stop",
    stop_reason: finish?.stopReason ?? null,
    token_ids: body.return_token_ids ? ids : null,
    routed_experts: null,
  };
}
