/**
 * POST …/derender (`--enable-scale-out`): ids that came out elsewhere, as the answer that
 * this server would have given. A stream comes chunk by chunk; what was read so far goes
 * back and forth in `stream_state`, for the server keeps nothing.
 */
import { isDeepStrictEqual } from "node:util";
import type { FastifyInstance } from "fastify";
import { type Static, type TSchema, Type } from "typebox";
import type { ChatFields } from "../generation/chat.ts";
import { nullable } from "../generation/fields.ts";
import { ChoiceReader, PLAIN } from "../generation/parser.ts";
import { callsOf, finishOf, type OutputDelta, textOf } from "../generation/parts.ts";
import type { OutputFields, OutputPlan } from "../generation/planner.ts";
import { badRequest } from "../http/errors.ts";
import { callDeltas } from "../openai/chat/respond.ts";
import { chatRequest } from "../openai/chat/schema.ts";
import { completionRequest } from "../openai/completions/schema.ts";
import { tokenCounts } from "../openai/usage.ts";
import { type Serving, servedName } from "../serving.ts";
import { chatLogprobsOf, idLogprobs, textLogprobsOf } from "./logprobs.ts";

const ids = Type.Array(Type.Integer({ minimum: 0 }));
const REASONS = ["stop", "length", "abort", "error"] as const;

const choice = Type.Object({
  index: Type.Integer(),
  finish_reason: nullable(Type.String()),
  stop_reason: nullable(Type.Union([Type.Integer(), Type.String()])),
  token_ids: nullable(ids),
  logprobs: nullable(idLogprobs),
});

const generated = Type.Object({
  request_id: Type.Optional(Type.String()),
  choices: Type.Array(choice),
  prompt_token_ids: nullable(ids),
  prompt_logprobs: nullable(
    Type.Array(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])),
  ),
  kv_transfer_params: nullable(Type.Record(Type.String(), Type.Unknown())),
});

const state = Type.Object({
  role_sent: Type.Optional(Type.Boolean()),
  output_token_ids: Type.Optional(ids),
  output_chunk_lens: Type.Optional(Type.Array(Type.Integer({ minimum: 1 }))),
});

const common = {
  stream: nullable(Type.Boolean()),
  model: nullable(Type.String()),
  generate_chunk: Type.Optional(generated),
  stream_state: nullable(state),
};

export const derenderChatRequest = Type.Object({
  ...common,
  generate_response: Type.Optional(generated),
  prompt_tokens: nullable(Type.Integer()),
  prompt_token_ids: nullable(ids),
  chat_request: nullable(chatRequest),
});

export const derenderCompletionRequest = Type.Object({
  ...common,
  generate_responses: Type.Optional(Type.Array(generated)),
  prompt_tokens: nullable(Type.Union([Type.Integer(), Type.Array(Type.Integer())])),
  prompt_token_ids: nullable(Type.Union([ids, Type.Array(Type.Union([ids, Type.Null()]))])),
  completion_request: nullable(completionRequest),
});

type ChatBody = Static<typeof derenderChatRequest>;
type CompletionBody = Static<typeof derenderCompletionRequest>;
type Generated = Static<typeof generated>;
type State = Static<typeof state>;

export function derenderRoutes(app: FastifyInstance, serving: Serving): void {
  const route = <Body>(
    path: string,
    schema: TSchema,
    derender: (body: Body, model: string) => Promise<object>,
  ): void => {
    app.post<{ Body: Body & { readonly model?: string | null } }>(
      `${path}/derender`,
      { schema: { body: schema } },
      ({ body }) => derender(body as Body, servedName(serving, (body as ChatBody).model)), // proved by the schema
    );
  };
  route<ChatBody>("/v1/chat/completions", derenderChatRequest, (body, model) =>
    derenderChat(serving, body, model),
  );
  route<CompletionBody>("/v1/completions", derenderCompletionRequest, (body, model) =>
    derenderCompletion(serving, body, model),
  );
}

const now = (): number => Math.floor(Date.now() / 1000);

async function derenderChat(serving: Serving, body: ChatBody, model: string): Promise<object> {
  const { settings } = serving;
  if (body.generate_response) checkBounds(serving, [body.generate_response]);
  const parses = settings["tool-call-parser"] || settings["reasoning-parser"];
  if (parses && !body.chat_request) {
    throw badRequest(
      "chat_request is required when a tool or reasoning parser is configured because plain detokenization would leak raw parser markup into content.",
    );
  }
  const plan = body.chat_request
    ? await serving.planner.plan(body.chat_request as OutputFields, "chat")
    : {};
  const reader = readerOf(serving, plan, {
    prompt: body.prompt_token_ids ?? body.generate_response?.prompt_token_ids ?? [],
    fields: body.chat_request as ChatFields | null | undefined,
  });
  if (body.stream) return chatChunk(serving, body, { model, reader, plan });
  const response = given(body.generate_response, "generate_response");
  const empty = response.choices.find((one) => !one.token_ids?.length);
  if (empty) throw badRequest(`choice ${empty.index} has empty or null token_ids`);
  const choices = response.choices.map((one) => {
    const { parts } = reader([one.token_ids ?? []], one);
    const calls = callsOf(parts);
    const finish = finishOf(parts);
    const reason =
      finish && plan.finishReason?.({ ...finish, toolCalls: calls.length, streamed: false });
    return {
      index: one.index,
      message: {
        ...{ role: settings["response-role"], content: textOf(parts, "text-delta") ?? null },
        ...{ refusal: null, annotations: null, audio: null, function_call: null },
        ...(calls.length > 0 && {
          tool_calls: calls.map(({ id, name, arguments: text }) => ({
            ...{ id, type: "function", function: { name, arguments: text } },
          })),
        }),
        reasoning: textOf(parts, "reasoning-delta") ?? null,
      },
      logprobs: chatLogprobsOf(serving, one.logprobs),
      finish_reason: reason ?? one.finish_reason ?? "stop",
      stop_reason: one.stop_reason ?? null,
      token_ids: null,
      routed_experts: null,
    };
  });
  return {
    ...{ id: response.request_id ?? "", object: "chat.completion", created: now(), model, choices },
    ...{ service_tier: null, system_fingerprint: null },
    usage: usageOf(body.prompt_tokens ?? 0, response),
    ...{ prompt_logprobs: response.prompt_logprobs ?? null },
    ...{ prompt_token_ids: null, prompt_text: null },
    ...{ kv_transfer_params: response.kv_transfer_params ?? null },
    ...{ ec_transfer_params: null, metrics: null },
  };
}

/** As vLLM bounds what it passes on. */
function checkBounds(serving: Serving, responses: readonly Generated[]): void {
  const most = serving.maxModelLen;
  for (const { request_id: id = "", prompt_logprobs: list } of responses) {
    if (list && list.length > most) {
      throw badRequest(
        `prompt_logprobs length (${list.length}) in response '${id}' exceeds max_model_len (${most}).`,
      );
    }
  }
}

/** What all of them say; null where they differ. */
function sharedTransfer(responses: readonly Generated[]): object | null {
  const [first = null, ...rest] = responses.map((one) => one.kv_transfer_params ?? null);
  return rest.every((other) => isDeepStrictEqual(other, first)) ? first : null;
}

interface Reading {
  readonly model: string;
  readonly plan: OutputPlan;
  readonly reader: Reader;
}

function chatChunk(serving: Serving, body: ChatBody, { model, reader, plan }: Reading): object {
  const chunk = given(body.generate_chunk, "generate_chunk");
  const before = body.stream_state ?? {};
  const head = {
    id: chunk.request_id ?? "",
    object: "chat.completion.chunk",
    created: now(),
    model,
  };
  const [one] = chunk.choices;
  if (one === undefined) {
    return { chunk: { ...head, choices: [], usage: null }, stream_state: fullState(before) };
  }
  const fresh = one.token_ids ?? [];
  const { parts } = reader([...earlier(before), fresh], one);
  const role = before.role_sent ? {} : { role: serving.settings["response-role"] };
  const content = textOf(parts, "text-delta");
  const reasoning = textOf(parts, "reasoning-delta");
  const calls = callDeltas(parts);
  const finish = finishOf(parts);
  const reason =
    finish && plan.finishReason?.({ ...finish, toolCalls: finish.calls, streamed: true });
  return {
    chunk: {
      ...head,
      choices: [
        {
          index: one.index,
          delta: {
            ...role,
            ...(content !== undefined && { content }),
            ...(reasoning !== undefined && { reasoning }),
            ...(calls.length > 0 && { tool_calls: calls }),
          },
          logprobs: null,
          finish_reason: reason ?? one.finish_reason ?? null,
          stop_reason: one.stop_reason ?? null,
        },
      ],
      usage: null,
    },
    stream_state: fullState(grown({ ...before, role_sent: true }, fresh)),
  };
}

async function derenderCompletion(
  serving: Serving,
  body: CompletionBody,
  model: string,
): Promise<object> {
  const read: ReaderFor = (prompt) =>
    readerOf(serving, {}, { prompt, fields: body.completion_request as ChatFields | null });
  return body.stream
    ? completionChunk(body, model, read)
    : wholeCompletion(serving, body, { model, read });
}

/** A reader of what came after a prompt. */
type ReaderFor = (prompt: readonly number[]) => Reader;

function completionChunk(body: CompletionBody, model: string, read: ReaderFor): object {
  const chunk = given(body.generate_chunk, "generate_chunk");
  const before = body.stream_state ?? {};
  const prompt = (body.prompt_token_ids ?? []) as readonly number[];
  const [one] = chunk.choices;
  const fresh = one?.token_ids ?? [];
  const { parts } = one ? read(prompt)([...earlier(before), fresh], one) : { parts: [] };
  const choices = one && {
    ...{ index: one.index, text: textOf(parts, "text-delta") ?? "", logprobs: null },
    ...{ finish_reason: one.finish_reason ?? null, stop_reason: one.stop_reason ?? null },
    ...{ prompt_token_ids: null, token_ids: null },
  };
  return {
    chunk: {
      ...{ id: chunk.request_id ?? "", object: "text_completion", created: now(), model },
      ...{ choices: choices ? [choices] : [], usage: null, system_fingerprint: null },
      metrics: null,
    },
    stream_state: fullState(grown(before, fresh)),
  };
}

function wholeCompletion(
  serving: Serving,
  body: CompletionBody,
  { model, read }: { readonly model: string; readonly read: ReaderFor },
): object {
  const responses = given(body.generate_responses, "generate_responses");
  if (responses.length === 0) throw badRequest("generate_responses must not be empty");
  checkBounds(serving, responses);
  const counts = Array.isArray(body.prompt_tokens) ? body.prompt_tokens : [];
  for (const field of ["prompt_tokens", "prompt_token_ids"] as const) {
    const list = body[field];
    if (Array.isArray(list) && list.length !== responses.length) {
      throw badRequest(
        `${field} length (${list.length}) must equal generate_responses length (${responses.length})`,
        field,
      );
    }
  }
  const prompts = (body.prompt_token_ids ?? []) as readonly (readonly number[] | null)[];
  for (const { request_id: id = "", choices: given } of responses) {
    const empty = given.find((one) => !one.token_ids?.length);
    if (empty) {
      throw badRequest(`choice ${empty.index} in response ${id} has empty or null token_ids`);
    }
  }
  const choices = responses.flatMap((response, at) =>
    response.choices.map((one) => {
      const prompt = prompts[at] ?? response.prompt_token_ids ?? [];
      const { parts } = read(prompt)([one.token_ids ?? []], one);
      return { one, text: textOf(parts, "text-delta") ?? "" };
    }),
  );
  const usages = responses.map((response, at) => usageOf(counts[at] ?? 0, response));
  const sum = (name: "prompt_tokens" | "completion_tokens") =>
    usages.reduce((all, usage) => all + usage[name], 0);
  return {
    ...{ id: responses[0]?.request_id ?? "", object: "text_completion", created: now(), model },
    choices: choices.map(({ one, text }, index) => ({
      ...{ index, text, logprobs: textLogprobsOf(serving, one.logprobs) },
      finish_reason: one.finish_reason ?? "stop",
      ...{ stop_reason: one.stop_reason ?? null, token_ids: null, prompt_logprobs: null },
      ...{ prompt_token_ids: null, routed_experts: null },
    })),
    ...{ service_tier: null, system_fingerprint: null },
    usage: { ...tokenCounts(sum("prompt_tokens"), sum("completion_tokens")), ...NO_DETAILS },
    ...{ kv_transfer_params: sharedTransfer(responses), ec_transfer_params: null, metrics: null },
  };
}

const NO_DETAILS = { prompt_tokens_details: null, completion_tokens_details: null };

function usageOf(promptTokens: number, { choices }: Generated) {
  const output = choices.reduce((sum, one) => sum + (one.token_ids?.length ?? 0), 0);
  return { ...tokenCounts(promptTokens, output), ...NO_DETAILS };
}

function given<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw badRequest("Field required", field);
  return value;
}

/** Reads chunks of ids, all but the last of them for their state alone. */
type Reader = (
  chunks: readonly (readonly number[])[],
  end: Static<typeof choice>,
) => Pick<OutputDelta, "parts">;

function readerOf(
  { tokenizer, promptVocabSize, maxModelLen }: Serving,
  plan: OutputPlan,
  {
    prompt,
    fields,
  }: { readonly prompt: readonly number[]; readonly fields: ChatFields | null | undefined },
): Reader {
  if (tokenizer === undefined) throw badRequest("This model has no tokenizer.");
  return (chunks, end) => {
    const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (total > maxModelLen) throw badRequest(`More than ${maxModelLen} output tokens were given.`);
    const outside = chunks.flat().find((id) => id >= promptVocabSize);
    if (outside !== undefined) throw badRequest(`Token id ${outside} is out of vocabulary`);
    const decoder = tokenizer.decoder({
      skipSpecial: plan.skipSpecialTokens ?? fields?.skip_special_tokens ?? true,
      after: Int32Array.from(prompt.slice(-8)),
    });
    const promptText = plan.parser && tokenizer.decode(prompt, { skipSpecial: false });
    const reader = new ChoiceReader(plan.parser?.(promptText) ?? PLAIN);
    let last: Pick<OutputDelta, "parts"> = { parts: [] };
    chunks.forEach((chunk, at) => {
      const final = at === chunks.length - 1 && Boolean(end.finish_reason);
      const text = chunk.map((id) => decoder.push(id)).join("") + (final ? decoder.end() : "");
      const known = REASONS.find((reason) => reason === end.finish_reason) ?? "stop";
      last = reader.read({
        ...{ index: end.index, text, ids: chunk, logprobs: [] },
        ...(final && { finish: { reason: known, stopReason: end.stop_reason ?? null } }),
      });
    });
    return last;
  };
}

function earlier(before: State): readonly (readonly number[])[] {
  const all = before.output_token_ids ?? [];
  const lengths = before.output_chunk_lens ?? [];
  if (lengths.reduce((sum, one) => sum + one, 0) !== all.length) {
    throw badRequest("output_chunk_lens must sum to len(output_token_ids)", "stream_state");
  }
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return all.slice(at - length, at);
  });
}

function grown(before: State, fresh: readonly number[]): State {
  if (fresh.length === 0) return before;
  return {
    ...before,
    output_token_ids: [...(before.output_token_ids ?? []), ...fresh],
    output_chunk_lens: [...(before.output_chunk_lens ?? []), fresh.length],
  };
}

function fullState({ role_sent, output_token_ids, output_chunk_lens }: State): object {
  return {
    role_sent: role_sent ?? false,
    output_token_ids: output_token_ids ?? [],
    output_chunk_lens: output_chunk_lens ?? [],
  };
}
