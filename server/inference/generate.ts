/**
 * POST /inference/v1/generate: token ids in, token ids out, for servers that render and
 * derender elsewhere (`--enable-scale-out`); and POST /inference/v1/abort_requests.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import type { PositionLogprobs } from "../../device/device.ts";
import type { Constraint, GenerationRequest } from "../../engine/sequence.ts";
import { entryAt } from "../entry-at.ts";
import { Exchange, type StreamResponder } from "../exchange/exchange.ts";
import type { ChoiceDelta } from "../generation/choice.ts";
import { nullable, requestId, fields as shared } from "../generation/fields.ts";
import { ForcedIds } from "../generation/forced-ids.ts";
import type { Running } from "../generation/generate.ts";
import type { OutputFields } from "../generation/planner.ts";
import { checkedSampling } from "../generation/prepare.ts";
import { idsPrompt } from "../generation/prompt.ts";
import { ApiError, badRequest } from "../http/errors.ts";
import { invalidShape, withBodyChecks } from "../http/validation.ts";
import { checkCacheSalt } from "../openai/body-checks.ts";
import { DONE, event, failed } from "../openai/events.ts";
import { chatLogprobs, promptLogprobs, TokenNames } from "../openai/logprobs.ts";
import { requestMetrics, tokenCounts } from "../openai/usage.ts";
import { type Serving, servedName } from "../serving.ts";
import { type SamplingParamsBody, samplingParamsBody } from "./params.ts";

export const generateRequest = withBodyChecks(
  Type.Object({
    request_id: Type.Optional(requestId),
    token_ids: Type.Array(Type.Integer(), { minItems: 1 }),
    sampling_params: samplingParamsBody,
    model: nullable(Type.String()),
    return_token_ids: nullable(Type.Boolean()),
    output_mode: Type.Optional(Type.Enum(["tokens", "text"])),
    stream: nullable(Type.Boolean()),
    stream_options: shared.stream_options,
    cache_salt: nullable(Type.String()),
    priority: Type.Optional(Type.Integer()),
    // Written by a renderer; nothing here depends on them.
    token_offsets: Type.Optional(Type.Unknown()),
    reasoning_ended: nullable(Type.Boolean()),
    reasoning_parser_kwargs: Type.Optional(Type.Unknown()),
    // Known to vLLM, not served here.
    features: Type.Optional(Type.Unknown()),
    content_parts: nullable(Type.Array(Type.Unknown())),
    kv_transfer_params: nullable(Type.Record(Type.String(), Type.Unknown())),
    ec_transfer_params: nullable(Type.Record(Type.String(), Type.Unknown())),
  }),
  [checkCacheSalt],
);

type GenerateRequest = Static<typeof generateRequest>;

/** Clients choose ids, so several may run under one: all are aborted, as in vLLM. */
type RunningById = Map<string, Set<Running>>;

export function generateRoutes(app: FastifyInstance, serving: Serving): void {
  const running: RunningById = new Map();
  app.post<{ Body: GenerateRequest }>(
    "/inference/v1/generate",
    { schema: { body: generateRequest } },
    (request, reply) => answer({ serving, running }, request, reply),
  );
  app.post(
    "/inference/v1/abort_requests",
    { config: { readsBody: true } },
    async ({ body }, reply) => {
      const ids = (body as { readonly request_ids?: unknown } | null)?.request_ids; // any JSON value
      if (ids === undefined || ids === null) {
        throw new ApiError("invalid", "Missing 'request_ids' in request body");
      }
      // What is no text is nobody's id.
      for (const id of Array.isArray(ids) ? ids : [ids]) {
        for (const generation of running.get(id) ?? []) generation.abort();
      }
      return reply.code(200).send();
    },
  );
}

interface Answer {
  readonly serving: Serving;
  readonly body: GenerateRequest;
  readonly id: string;
  readonly model: string;
  readonly created: number;
  readonly generation: Running;
}

async function answer(
  { serving, running }: { readonly serving: Serving; readonly running: RunningById },
  request: FastifyRequest<{ Body: GenerateRequest }>,
  reply: FastifyReply,
): Promise<unknown> {
  const { body } = request;
  for (const field of UNBUILT) {
    const value = body[field];
    const empty = typeof value === "object" && Object.keys(value ?? {}).length === 0;
    if (value !== undefined && !empty) {
      throw badRequest(`The field \`${field}\` is not supported.`, field);
    }
  }
  if (body.token_ids.some((id) => id < 0)) {
    const message = "token_ids must not contain negative values";
    throw invalidShape(["token_ids"], message, { input: body.token_ids });
  }
  const model = servedName(serving, body.model);
  if (Array.isArray(body.content_parts) && body.content_parts.length > 0) {
    throw badRequest(`${model} is not a multimodal model`);
  }
  const exchange = new Exchange(
    serving,
    { request, reply },
    { prefix: "generate-tokens", requestId: body.request_id, model: body.model },
  );
  const { id } = exchange;
  const { requests, task } = await prepare(serving, body, exchange.priority(body.priority));
  const { rank } = exchange;
  const generation = exchange.start({ ...task, requests, ...(rank !== undefined && { rank }) });
  if (generation === undefined) return reply.hijack();
  const alike = running.get(id) ?? new Set();
  running.set(id, alike.add(generation));
  reply.raw.on("close", () => {
    if (alike.delete(generation) && alike.size === 0) running.delete(id);
  });
  const made = { serving, body, id, model, created: exchange.created, generation };
  if (body.stream) {
    await exchange.stream(generation, streamed(made));
    return reply;
  }
  const deltas = await exchange.collect(generation);
  return deltas === undefined ? reply.hijack() : whole(made, deltas);
}

const UNBUILT = ["features", "kv_transfer_params", "ec_transfer_params"] as const;

async function prepare(serving: Serving, body: GenerateRequest, priority: number) {
  const given = body.sampling_params;
  if (given.detokenize === false && given.stop?.length) {
    throw badRequest(
      "stop strings are only supported when detokenize is True. Set detokenize=True to use stop.",
    );
  }
  const prompt = idsPrompt(body.token_ids, serving, {});
  const trace = traceOf(serving, given);
  const plan = await serving.planner.plan(
    {
      structured_outputs: given.structured_outputs,
      thinking_token_budget: given.thinking_token_budget,
    } as OutputFields,
    "completion",
  );
  // What is replayed ends where the recording ends, by nothing else.
  const fields: SamplingParamsBody =
    trace === undefined
      ? given
      : { ...given, min_tokens: 0, ignore_eos: true, stop: [], stop_token_ids: [] };
  const { maxModelLen } = serving;
  if (prompt.ids.length > maxModelLen) {
    throw badRequest(
      `The decoder prompt (length ${prompt.ids.length}) is longer than the maximum model length of ${maxModelLen}. Make sure that \`max_model_len\` is no smaller than the number of text tokens.`,
    );
  }
  const room = Math.max(1, maxModelLen - prompt.ids.length);
  const wished = given.max_tokens ?? trace?.length;
  // What does not fit is not asked for, as in vLLM.
  const maxTokens =
    typeof wished === "number" ? Math.min(wished, room, trace?.length ?? wished) : wished;
  const { logprobs, prompt_logprobs: prompted } = given;
  const sampling = await checkedSampling(serving, fields, {
    prompt,
    wish: {
      ...(typeof maxTokens === "number" && { maxTokens }),
      ...(typeof logprobs === "number" && { logprobs }),
      ...(typeof prompted === "number" && { promptLogprobs: prompted }),
    },
  });
  const constraints: readonly Constraint[] | undefined =
    trace === undefined
      ? await plan.constraints?.(sampling.n, prompt.text)
      : [new ForcedIds(trace)];
  const requests: readonly GenerationRequest[] = [
    {
      ...{ prompt: prompt.ids, params: sampling.params, n: sampling.n, priority },
      ...(body.cache_salt && { salt: body.cache_salt }),
      ...(constraints !== undefined && { constraints }),
    },
  ];
  const { stop, includeStop } = sampling;
  const skipSpecialTokens = given.skip_special_tokens ?? true;
  return { requests, task: { stop, includeStop, skipSpecialTokens } };
}

/** Undefined: nothing is replayed. */
function traceOf(
  { settings, vocabSize, samples }: Serving,
  given: SamplingParamsBody,
): readonly number[] | undefined {
  const ids = given.trace_decode_token_ids;
  if (ids === undefined || ids === null) return undefined;
  const name = "trace_decode_token_ids";
  if (ids.length === 0) throw badRequest(`${name} must be a non-empty list.`);
  if (!settings["enable-trace-replay"]) {
    throw badRequest(
      `${name} is set but trace replay is not enabled. Start the engine with --enable-trace-replay to use it.`,
    );
  }
  if (!samples) throw badRequest(`${name} needs a device that draws from logits.`, name);
  if ((given.n ?? 1) !== 1) throw badRequest(`${name} requires n=1.`);
  if (ids.some((id) => id < 0)) throw badRequest(`${name} must contain non-negative integers.`);
  const wrong = (["prompt_logprobs", "structured_outputs", "bad_words"] as const).find((field) => {
    const value = given[field];
    return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
  });
  if (wrong !== undefined) {
    throw badRequest(`${name} is not supported with ${wrong.replace("_outputs", " outputs")}.`);
  }
  if (settings["speculative-config"] !== undefined) {
    throw badRequest(`${name} is not supported with speculative decoding.`);
  }
  const outside = ids.filter((id) => id >= vocabSize);
  if (outside.length > 0) {
    throw badRequest(
      `token_id(s) [${outside.slice(0, 20).join(", ")}] in ${name} contain out-of-vocab token ids. Vocabulary size: ${vocabSize}`,
      name,
      `[${outside.slice(0, 20).join(", ")}]`,
    );
  }
  return ids;
}

/** Text is one more reading of the ids; the ids are always told. */
const isText = ({ output_mode: mode }: GenerateRequest): boolean => mode === "text";

function choiceOf(
  { serving, body, generation }: Answer,
  delta: ChoiceDelta,
  top: number | undefined,
): object {
  const { index, ids, finish, text } = delta;
  const names = new TokenNames(
    serving.tokenizer,
    serving.settings["return-tokens-as-token-ids"] && !isText(body),
  );
  const logprobs = top === undefined ? null : logprobsOf(body, delta, { names, top });
  const total = generation.choices[index]?.tokens ?? ids.length;
  return {
    index,
    finish_reason: finish?.reason ?? (body.stream ? null : "stop"),
    stop_reason: finish?.stopReason ?? null,
    token_ids: ids,
    routed_experts: null,
    sampling_mask: null,
    weight_versions: finish === undefined ? null : [{ version: "default", start: 0, end: total }],
    ...(isText(body) && { text }),
    logprobs,
  };
}

function logprobsOf(
  body: GenerateRequest,
  { ids, logprobs }: ChoiceDelta,
  { names, top }: { readonly names: TokenNames; readonly top: number },
): object {
  if (!isText(body))
    return { content: logprobs.map((one, i) => position(entryAt(ids, i), one, top)) };
  const { content } = chatLogprobs(ids, logprobs, { names, top: -1, named: false });
  return {
    content: content.map(({ token, logprob, bytes, top_logprobs: others }) => {
      const own = { token, logprob, bytes };
      const rest = others.filter((other) => other.token !== token);
      return { ...own, top_logprobs: [own, ...rest].slice(0, Math.max(1, top)) };
    }),
  };
}

/** vLLM's floor: JSON has no −∞. */
const FLOOR = -9999;

function position(id: number, at: PositionLogprobs, top: number): object {
  const own = { token_id: id, logprob: Math.max(at.chosen, FLOOR), rank: at.rank };
  const others = at.topIds
    .map((other, rank) => ({
      token_id: other,
      logprob: Math.max(entryAt(at.topLogprobs, rank), FLOOR),
      rank: rank + 1,
    }))
    .filter((other) => other.token_id !== id);
  // The drawn token is always among them.
  return { ...own, top_logprobs: [own, ...others].slice(0, Math.max(1, top)) };
}

const topOf = ({ sampling_params: { logprobs } }: GenerateRequest): number | undefined =>
  typeof logprobs === "number" ? logprobs : undefined;

function usageOf({ body, generation }: Answer): object {
  return tokenCounts(body.token_ids.length, generation.outputTokens);
}

function whole(made: Answer, deltas: readonly ChoiceDelta[]): object {
  const { serving, body, id, model, created, generation } = made;
  const { settings } = serving;
  const prompted = deltas.find((delta) => delta.promptLogprobs !== undefined)?.promptLogprobs;
  const names = new TokenNames(serving.tokenizer, false);
  return {
    request_id: id,
    model,
    created,
    usage: {
      ...usageOf(made),
      prompt_tokens_details: settings["enable-prompt-tokens-details"]
        ? {
            cached_tokens: generation.cachedTokens,
            created_cache_tokens: null,
            multimodal_tokens: null,
          }
        : null,
      completion_tokens_details: null,
    },
    prompt_logprobs:
      prompted === undefined
        ? null
        : promptLogprobs(Int32Array.from(body.token_ids), prompted, names),
    prompt_token_id_logprobs: null,
    prompt_token_ids: body.return_token_ids ? body.token_ids : null,
    mm_placeholders: null,
    metrics: requestMetrics(generation, serving),
    kv_transfer_params: null,
    ec_transfer_params: null,
    output_mode: body.output_mode ?? "tokens",
    choices: deltas.map((delta) => choiceOf(made, delta, topOf(body))),
  };
}

function streamed(made: Answer): StreamResponder {
  const { body, id } = made;
  const mode = body.output_mode ?? "tokens";
  let first = true;
  return {
    deltas: (deltas) =>
      deltas.map((delta) => {
        const ids = first && body.return_token_ids ? { prompt_token_ids: body.token_ids } : {};
        first = false;
        const choices = [choiceOf(made, delta, topOf(body))];
        const { include_usage: asked, continuous_usage_stats: all } = body.stream_options ?? {};
        const usage =
          asked && all
            ? {
                ...usageOf(made),
                prompt_tokens_details: null,
                completion_tokens_details: null,
              }
            : null;
        return event({ request_id: id, usage, ...ids, output_mode: mode, choices });
      }),
    end: () => {
      if (!body.stream_options?.include_usage) return [DONE];
      const last = { request_id: id, usage: usageOf(made), output_mode: mode, choices: [] };
      return [event(last), DONE];
    },
    failed,
  };
}
