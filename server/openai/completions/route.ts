/** POST /v1/completions: one or many prompts, text or ids. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { GenerationRequest } from "../../../engine/sequence.ts";
import { Exchange } from "../../exchange/exchange.ts";
import type { CheckedSampling } from "../../generation/params.ts";
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
import { idsPrompt, type Prompt, textPrompt } from "../../generation/prompt.ts";
import { ApiError, badRequest } from "../../http/errors.ts";
import { type Serving, servedName } from "../../serving.ts";
import { completionResponse, completionStream } from "./respond.ts";
import { COMPLETION_UNBUILT, type CompletionRequest, completionRequest } from "./schema.ts";

/** Completions of one request; VLLM_MAX_N_SEQUENCES of one prompt. */
const MAX_CHOICES = 16_384;

export function completionRoute(app: FastifyInstance, serving: Serving): void {
  app.post<{ Body: CompletionRequest }>(
    "/v1/completions",
    { schema: { body: completionRequest } },
    (request, reply) => answerCompletion(serving, request, reply),
  );
}

/** The answer to a body of the completion's shape. */
export async function answerCompletion(
  serving: Serving,
  request: FastifyRequest<{ Body: CompletionRequest }>,
  reply: FastifyReply,
) {
  const { body } = request;
  const model = servedName(serving, body.model);
  const exchange = new Exchange(
    serving,
    { request, reply },
    { prefix: "cmpl", requestId: body.request_id, model: body.model },
    "-",
  );
  const { plan, prompts, sampling: checked, promptOnly } = await prepareCompletion(serving, body);
  const priority = exchange.priority(body.priority);
  const requests: GenerationRequest[] = [];
  for (const [index, prompt] of prompts.entries()) {
    const own = checked[index];
    if (own !== undefined) {
      requests.push(await engineRequest(body, prompt, { sampling: own, plan, priority }));
    }
  }
  const sampling = checked.at(-1);
  if (sampling === undefined) throw noPrompt();
  const task = generationTask(serving, body, { requests, sampling, plan, rank: exchange.rank });
  const generation = exchange.start(exchange.fixed?.force(task) ?? task);
  if (generation === undefined) return reply.hijack();
  const { n } = sampling;
  const answer = { serving, exchange, model, body, prompts, n, promptOnly, generation };
  if (body.stream) {
    await exchange.stream(generation, completionStream(answer, streamOptions(body, serving)));
    return reply;
  }
  const deltas = await exchange.collect(generation);
  return deltas === undefined ? reply.hijack() : completionResponse(answer, deltas);
}

/** Checks all that can be checked before the engine sees it. Throws ApiError. */
export async function prepareCompletion(serving: Serving, body: CompletionRequest) {
  checkBody(body, COMPLETION_UNBUILT);
  if (typeof body.suffix === "string") {
    const message = body.echo
      ? "Echo is unsupported with suffix."
      : "suffix is only supported for models with FIM completion rendering";
    throw new ApiError("bad-request", message, { param: "suffix", bare: true });
  }
  if (body.stream && body.use_beam_search) {
    throw badRequest("Streaming is not currently supported with beam search");
  }
  const promptOnly = body.max_tokens === 0 && body.echo === true;
  const wish = samplingWish(body, promptOnly);
  const plan = await serving.planner.plan(body as OutputFields, "completion"); // shapes checked by the schema
  checkChoices(body);
  const prompts = await readPrompts(serving, body);
  const sampling: CheckedSampling[] = [];
  for (const prompt of prompts)
    sampling.push(await checkedSampling(serving, body, { prompt, wish }));
  return { plan, prompts, sampling, promptOnly };
}

function samplingWish(body: CompletionRequest, promptOnly: boolean): SamplingWish {
  const { logprobs } = body;
  // Echo with logprobs scores the prompt; a stream of it too.
  const promptLogprobs =
    body.prompt_logprobs ?? (body.echo && typeof logprobs === "number" ? logprobs : undefined);
  return {
    maxTokens: promptOnly ? 1 : (body.max_tokens ?? 16),
    ...(typeof logprobs === "number" && { logprobs }),
    ...(typeof promptLogprobs === "number" && { promptLogprobs }),
  };
}

/** Prompts times n: each is a sequence, and costs memory before it costs time. */
function checkChoices({ prompt, n }: CompletionRequest): void {
  const prompts = Array.isArray(prompt) && !isNumbers(prompt) ? prompt.length : 1;
  const choices = prompts * Math.max(1, n ?? 1);
  if (prompts > 1 && choices > MAX_CHOICES) {
    throw badRequest(
      `The number of prompts times n must be at most ${MAX_CHOICES}, got ${choices}.`,
      "n",
      n,
    );
  }
}

async function readPrompts(serving: Serving, body: CompletionRequest): Promise<readonly Prompt[]> {
  const { prompt } = body;
  const options = tokenizeOptions(body, true);
  const text = (one: string) => textPrompt(one, serving.tokenizer, serving, options);
  if (prompt === undefined || prompt === null || prompt === "") throw noPrompt();
  if (typeof prompt === "string") return [await text(prompt)];
  if (prompt.length === 0) throw badRequest("You must pass at least one prompt");
  if (isNumbers(prompt)) return [idsPrompt(prompt, serving, options)];
  const read: Prompt[] = [];
  for (const one of prompt) {
    read.push(typeof one === "string" ? await text(one) : idsPrompt(one, serving, options));
  }
  return read;
}

function isNumbers(prompt: readonly unknown[]): prompt is readonly number[] {
  return typeof prompt[0] === "number";
}

function noPrompt() {
  return badRequest("Either prompt or prompt_embeds must be provided and non-empty.", "prompt");
}
