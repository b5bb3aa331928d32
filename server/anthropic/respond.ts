/** Answers of /v1/messages, to the byte as vLLM's: blocks, and the events that tell of them. */
import type { ChatAnswer, ChatFormat } from "../exchange/chat-format.ts";
import type { StreamResponder } from "../exchange/exchange.ts";
import {
  finishOf,
  type OutputDelta,
  type OutputFinish,
  type OutputPart,
} from "../generation/parts.ts";
import { uuidDigits } from "../hex-id.ts";
import type { ApiError } from "../http/errors.ts";
import type { SseEvent } from "../http/sse.ts";
import { readMessages } from "./read.ts";
import { type MessagesRequest, messagesRequest } from "./schema.ts";

export const messagesFormat: ChatFormat<MessagesRequest> = {
  path: "/v1/messages",
  schema: messagesRequest,
  prefix: "chatcmpl",
  read: readMessages,
  respond: message,
  stream: messageStream,
  error: errorBody,
};

/** Errors as Anthropic's clients read them; a body of the wrong shape is answered as everywhere. */
export function errorBody(error: ApiError): object {
  if (error.code === "invalid") return error.body;
  const { type } = error.body.error;
  return { type: "error", error: { type, message: error.message } };
}

type Answer = ChatAnswer<MessagesRequest>;

function message(answer: Answer, deltas: readonly OutputDelta[]): object {
  const [delta] = deltas;
  const read = delta && answer.chat.whole(delta);
  const { reasoning: thinking, text, calls = [] } = read ?? {};
  const content = [
    ...(thinking ? [{ type: "thinking", thinking, signature: signature() }] : []),
    ...(text ? [{ type: "text", text }] : []),
    ...calls.map(({ id, name, arguments: args }) => ({
      type: "tool_use",
      id,
      name,
      input: parsedInput(args) ?? {},
    })),
  ];
  const finish = delta && wholeFinish(delta, calls.length);
  const { finishReason } = answer.chat.prepared.plan;
  const called = finish && finishReason?.({ ...finish, toolCalls: calls.length, streamed: false });
  const [reason, sequence] =
    called === "tool_calls" ? ["tool_use", null] : stopReason(finish, calls.length > 0);
  return {
    id: answer.exchange.id,
    type: "message",
    role: "assistant",
    // Clients expect a first block.
    content: content.length > 0 ? content : [{ type: "text", text: "" }],
    model: answer.model,
    ...(reason !== null && { stop_reason: reason }),
    ...(sequence !== null && { stop_sequence: sequence }),
    usage: usage(answer, answer.chat.generation.outputTokens),
  };
}

/** With the calls that are given. */
function wholeFinish({ parts }: OutputDelta, calls: number): OutputFinish | undefined {
  const finish = finishOf(parts);
  return finish && { ...finish, calls };
}

/** `complete`: the calls can be run; a stop string that cut one short comes before them. */
function stopReason(
  finish: OutputFinish | undefined,
  complete: boolean,
): readonly [string | null, string | null] {
  if (finish === undefined || finish.reason === "abort" || finish.reason === "error") {
    return [null, null];
  }
  if (finish.reason === "length") return ["max_tokens", null];
  if (complete) return ["tool_use", null];
  if (typeof finish.stopReason === "string") return ["stop_sequence", finish.stopReason];
  return [finish.calls > 0 ? "tool_use" : "end_turn", null];
}

function usage({ serving, chat }: Answer, outputTokens: number): object {
  const prompt = chat.prompt.ids.length;
  const cached = chat.generation.cachedTokens;
  const told = serving.settings["enable-prompt-tokens-details"];
  return {
    input_tokens: told ? prompt - cached : prompt,
    output_tokens: outputTokens,
    ...(told && { cache_read_input_tokens: cached }),
  };
}

function messageStream(answer: Answer): StreamResponder {
  const { exchange, model, chat } = answer;
  const blocks = new BlockWriter();
  let started = false;
  const start = (): SseEvent =>
    event({
      type: "message_start",
      message: {
        ...{ id: exchange.id, type: "message", role: "assistant", content: [], model },
        ...{ stop_reason: null, stop_sequence: null, usage: usage(answer, 0) },
      },
    });
  return {
    deltas: (deltas) => {
      const first = started ? [] : [start()];
      started = true;
      const parts = chat.readStream(deltas).flatMap((delta) => delta.parts);
      return [...first, ...parts.flatMap((part) => blocks.write(part))];
    },
    end: () => {
      const [reason, sequence] = stopReason(blocks.finish, blocks.called);
      return [
        event({
          type: "message_delta",
          delta: { stop_reason: reason, stop_sequence: sequence },
          usage: usage(answer, chat.generation.outputTokens),
        }),
        event({ type: "message_stop" }),
      ];
    },
    failed: (error) => {
      const { type } = error.body.error;
      return [event({ type: "error", error: { type, message: error.message } })];
    },
  };
}

/** Parts as content blocks, one after another. */
class BlockWriter {
  finish: OutputFinish | undefined;
  #index = 0;
  #sign: string | undefined;
  /** Of the last call. */
  #args = "";

  /** Did the answer end in a call whose input is whole? */
  get called(): boolean {
    return (this.finish?.calls ?? 0) > 0 && parsedInput(this.#args) !== undefined;
  }

  write(part: OutputPart): readonly SseEvent[] {
    switch (part.type) {
      case "text-start":
        return [this.#begin({ type: "text", text: "" })];
      case "text-delta":
        return [this.#grow({ type: "text_delta", text: part.text })];
      case "reasoning-start":
        this.#sign = signature();
        return [this.#begin({ type: "thinking", thinking: "" })];
      case "reasoning-delta":
        return [this.#grow({ type: "thinking_delta", thinking: part.text })];
      case "reasoning-end":
        return [this.#grow({ type: "signature_delta", signature: this.#sign }), this.#end()];
      case "call-start":
        this.#args = "";
        return [this.#begin({ type: "tool_use", id: part.id, name: part.name, input: {} })];
      case "call-delta":
        this.#args += part.text;
        return part.text === ""
          ? []
          : [this.#grow({ type: "input_json_delta", partial_json: part.text })];
      case "text-end":
      case "call-end":
        return [this.#end()];
      case "finish":
        this.finish = part;
        return [];
    }
  }

  #begin(block: object): SseEvent {
    return event({ type: "content_block_start", content_block: block, index: this.#index });
  }

  #grow(delta: object): SseEvent {
    return event({ type: "content_block_delta", delta, index: this.#index });
  }

  #end(): SseEvent {
    return event({ type: "content_block_stop", index: this.#index++ });
  }
}

function event(data: Readonly<Record<string, unknown>> & { readonly type: string }): SseEvent {
  return { event: data.type, data: JSON.stringify(data) };
}

/** A thought goes back to the server as it came; nothing is signed. */
const signature = uuidDigits;

/** Undefined: the arguments are cut off. */
function parsedInput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
