/**
 * Chat answers, to the byte: keys in vLLM's order, nulls where vLLM has them
 * (vllm-compatible shapes; a stream carries only fields that were set).
 */
import { appended } from "../../appended.ts";
import { entryAt } from "../../entry-at.ts";
import type { ChatAnswer, ChatFormat } from "../../exchange/chat-format.ts";
import type { StreamResponder } from "../../exchange/exchange.ts";
import { contentText } from "../../generation/chat-prompt.ts";
import type { ChoiceDelta } from "../../generation/choice.ts";
import { PLAIN } from "../../generation/parser.ts";
import {
  finishOf,
  type OutputDelta,
  type OutputFinish,
  type OutputPart,
  textOf,
} from "../../generation/parts.ts";
import { streamOptions } from "../../generation/prepare.ts";
import type { SseEvent } from "../../http/sse.ts";
import type { Serving } from "../../serving.ts";
import { DONE, event, failed, TextChunk } from "../events.ts";
import { chatLogprobs, promptLogprobs, TokenNames } from "../logprobs.ts";
import { fingerprintOf, lastChunk, requestMetrics, usage, usageSoFar } from "../usage.ts";
import { readChat } from "./read.ts";
import { type ChatRequest, chatRequest } from "./schema.ts";

export const chatFormat: ChatFormat<ChatRequest> = {
  path: "/v1/chat/completions",
  schema: chatRequest,
  prefix: "chatcmpl",
  read: readChat,
  respond: chatResponse,
  stream: chatStream,
};

type Answer = ChatAnswer<ChatRequest>;

/** Finish reasons as the wire has them. */
function wireReason({ chat, body }: Answer, { reason, calls }: OutputFinish): string {
  const streamed = body.stream === true;
  const { plan } = chat.prepared;
  return plan.finishReason?.({ reason, toolCalls: calls, streamed }) ?? reason;
}

/** Ids and logprobs would give hidden reasoning away. */
function hidesTokens({ body, serving: { settings } }: Answer): boolean {
  const parsed = settings["reasoning-parser"] || settings["tool-call-parser"];
  return body.include_reasoning === false && Boolean(parsed);
}

function namesOf({ serving, body }: Answer): TokenNames {
  const asIds = body.return_tokens_as_token_ids ?? serving.settings["return-tokens-as-token-ids"];
  return new TokenNames(serving.tokenizer, asIds);
}

function logprobsOf(answer: Answer, names: TokenNames, delta: OutputDelta) {
  const { body } = answer;
  if (!body.logprobs || hidesTokens(answer)) return null;
  const named = Boolean(body.logprob_token_ids?.length);
  const top = named ? -1 : (body.top_logprobs ?? 0);
  const { content } = chatLogprobs(delta.ids, delta.logprobs, { names, top, named });
  // Of beams vLLM does not tell the bytes of the tokens themselves.
  return {
    content: body.use_beam_search ? content.map((one) => ({ ...one, bytes: null })) : content,
  };
}

/** The last message's content, which `echo` repeats when its role is the answer's. */
function echoed({ body, serving }: Answer): string {
  const last = body.messages.at(-1);
  return body.echo && last?.role === roleOf(body, serving) ? contentText(last.content) : "";
}

function roleOf(body: ChatRequest, { settings }: Serving): string {
  if (body.add_generation_prompt ?? true) return settings["response-role"];
  return body.messages.at(-1)?.role ?? settings["response-role"];
}

/** Counted wherever the server parses reasoning, in requests that switch it off too. */
function reasoningOf({ chat }: Answer, index?: number) {
  const reasoningTokens = chat.reasoningTokens(index);
  return reasoningTokens === undefined ? {} : { reasoningTokens };
}

/** The answer of a request that does not stream. */
function chatResponse(answer: Answer, deltas: readonly OutputDelta[]) {
  const { serving, exchange, body, chat } = answer;
  const { prompt, generation } = chat;
  const names = namesOf(answer);
  const prompted = deltas.find((delta) => delta.promptLogprobs !== undefined)?.promptLogprobs;
  return {
    id: exchange.id,
    object: "chat.completion",
    created: exchange.created,
    model: answer.model,
    choices: deltas.map((delta) => wholeChoice(answer, names, delta)),
    service_tier: null,
    system_fingerprint: serving.fingerprint,
    usage: usage({
      promptTokens: prompt.ids.length,
      generation,
      settings: serving.settings,
      ...reasoningOf(answer),
    }),
    prompt_logprobs: prompted === undefined ? null : promptLogprobs(prompt.ids, prompted, names),
    prompt_token_ids: body.return_token_ids ? [...prompt.ids] : null,
    prompt_text: body.return_prompt_text ? (prompt.text ?? null) : null,
    kv_transfer_params: null,
    ec_transfer_params: null,
    metrics: requestMetrics(generation, serving),
  };
}

function wholeChoice(answer: Answer, names: TokenNames, delta: OutputDelta) {
  const { body, serving, chat } = answer;
  const { calls, text, reasoning } = chat.whole(delta);
  const finish = finishOf(delta.parts);
  const content = text ?? emptyContent(answer, delta, calls.length);
  return {
    index: delta.index,
    message: {
      role: roleOf(body, serving),
      content: body.echo ? echoed(answer) + (content ?? "") : content,
      refusal: null,
      annotations: null,
      audio: null,
      function_call: null,
      ...(calls.length > 0 && {
        tool_calls: calls.map(({ id, name, arguments: args }) => ({
          id,
          type: "function",
          function: { name, arguments: args },
        })),
      }),
      reasoning: body.include_reasoning === false ? null : (reasoning ?? null),
    },
    logprobs: logprobsOf(answer, names, delta),
    finish_reason:
      finish === undefined ? "stop" : wireReason(answer, { ...finish, calls: calls.length }),
    stop_reason: finish?.stopReason ?? null,
    token_ids: body.return_token_ids && !hidesTokens(answer) ? delta.ids : null,
    routed_experts: null,
  };
}

/**
 * No content is null beside calls and where reasoning is parsed; of plain text, and
 * where a call was asked for, it is empty text, as in vLLM.
 */
function emptyContent({ chat, body, serving }: Answer, delta: OutputDelta, calls: number) {
  const { tool_choice: choice } = body;
  const plain = chat.reader(delta.index).parser === PLAIN;
  const asked = choice === "required" || (typeof choice === "object" && choice !== null);
  const without = calls === 0 && serving.settings["reasoning-parser"] === undefined;
  return plain || asked || without ? "" : null;
}

/** Whether vLLM would read every stream of this server through a parser, whatever it asks for. */
function parsesAll({ serving: { settings } }: Answer): boolean {
  return Boolean(settings["reasoning-parser"] || settings["tool-call-parser"]);
}

/** The chunks of a stream, in vLLM's order. */
function chatStream(answer: Answer): StreamResponder {
  const { serving, chat } = answer;
  const { prompt, generation } = chat;
  const chunks = new ChunkWriter(answer);
  let started = false;
  return {
    deltas: (deltas) => {
      let events = started ? [] : [...chunks.start()];
      started = true;
      for (const delta of deltas) {
        const one = chunks.plain(delta) ?? chunks.write(chat.reader(delta.index).read(delta));
        if (one !== undefined) events = appended(events, one);
      }
      return events;
    },
    end: () => {
      if (!chunks.options.includeUsage) return [DONE];
      const source = { promptTokens: prompt.ids.length, generation, settings: serving.settings };
      return [event(lastChunk(chunks.head, serving, { ...source, ...reasoningOf(answer) })), DONE];
    },
    failed,
  };
}

class ChunkWriter {
  readonly head: Parameters<typeof lastChunk>[0];
  readonly options: ReturnType<typeof streamOptions>;
  readonly #answer: Answer;
  readonly #names: TokenNames;
  readonly #withIds: boolean;
  readonly #parsed: boolean;
  readonly #hermes: boolean;
  /** Nothing but text is told of a piece of text. */
  readonly #bare: boolean;
  /** By choice. */
  readonly #texts: TextChunk[] = [];
  /** The same of those whose text nobody reads: to find that out is to look through five objects. */
  readonly #plain: TextChunk[] = [];

  constructor(answer: Answer) {
    const { serving, exchange, body, model } = answer;
    this.#answer = answer;
    this.head = {
      id: exchange.id,
      object: "chat.completion.chunk",
      created: exchange.created,
      model,
    };
    this.options = streamOptions(body, serving);
    this.#names = namesOf(answer);
    this.#withIds = Boolean(body.return_token_ids) && !hidesTokens(answer);
    this.#parsed = parsesAll(answer);
    this.#hermes = serving.settings["tool-call-parser"] === "hermes";
    this.#bare = !(body.logprobs || this.#withIds || this.options.continuousUsage);
  }

  /** Before the first delta, whichever choice it is of: the role of each choice, then the echo of each. */
  start(): readonly SseEvent[] {
    const { body, chat, serving } = this.#answer;
    const each = (delta: object, further: object = {}): readonly SseEvent[] =>
      chat.generation.choices.map((_, index) => {
        const choice = { index, delta, logprobs: null, finish_reason: null };
        return this.#chunk(choice, this.#soFar(0, -1), further);
      });
    const events = each(
      { role: roleOf(body, serving), content: "" },
      {
        prompt_token_ids: body.return_token_ids ? [...chat.prompt.ids] : null,
        prompt_text: body.return_prompt_text ? (chat.prompt.text ?? null) : null,
      },
    );
    const echo = echoed(this.#answer);
    return echo === "" ? events : [...events, ...each({ content: echo })];
  }

  /**
   * A piece of text that nobody has to read for its parts; undefined: it is another delta. Half a
   * character is a chunk of empty text, unless a server that parses tells nothing of it.
   */
  plain({ index, text, finish }: ChoiceDelta): SseEvent | undefined {
    const plain = this.#bare && finish === undefined && (text !== "" || !this.#parsed);
    if (!plain) return undefined;
    const known = this.#plain[index];
    if (known !== undefined) return known.event(text);
    if (this.#answer.chat.reader(index).parser !== PLAIN) return undefined;
    const made = this.#textChunk(index);
    this.#plain[index] = made;
    return made.event(text);
  }

  /** Undefined: nothing is to be told of it. */
  write(delta: OutputDelta): SseEvent | undefined {
    const { serving, body, chat } = this.#answer;
    const { index, parts } = delta;
    const text = this.#bare ? onlyText(parts) : undefined;
    if (text !== undefined) return this.#textChunk(index).event(text);
    const finish = finishOf(parts);
    const message = deltaMessage(parts, body.include_reasoning !== false, this.#hermes);
    // A parser that holds everything back says nothing; plain text is always a chunk.
    const silent = Object.keys(message).length === 0;
    if (silent && this.#parsed && finish === undefined && !body.logprobs && !this.#withIds) {
      return undefined;
    }
    const base = {
      index,
      delta: silent && !this.#parsed ? { content: "" } : message,
      logprobs: logprobsOf(this.#answer, this.#names, delta),
      finish_reason: finish === undefined ? null : wireReason(this.#answer, finish),
    };
    const soFar = this.#soFar(entryAt(chat.generation.choices, index).tokens, index);
    const tokenIds = this.#withIds ? delta.ids : null;
    if (finish === undefined) return this.#chunk({ ...base, token_ids: tokenIds }, soFar);
    const last = { ...base, stop_reason: finish.stopReason, token_ids: tokenIds };
    return this.#chunk(last, soFar, this.options.includeUsage ? {} : fingerprintOf(serving));
  }

  #textChunk(index: number): TextChunk {
    this.#texts[index] ??= new TextChunk((content) => {
      const rest = { logprobs: null, finish_reason: null, token_ids: null };
      return { ...this.head, choices: [{ index, delta: { content }, ...rest }] };
    });
    return this.#texts[index];
  }

  #chunk(choice: object, usage: object, further: object = {}): SseEvent {
    const told = this.options.continuousUsage && { usage };
    return event({ ...this.head, choices: [choice], ...told, ...further });
  }

  #soFar(tokens: number, index: number): object {
    const { prompt } = this.#answer.chat;
    return usageSoFar(prompt.ids.length, tokens, reasoningOf(this.#answer, index));
  }
}

/** Of parts that are one piece of text and nothing else; its beginning is no part of the wire's. */
function onlyText(parts: readonly OutputPart[]): string | undefined {
  const at = parts[0]?.type === "text-start" ? 1 : 0;
  const part = parts[at];
  return parts.length === at + 1 && part?.type === "text-delta" ? part.text : undefined;
}

/** `hermes`: as its parser in vLLM writes calls, the name apart from what follows. */
function deltaMessage(parts: readonly OutputPart[], withReasoning: boolean, hermes: boolean) {
  const text = textOf(parts, "text-delta");
  // The beginning of a call that did not come to be one is no content.
  const begun = hermes && finishOf(parts) !== undefined ? (text?.indexOf("<tool_call>") ?? -1) : -1;
  const content = begun < 0 ? text : text?.slice(0, begun) || undefined;
  const reasoning = textOf(parts, "reasoning-delta");
  const calls = hermes ? hermesDeltas(parts) : callDeltas(parts);
  const empty = hermes && calls.length > 0;
  return {
    ...(content === undefined ? empty && { content: null } : { content }),
    ...(withReasoning && reasoning !== undefined && { reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

interface WireCall {
  readonly id?: string;
  readonly type?: "function";
  readonly index: number;
  readonly function: { readonly name?: string; arguments?: string };
}

/** The first delta of a call has id, type and name; later ones only arguments. */
export function callDeltas(parts: readonly OutputPart[]): readonly WireCall[] {
  const calls: WireCall[] = [];
  for (const part of parts) {
    if (part.type === "call-start") {
      const { call: index, id, name } = part;
      calls.push({ id, type: "function", index, function: { name, arguments: "" } });
    } else if (part.type === "call-delta") {
      const last = calls.at(-1);
      if (last?.index === part.call) last.function.arguments += part.text;
      else calls.push({ index: part.call, function: { arguments: part.text } });
    }
  }
  return calls;
}

/** The name apart from what follows; a call that is cut off in the piece that named it is closed: `{}`. */
function hermesDeltas(parts: readonly OutputPart[]): readonly WireCall[] {
  const calls: WireCall[] = [];
  for (const part of parts) {
    const last = calls.at(-1);
    if (part.type === "call-start") {
      const { call: index, id, name } = part;
      calls.push({ id, type: "function", index, function: { name } });
    } else if (part.type === "call-delta") {
      const grows = last?.index === part.call && last.function.name === undefined;
      if (grows) last.function.arguments += part.text;
      else calls.push({ index: part.call, function: { arguments: part.text } });
    } else if (part.type === "finish" && last !== undefined) {
      last.function.arguments ??= "{}";
    }
  }
  return calls;
}
