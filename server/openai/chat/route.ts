/** POST /v1/chat/completions: wires schema, prompt, engine and answer. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { chatPrompt } from "../../generation/chat-prompt.ts";
import type { OutputFields } from "../../generation/planner.ts";
import {
  checkBody,
  checkedSampling,
  engineRequest,
  generationTask,
  type SamplingWish,
  streamOptions,
  tokenizeOptions,
} from "../../generation/prepare.ts";
import { badRequest } from "../../http/errors.ts";
import { Exchange } from "../../http/exchange.ts";
import { type Serving, servedName } from "../../serving.ts";
import { chatResponse, chatStream } from "./respond.ts";
import { CHAT_UNBUILT, type ChatRequest, chatRequest } from "./schema.ts";

export function chatRoute(app: FastifyInstance, serving: Serving): void {
  app.post<{ Body: ChatRequest }>(
    "/v1/chat/completions",
    { schema: { body: chatRequest } },
    (request, reply) => answerChat(serving, request, reply),
  );
}

/** The answer to a body of the chat's shape. */
export async function answerChat(
  serving: Serving,
  request: FastifyRequest<{ Body: ChatRequest }>,
  reply: FastifyReply,
) {
  const { body } = request;
  const model = servedName(serving, body.model);
  const exchange = new Exchange(
    serving,
    { request, reply },
    { prefix: "chatcmpl", requestId: body.request_id },
  );
  checkBody(body, CHAT_UNBUILT);
  const wish = samplingWish(body, serving);
  const plan = await serving.planner.plan(body as OutputFields, "chat"); // shapes checked by the schema
  const prompt = await chatPrompt(serving, body, { plan, tokenize: tokenizeOptions(body, false) });
  const sampling = await checkedSampling(serving, body, { prompt, wish });
  const priority = exchange.priority(body.priority);
  const engine = await engineRequest(body, prompt, { sampling, plan, priority });
  const generation = exchange.start(
    generationTask(serving, body, { requests: [engine], sampling, plan, rank: exchange.rank }),
  );
  if (generation === undefined) return reply.hijack();
  const answer = { serving, exchange, model, body, prompt, plan, generation };
  if (body.stream) {
    await exchange.stream(generation, chatStream(answer, streamOptions(body, serving)));
    return reply;
  }
  const deltas = await exchange.collect(generation);
  return deltas === undefined ? reply.hijack() : chatResponse(answer, deltas);
}

function samplingWish(body: ChatRequest, { samples }: Serving): SamplingWish {
  const top = body.top_logprobs ?? 0;
  if (top !== 0) {
    if (top < -1) {
      throw badRequest("`top_logprobs` must be a positive value or -1.", "top_logprobs", top);
    }
    if (!body.logprobs) {
      throw badRequest(
        "when using `top_logprobs`, `logprobs` must be set to true.",
        "top_logprobs",
      );
    }
  }
  const maxTokens = body.max_completion_tokens ?? body.max_tokens;
  // An echo is scored with it, as in vLLM; a stream has no place for the scores.
  const scored = body.echo && !body.stream && samples ? top : undefined;
  const promptLogprobs = body.prompt_logprobs ?? scored;
  return {
    ...(typeof maxTokens === "number" && { maxTokens }),
    ...(body.logprobs && { logprobs: top }),
    ...(typeof promptLogprobs === "number" && { promptLogprobs }),
  };
}
