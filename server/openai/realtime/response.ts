/**
 * One response under way: a generation's deltas to realtime events. While the
 * socket is behind, nothing is taken: the deltas join, the engine runs on.
 */
import type { ChatGeneration } from "../../generation/chat.ts";
import type { Running } from "../../generation/generate.ts";
import { finishOf, type OutputFinish, type OutputPart } from "../../generation/parts.ts";
import { ApiError } from "../../http/errors.ts";
import {
  type CallItem,
  type Conversation,
  type Item,
  type MessageItem,
  newId,
} from "./conversation.ts";
import { RealtimeError } from "./errors.ts";

export interface ResponseParts {
  readonly chat: Pick<ChatGeneration, "read"> & {
    readonly generation: Pick<
      Running,
      "abort" | "cachedTokens" | "choices" | "onChange" | "onFail" | "outputTokens" | "take"
    >;
  };
  /** Absent: the response stands outside the conversation. */
  readonly conversation?: Conversation;
  readonly promptTokens: number;
  readonly maxOutputTokens: number | "inf";
  readonly metadata: unknown;
  readonly send: (event: object) => void;
  readonly blocked: () => boolean;
  readonly ended: () => void;
  /** Told of what is no fault of the client's. */
  readonly report?: (error: Error) => void;
}

type Status = "in_progress" | "completed" | "cancelled" | "incomplete" | "failed";

export class RealtimeResponse {
  readonly id = newId("resp");
  readonly #parts: ResponseParts;
  readonly #output: Item[] = [];
  #open: MessageItem | CallItem | undefined;
  #cancelled = false;
  #over = false;

  constructor(parts: ResponseParts) {
    this.#parts = parts;
    parts.send({ type: "response.created", response: this.#describe("in_progress", null) });
    parts.chat.generation.onChange = () => this.pump();
    parts.chat.generation.onFail = (error) => this.#fail(error);
    this.pump();
  }

  cancel(): void {
    this.#cancelled = true;
    this.#parts.chat.generation.abort();
  }

  /** Sends what came, if the socket can take it. Never throws: the engine's events lead here. */
  pump(): void {
    if (this.#over || this.#parts.blocked()) return;
    try {
      this.#take();
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(): void {
    const { chat } = this.#parts;
    for (const { parts } of chat.read(chat.generation.take())) {
      const finish = finishOf(parts);
      // The item that is open at the end is closed with the response's own status.
      const body = finish === undefined ? parts : parts.slice(0, -1);
      const last = finish !== undefined && body.at(-1)?.type.endsWith("-end") ? -1 : undefined;
      if (!this.#cancelled) for (const part of body.slice(0, last)) this.#write(part);
      if (finish === undefined) continue;
      this.#finish(finish);
      return;
    }
  }

  /** The response cannot go on: a full conversation, or a bug. */
  #fail(thrown: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const { chat, send, ended, report } = this.#parts;
    if (this.#open !== undefined) this.#open.status = "incomplete";
    chat.generation.abort();
    ended();
    const known = error instanceof RealtimeError ? error : undefined;
    if (known === undefined) report?.(error);
    const told = {
      type: known === undefined ? "server_error" : "invalid_request_error",
      code: known?.code ?? "internal",
      message: known?.message ?? "Internal server error",
    };
    send({
      type: "response.done",
      response: this.#describe("failed", { type: "failed", error: told }),
    });
  }

  #write(part: OutputPart): void {
    switch (part.type) {
      case "text-start":
        this.#beginText();
        break;
      case "text-delta":
        this.#text(part.text);
        break;
      case "call-start":
        this.#begin({
          id: newId("item"),
          object: "realtime.item",
          type: "function_call",
          status: "in_progress",
          call_id: part.id,
          name: part.name,
          arguments: "",
        });
        break;
      case "call-delta":
        this.#arguments(part.text);
        break;
      case "text-end":
      case "call-end":
        this.#close("completed");
    }
  }

  #beginText(): void {
    const item: MessageItem = {
      id: newId("item"),
      object: "realtime.item",
      type: "message",
      status: "in_progress",
      role: "assistant",
      content: [],
    };
    this.#begin(item);
    item.content = [{ type: "output_text", text: "" }];
    this.#send("response.content_part.added", {
      content_index: 0,
      part: { type: "text", text: "" },
    });
  }

  #text(piece: string): void {
    const item = this.#open;
    if (item?.type !== "message") return;
    const [part] = item.content;
    item.content = [{ type: "output_text", text: (part?.text ?? "") + piece }];
    this.#send("response.output_text.delta", { content_index: 0, delta: piece });
  }

  #arguments(piece: string): void {
    const item = this.#open;
    if (item?.type !== "function_call") return;
    item.arguments += piece;
    this.#send("response.function_call_arguments.delta", {
      call_id: item.call_id,
      delta: piece,
    });
  }

  #begin(item: MessageItem | CallItem): void {
    this.#open = item;
    this.#output.push(item);
    this.#send("response.output_item.added", { item }, false);
    const { conversation, send } = this.#parts;
    if (conversation === undefined) return;
    const previous = conversation.add(item);
    send({ type: "conversation.item.added", previous_item_id: previous, item });
  }

  #close(status: "completed" | "incomplete"): void {
    const item = this.#open;
    if (item === undefined) return;
    item.status = status;
    if (item.type === "message") {
      const text = item.content[0]?.text ?? "";
      this.#send("response.output_text.done", { content_index: 0, text });
      this.#send("response.content_part.done", { content_index: 0, part: { type: "text", text } });
    } else {
      this.#send("response.function_call_arguments.done", {
        call_id: item.call_id,
        name: item.name,
        arguments: item.arguments,
      });
    }
    this.#send("response.output_item.done", { item }, false);
    this.#open = undefined;
    if (this.#parts.conversation !== undefined)
      this.#parts.send({ type: "conversation.item.done", item });
  }

  #finish(finish: OutputFinish): void {
    const status: Status =
      this.#cancelled || finish.reason === "abort"
        ? "cancelled"
        : finish.reason === "error"
          ? "failed"
          : finish.reason === "length"
            ? "incomplete"
            : "completed";
    this.#close(status === "completed" ? "completed" : "incomplete");
    this.#over = true;
    const { send, ended } = this.#parts;
    ended();
    send({
      type: "response.done",
      response: this.#describe(status, this.#details(status)),
    });
  }

  /** An event of the open item. */
  #send(type: string, more: object, withItemId = true): void {
    this.#parts.send({
      type,
      response_id: this.id,
      output_index: this.#output.length - 1,
      ...(withItemId && { item_id: this.#open?.id }),
      ...more,
    });
  }

  #describe(status: Status, details: object | null): object {
    const { promptTokens, chat, conversation, maxOutputTokens, metadata } = this.#parts;
    const { generation } = chat;
    const output = generation.outputTokens;
    return {
      object: "realtime.response",
      id: this.id,
      status,
      status_details: details,
      output: this.#output,
      conversation_id: conversation?.id ?? null,
      output_modalities: ["text"],
      max_output_tokens: maxOutputTokens,
      metadata: metadata ?? null,
      usage:
        status === "in_progress"
          ? null
          : {
              total_tokens: promptTokens + output,
              input_tokens: promptTokens,
              output_tokens: output,
              input_token_details: {
                text_tokens: promptTokens,
                audio_tokens: 0,
                cached_tokens: generation.cachedTokens,
              },
              output_token_details: { text_tokens: output, audio_tokens: 0 },
            },
    };
  }

  #details(status: Status): object | null {
    switch (status) {
      case "cancelled":
        return {
          type: "cancelled",
          reason: this.#cancelled ? "client_cancelled" : "server_shutdown",
        };
      case "incomplete":
        return { type: "incomplete", reason: "max_output_tokens" };
      case "failed": {
        const cause = this.#parts.chat.generation.choices[0]?.finish?.error;
        // Why a device failed is the log's, not the client's.
        const error =
          cause instanceof ApiError
            ? { type: "invalid_request_error", code: cause.code, message: cause.message }
            : { type: "server_error", code: "engine_error", message: "Internal server error" };
        return { type: "failed", error };
      }
      default:
        return null;
    }
  }
}
