/**
 * Chat answers, to the byte: keys in vLLM's order, nulls where vLLM has them
 * (vllm-compatible shapes; a stream carries only fields that were set).
 */
import { randomUUID } from "node:crypto";
import { contentText } from "../../generation/chat-prompt.ts";
import type { ChoiceDelta } from "../../generation/choice.ts";
import type { Generation } from "../../generation/generate.ts";
import {
  type OutputParser,
  type OutputPart,
  PLAIN,
  type ToolCallDelta,
} from "../../generation/parser.ts";
import type { OutputPlan } from "../../generation/planner.ts";
import type { StreamOptions } from "../../generation/prepare.ts";
import type { Prompt } from "../../generation/prompt.ts";
import type { Exchange, StreamResponder } from "../../http/exchange.ts";
import type { Serving } from "../../serving.ts";
import { chatLogprobs, promptLogprobs, TokenNames } from "../logprobs.ts";
import { fingerprintOf, lastChunk, requestMetrics, usage, usageSoFar } from "../usage.ts";
import type { ChatRequest } from "./schema.ts";

/** All that an answer is made of. */
export interface ChatAnswer {
  readonly serving: Serving;
  readonly exchange: Exchange;
  readonly model: string;
  readonly body: ChatRequest;
  readonly prompt: Prompt;
  readonly plan: OutputPlan;
  readonly generation: Generation;
}

/** Finish reasons as the wire has them. */
function wireReason(answer: ChatAnswer, delta: ChoiceDelta, toolCalls: number): string {
  const reason = delta.finish?.reason ?? "stop";
  const streamed = answer.body.stream === true;
  return answer.plan.finishReason?.({ reason, toolCalls, streamed }) ?? reason;
}

/** Ids and logprobs would give hidden reasoning away. */
function hidesTokens({ body, serving: { settings } }: ChatAnswer): boolean {
  const parsed = settings["reasoning-parser"] || settings["tool-call-parser"];
  return body.include_reasoning === false && Boolean(parsed);
}

function namesOf({ serving, body }: ChatAnswer): TokenNames {
  const asIds = body.return_tokens_as_token_ids ?? serving.settings["return-tokens-as-token-ids"];
  return new TokenNames(serving.tokenizer, asIds);
}

function logprobsOf(answer: ChatAnswer, names: TokenNames, delta: ChoiceDelta) {
  const { body } = answer;
  if (!body.logprobs || hidesTokens(answer)) return null;
  const named = Boolean(body.logprob_token_ids?.length);
  const top = named ? -1 : (body.top_logprobs ?? 0);
  return chatLogprobs(delta.ids, delta.logprobs, { names, top, named });
}

/** The last message's content, which `echo` repeats when its role is the answer's. */
function echoed({ body, serving }: ChatAnswer): string {
  const last = body.messages.at(-1);
  return body.echo && last?.role === roleOf(body, serving) ? contentText(last.content) : "";
}

function roleOf(body: ChatRequest, { settings }: Serving): string {
  if (body.add_generation_prompt ?? true) return settings["response-role"];
  return body.messages.at(-1)?.role ?? settings["response-role"];
}

/** Counted wherever the server parses reasoning, in requests that switch it off too. */
function reasoningOf({ serving: { settings } }: ChatAnswer, parsers: readonly OutputParser[]) {
  if (!settings["reasoning-parser"]) return {};
  return { reasoningTokens: parsers.reduce((sum, one) => sum + (one.reasoningTokens ?? 0), 0) };
}

function newParser({ plan, prompt }: ChatAnswer): OutputParser {
  return plan.parser?.(prompt.text) ?? PLAIN;
}

/** The answer of a request that does not stream. */
export function chatResponse(answer: ChatAnswer, deltas: readonly ChoiceDelta[]) {
  const { serving, exchange, body, prompt, generation } = answer;
  const names = namesOf(answer);
  const role = roleOf(body, serving);
  // Where a call was asked for the content is empty text, as in vLLM.
  const absent =
    typeof body.tool_choice === "object" || body.tool_choice === "required" ? "" : null;
  const withIds = body.return_token_ids && !hidesTokens(answer);
  const parsers: OutputParser[] = [];
  const choices = deltas.map((delta) => {
    const parser = newParser(answer);
    parsers.push(parser);
    const parts = [parser.push(delta.text, delta.ids), parser.end()];
    const reasoning = join(parts, "reasoning");
    const calls = joinCalls(parts);
    const content = join(parts, "content");
    return {
      index: delta.index,
      message: {
        role,
        content: body.echo ? echoed(answer) + (content ?? "") : (content ?? absent),
        refusal: null,
        annotations: null,
        audio: null,
        function_call: null,
        ...(calls.length > 0 && { tool_calls: calls }),
        reasoning: body.include_reasoning === false ? null : (reasoning ?? null),
      },
      logprobs: logprobsOf(answer, names, delta),
      finish_reason: wireReason(answer, delta, calls.length),
      stop_reason: delta.finish?.stopReason ?? null,
      token_ids: withIds ? delta.ids : null,
      routed_experts: null,
    };
  });
  const prompted = deltas.find((delta) => delta.promptLogprobs !== undefined)?.promptLogprobs;
  return {
    id: exchange.id,
    object: "chat.completion",
    created: exchange.created,
    model: answer.model,
    choices,
    service_tier: null,
    system_fingerprint: serving.fingerprint,
    usage: usage({
      promptTokens: prompt.ids.length,
      generation,
      settings: serving.settings,
      ...reasoningOf(answer, parsers),
    }),
    prompt_logprobs: prompted === undefined ? null : promptLogprobs(prompt.ids, prompted, names),
    prompt_token_ids: body.return_token_ids ? [...prompt.ids] : null,
    prompt_text: body.return_prompt_text ? (prompt.text ?? null) : null,
    kv_transfer_params: null,
    ec_transfer_params: null,
    metrics: requestMetrics(generation, serving.settings),
  };
}

/** One choice of a stream. */
interface StreamedChoice {
  readonly parser: OutputParser;
  toolCalls: number;
}

/** The chunks of a stream, in vLLM's order. */
export function chatStream(answer: ChatAnswer, options: StreamOptions): StreamResponder {
  const { serving, exchange, body, prompt, generation } = answer;
  const { settings } = serving;
  const names = namesOf(answer);
  const role = roleOf(body, serving);
  const choices: StreamedChoice[] = generation.choices.map(() => ({
    parser: newParser(answer),
    toolCalls: 0,
  }));
  const head = {
    id: exchange.id,
    object: "chat.completion.chunk",
    created: exchange.created,
    model: answer.model,
  };
  const withIds = body.return_token_ids && !hidesTokens(answer);
  const chunk = (choice: object, usageSoFar: object, further: object = {}) =>
    JSON.stringify({
      ...head,
      choices: [choice],
      ...(options.continuousUsage && { usage: usageSoFar }),
      ...further,
    });
  const soFar = (tokens: number, parser?: OutputParser) =>
    usageSoFar(
      prompt.ids.length,
      tokens,
      reasoningOf(answer, parser === undefined ? [] : [parser]),
    );
  /** Before the first delta, whichever choice it is of: the role of each choice, then the echo of each. */
  const start = (): string[] => {
    const each = (delta: object, further: object = {}): string[] =>
      choices.map((_, index) =>
        chunk({ index, delta, logprobs: null, finish_reason: null }, soFar(0), further),
      );
    const events = each(
      { role, content: "" },
      {
        prompt_token_ids: body.return_token_ids ? [...prompt.ids] : null,
        prompt_text: body.return_prompt_text ? (prompt.text ?? null) : null,
      },
    );
    const echo = echoed(answer);
    return echo === "" ? events : [...events, ...each({ content: echo })];
  };
  let started = false;
  const one = (delta: ChoiceDelta): string[] => {
    const choice = choices[delta.index];
    if (choice === undefined) return [];
    const finished = delta.finish !== undefined;
    const parts = [choice.parser.push(delta.text, delta.ids)];
    if (finished) parts.push(choice.parser.end());
    const message = deltaMessage(parts, body.include_reasoning !== false);
    choice.toolCalls = parts
      .flatMap((part) => part.toolCalls ?? [])
      .reduce((most, call) => Math.max(most, call.index + 1), choice.toolCalls);
    // A parser that holds everything back says nothing; plain text is always a chunk.
    const silent = Object.keys(message).length === 0;
    if (silent && !finished && !body.logprobs && !withIds) return [];
    const base = {
      index: delta.index,
      delta: silent && choice.parser === PLAIN ? { content: "" } : message,
      logprobs: logprobsOf(answer, names, delta),
      finish_reason: finished ? wireReason(answer, delta, choice.toolCalls) : null,
    };
    const sofar = soFar(generation.choices[delta.index]?.tokens ?? 0, choice.parser);
    const tokenIds = withIds ? delta.ids : null;
    if (!finished) return [chunk({ ...base, token_ids: tokenIds }, sofar)];
    const last = { ...base, stop_reason: delta.finish?.stopReason ?? null, token_ids: tokenIds };
    return [chunk(last, sofar, options.includeUsage ? {} : fingerprintOf(serving))];
  };
  return {
    deltas: (deltas) => {
      const first = started ? [] : start();
      started = true;
      return [...first, ...deltas.flatMap(one)];
    },
    end: () => {
      if (!options.includeUsage) return [];
      const parsers = choices.map(({ parser }) => parser);
      const source = { promptTokens: prompt.ids.length, generation, settings };
      return [lastChunk(head, serving, { ...source, ...reasoningOf(answer, parsers) })];
    },
  };
}

function deltaMessage(parts: readonly OutputPart[], withReasoning: boolean) {
  const content = join(parts, "content");
  const reasoning = join(parts, "reasoning");
  const calls = parts.flatMap((part) => part.toolCalls ?? []);
  return {
    ...(content !== undefined && { content }),
    ...(withReasoning && reasoning !== undefined && { reasoning }),
    ...(calls.length > 0 && { tool_calls: calls.map(wireCall) }),
  };
}

/** The first delta of a call has id, type and name; later ones only arguments. */
function wireCall({ index, id, name, arguments: text }: ToolCallDelta) {
  if (name === undefined) return { index, function: { arguments: text ?? "" } };
  return {
    id: id ?? `chatcmpl-tool-${randomUUID().replaceAll("-", "")}`,
    type: "function",
    index,
    function: { name, arguments: text ?? "" },
  };
}

function join(parts: readonly OutputPart[], key: "content" | "reasoning"): string | undefined {
  const texts = parts.flatMap((part) => part[key] ?? []);
  return texts.length === 0 ? undefined : texts.join("");
}

function joinCalls(parts: readonly OutputPart[]) {
  const calls = new Map<number, { id: string; name: string; text: string }>();
  for (const delta of parts.flatMap((part) => part.toolCalls ?? [])) {
    const call = calls.get(delta.index) ?? {
      id: delta.id ?? `chatcmpl-tool-${randomUUID().replaceAll("-", "")}`,
      name: delta.name ?? "",
      text: "",
    };
    call.text += delta.arguments ?? "";
    calls.set(delta.index, call);
  }
  return [...calls.values()].map(({ id, name, text }) => ({
    id,
    type: "function",
    function: { name, arguments: text },
  }));
}
