/**
 * Chat answers, to the byte: keys in vLLM's order, nulls where vLLM has them
 * (vllm-compatible shapes; a stream carries only fields that were set).
 */
import { randomUUID } from "node:crypto";
import type { ChoiceDelta } from "../../generation/choice.ts";
import type { Generation } from "../../generation/generate.ts";
import {
  type OutputParser,
  type OutputPart,
  PLAIN,
  type ToolCallDelta,
} from "../../generation/parser.ts";
import type { OutputPlan } from "../../generation/planner.ts";
import type { Prompt } from "../../generation/prompt.ts";
import type { Serving } from "../../serving.ts";
import type { Exchange, StreamResponder } from "../exchange.ts";
import { chatLogprobs, promptLogprobs, TokenNames } from "../logprobs.ts";
import type { StreamOptions } from "../prepare.ts";
import { requestMetrics, streamUsage, usage } from "../usage.ts";
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
  return answer.plan.finishReason?.({ reason, toolCalls }) ?? reason;
}

function namesOf({ serving, body }: ChatAnswer): TokenNames {
  const asIds = body.return_tokens_as_token_ids ?? serving.settings["return-tokens-as-token-ids"];
  return new TokenNames(serving.tokenizer, asIds);
}

function logprobsOf(answer: ChatAnswer, names: TokenNames, delta: ChoiceDelta) {
  const { body } = answer;
  if (!body.logprobs) return null;
  const top = body.logprob_token_ids ? -1 : (body.top_logprobs ?? 0);
  return chatLogprobs(delta.ids, delta.logprobs, { names, top });
}

/** The last message's content, which `echo` repeats when its role is the answer's. */
function echoed({ body, serving }: ChatAnswer): string {
  const last = body.messages.at(-1);
  if (!body.echo || last?.role !== roleOf(body, serving)) return "";
  return typeof last.content === "string" ? last.content : "";
}

function roleOf(body: ChatRequest, { settings }: Serving): string {
  if (body.add_generation_prompt ?? true) return settings["response-role"];
  return body.messages.at(-1)?.role ?? settings["response-role"];
}

function newParser({ plan, prompt }: ChatAnswer): OutputParser {
  return plan.parser?.(prompt.text) ?? PLAIN;
}

/** The answer of a request that does not stream. */
export function chatResponse(answer: ChatAnswer, deltas: readonly ChoiceDelta[]) {
  const { serving, exchange, body, prompt, generation } = answer;
  const names = namesOf(answer);
  const role = roleOf(body, serving);
  let reasoningTokens: number | undefined;
  const choices = deltas.map((delta) => {
    const parser = newParser(answer);
    const parts = [parser.push(delta.text, delta.ids), parser.end()];
    if (serving.settings["reasoning-parser"] && parser.reasoningTokens !== undefined) {
      reasoningTokens = (reasoningTokens ?? 0) + parser.reasoningTokens;
    }
    const reasoning = join(parts, "reasoning");
    const calls = joinCalls(parts);
    const content = join(parts, "content");
    return {
      index: delta.index,
      message: {
        role,
        content: content === undefined ? null : echoed(answer) + content,
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
      token_ids: body.return_token_ids ? delta.ids : null,
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
      ...(reasoningTokens !== undefined && { reasoningTokens }),
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
  const usageNow = (completionTokens: number) => ({
    prompt_tokens: prompt.ids.length,
    total_tokens: prompt.ids.length + completionTokens,
    completion_tokens: completionTokens,
  });
  const chunk = (choice: object, completionTokens: number, further: object = {}) =>
    JSON.stringify({
      ...head,
      choices: [choice],
      ...(options.continuousUsage && { usage: usageNow(completionTokens) }),
      ...further,
    });
  /** Before the first delta, whichever choice it is of: the role of each choice, then the echo of each. */
  const start = (): string[] => {
    const each = (delta: object, further: object = {}): string[] =>
      choices.map((_, index) =>
        chunk({ index, delta, logprobs: null, finish_reason: null }, 0, further),
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
    if (silent && !finished && !body.logprobs && !body.return_token_ids) return [];
    const base = {
      index: delta.index,
      delta: silent && choice.parser === PLAIN ? { content: "" } : message,
      logprobs: logprobsOf(answer, names, delta),
      finish_reason: finished ? wireReason(answer, delta, choice.toolCalls) : null,
    };
    const tokens = generation.choices[delta.index]?.tokens ?? 0;
    const tokenIds = body.return_token_ids ? delta.ids : null;
    if (!finished) return [chunk({ ...base, token_ids: tokenIds }, tokens)];
    const last = { ...base, stop_reason: delta.finish?.stopReason ?? null, token_ids: tokenIds };
    const fingerprint = options.includeUsage ? {} : { system_fingerprint: serving.fingerprint };
    return [chunk(last, tokens, fingerprint)];
  };
  return {
    deltas: (deltas) => {
      const first = started ? [] : start();
      started = true;
      return [...first, ...deltas.flatMap(one)];
    },
    end: () => {
      if (!options.includeUsage) return [];
      const reasoning = settings["reasoning-parser"]
        ? choices.flatMap(({ parser }) => parser.reasoningTokens ?? [])
        : [];
      const metrics = requestMetrics(generation, settings);
      return [
        JSON.stringify({
          ...head,
          choices: [],
          usage: streamUsage({
            promptTokens: prompt.ids.length,
            generation,
            settings,
            ...(reasoning.length > 0 && { reasoningTokens: reasoning.reduce((a, b) => a + b) }),
          }),
          ...(serving.fingerprint !== null && { system_fingerprint: serving.fingerprint }),
          ...(metrics !== null && { metrics }),
        }),
      ];
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
