/** One realtime session: a client's events in, the server's events out. Text only. */

import { type ChatFields, chatGeneration } from "../../generation/chat.ts";
import { Generation, withAdapter } from "../../generation/generate.ts";
import { type ApiError, toApiError } from "../../http/errors.ts";
import { adapterNamed, type Serving, servedName } from "../../serving.ts";
import type { SocketBytes } from "./bytes.ts";
import { Conversation, fields, newId, notText, readItem, text } from "./conversation.ts";
import { RealtimeError } from "./errors.ts";
import { RealtimeResponse } from "./response.ts";

/** The socket, as a session needs it. */
export interface SessionSocket {
  send(text: string): void;
  /** Logs what is no fault of the client's. */
  report(error: Error): void;
  /** Too much is waiting to be read by the client. */
  readonly blocked: boolean;
}

export interface SessionOptions {
  readonly model: string | undefined;
  /** What the socket holds of memory; released when the session is closed. */
  readonly bytes: SocketBytes;
}

type Fields = Readonly<Record<string, unknown>>;

interface Config {
  readonly instructions: string;
  readonly tools: readonly unknown[];
  readonly tool_choice: unknown;
  readonly max_output_tokens: number | "inf";
  readonly temperature?: number;
}

/** Seconds after which OpenAI ends a session; here it is only told. */
const SESSION_SECONDS = 3600;

export class RealtimeSession {
  readonly #serving: Serving;
  readonly #socket: SessionSocket;
  readonly #model: string;
  readonly #id = newId("sess");
  readonly #bytes: SocketBytes;
  readonly #conversation: Conversation;
  readonly #handlers: Readonly<Record<string, (event: Fields) => void | Promise<void>>>;
  #config: Config = { instructions: "", tools: [], tool_choice: "auto", max_output_tokens: "inf" };
  /** `preparing`: asked for, not yet running. */
  #response: RealtimeResponse | "preparing" | undefined;
  #closed = false;
  #configSize = 0;

  /** Throws ApiError 404 for a model that is not served. */
  constructor(serving: Serving, socket: SessionSocket, { model, bytes }: SessionOptions) {
    this.#serving = serving;
    this.#socket = socket;
    this.#bytes = bytes;
    this.#conversation = new Conversation(bytes);
    this.#model = servedName(serving, model);
    this.#handlers = {
      "session.update": (event) => this.#update(event),
      "conversation.item.create": (event) => this.#createItem(event),
      "conversation.item.retrieve": (event) =>
        this.#send("conversation.item.retrieved", {
          item: this.#conversation.get(text(event["item_id"], "item_id")),
        }),
      "conversation.item.delete": (event) => {
        const id = text(event["item_id"], "item_id");
        this.#conversation.delete(id);
        this.#send("conversation.item.deleted", { item_id: id });
      },
      "response.create": (event) => this.#createResponse(event),
      "response.cancel": (event) => this.#cancel(event),
    };
    this.#send("session.created", { session: this.#describe() });
  }

  /** One message of the client; never throws. `over`: a limit that it passes, in words. */
  async receive(message: string, over?: string): Promise<void> {
    if (this.#closed) return;
    let event: Fields = {};
    try {
      if (over !== undefined) throw new RealtimeError("invalid_value", `The event ${over}.`);
      event = parse(message);
      const type = text(event["type"], "type");
      const handler = Object.hasOwn(this.#handlers, type) ? this.#handlers[type] : undefined;
      if (handler === undefined) {
        if (/audio|truncate/.test(type)) throw notText(`The event ${type}`, "type");
        throw new RealtimeError(
          "unknown_event",
          `The event type ${JSON.stringify(type)} is unknown.`,
          "type",
        );
      }
      await handler(event);
    } catch (error) {
      this.#error(error, event["event_id"]);
    }
  }

  /** The socket has caught up. */
  drained(): void {
    if (this.#response instanceof RealtimeResponse) this.#response.pump();
  }

  /** The client is gone: nothing of its goes on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#bytes.release();
    if (this.#response instanceof RealtimeResponse) this.#response.cancel();
  }

  #update(event: Fields): void {
    const given = fields(event["session"], "session");
    if (given["type"] !== undefined && given["type"] !== "realtime")
      throw notText("A session of this type", "session.type");
    const config = { ...this.#config, ...readConfig(given, "session") };
    const size = JSON.stringify(config).length;
    this.#bytes.change(2 * (size - this.#configSize));
    this.#configSize = size;
    this.#config = config;
    this.#send("session.updated", { session: this.#describe() });
  }

  #createItem(event: Fields): void {
    const item = readItem(event["item"]);
    const after = event["previous_item_id"];
    const previous = this.#conversation.add(item, typeof after === "string" ? after : undefined);
    this.#send("conversation.item.added", { previous_item_id: previous, item });
    this.#send("conversation.item.done", { previous_item_id: previous, item });
  }

  #cancel(event: Fields): void {
    const response = this.#response;
    const id = event["response_id"];
    if (!(response instanceof RealtimeResponse) || (typeof id === "string" && id !== response.id)) {
      throw new RealtimeError(
        "response_cancel_not_active",
        "Cancellation failed: no active response found.",
      );
    }
    response.cancel();
    response.pump();
  }

  async #createResponse(event: Fields): Promise<void> {
    if (this.#response !== undefined) {
      throw new RealtimeError(
        "conversation_already_has_active_response",
        "The conversation already has an active response: wait for response.done, or cancel it.",
      );
    }
    this.#response = "preparing";
    try {
      this.#response = await this.#start(
        event["response"] === undefined ? {} : fields(event["response"], "response"),
      );
    } catch (error) {
      this.#response = undefined;
      throw error;
    }
  }

  async #start(given: Fields): Promise<RealtimeResponse | undefined> {
    const config = { ...this.#config, ...readConfig(given, "response") };
    const outside = given["conversation"] === "none";
    const input = given["input"];
    const items = Array.isArray(input)
      ? input.map((item, i) => readItem(item, `response.input[${i}]`))
      : undefined;
    const body = {
      stream: true,
      messages: this.#conversation.messages(config.instructions, items),
      ...(config.tools.length > 0 && { tools: config.tools, tool_choice: config.tool_choice }),
      ...(config.temperature !== undefined && { temperature: config.temperature }),
    };
    const most = config.max_output_tokens;
    const adapter = adapterNamed(this.#serving, this.#model);
    const chat = await chatGeneration(
      this.#serving,
      // Tools are checked by the planner.
      { fields: body as ChatFields, wish: most === "inf" ? {} : { maxTokens: most } },
      {
        priority: () => 0,
        rank: undefined,
        start: (task) =>
          this.#closed ? undefined : new Generation(this.#serving, withAdapter(task, adapter)),
      },
    );
    if (chat === undefined) return undefined;
    let ended = false;
    const response = new RealtimeResponse({
      chat,
      ...(!outside && { conversation: this.#conversation }),
      promptTokens: chat.prompt.ids.length,
      maxOutputTokens: most,
      metadata: given["metadata"],
      send: (event) => this.#write(event),
      blocked: () => this.#socket.blocked,
      report: (error) => this.#socket.report(error),
      ended: () => {
        ended = true;
        this.#response = undefined;
      },
    });
    return ended ? undefined : response;
  }

  #describe(): object {
    return {
      type: "realtime",
      object: "realtime.session",
      id: this.#id,
      model: this.#model,
      output_modalities: ["text"],
      ...this.#config,
      expires_at: this.#serving.created + SESSION_SECONDS,
    };
  }

  #error(error: unknown, eventId: unknown): void {
    const known = error instanceof RealtimeError ? error : clientError(error);
    if (known === undefined && error instanceof Error) this.#socket.report(error);
    this.#send("error", {
      error: {
        type: known === undefined ? "server_error" : "invalid_request_error",
        code: known?.code ?? "internal",
        message: known?.message ?? "Internal server error",
        param: known?.param ?? null,
        event_id: typeof eventId === "string" ? eventId : null,
      },
    });
  }

  #send(type: string, more: object): void {
    this.#write({ type, ...more });
  }

  #write(event: object): void {
    if (!this.#closed) this.#socket.send(JSON.stringify({ event_id: newId("event"), ...event }));
  }
}

/** Undefined: the fault is ours. */
function clientError(error: unknown): ApiError | undefined {
  const known = toApiError(error);
  return known.code === "internal" ? undefined : known;
}

function parse(message: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    throw new RealtimeError("invalid_json", "The event is not JSON.");
  }
  return fields(value, "event");
}

/** The settings of a session or of one response; what only audio has is refused. */
function readConfig(given: Fields, where: string): Partial<Config> {
  const modalities = given["output_modalities"] ?? given["modalities"];
  if (
    modalities !== undefined &&
    !(Array.isArray(modalities) && modalities.length === 1 && modalities[0] === "text")
  ) {
    throw notText("Any output modality but text", `${where}.output_modalities`);
  }
  if (given["audio"] !== undefined && given["audio"] !== null)
    throw notText("Audio", `${where}.audio`);
  const { instructions, tools, tool_choice: choice, temperature } = given;
  const most = given["max_output_tokens"] ?? given["max_response_output_tokens"];
  if (
    most !== undefined &&
    most !== "inf" &&
    !(typeof most === "number" && Number.isInteger(most) && most >= 1)
  ) {
    throw new RealtimeError(
      "invalid_value",
      '`max_output_tokens` must be at least 1, or "inf".',
      `${where}.max_output_tokens`,
    );
  }
  if (temperature !== undefined && typeof temperature !== "number") {
    throw new RealtimeError(
      "invalid_value",
      "`temperature` must be a number.",
      `${where}.temperature`,
    );
  }
  if (tools !== undefined && !Array.isArray(tools)) {
    throw new RealtimeError("invalid_value", "`tools` must be a list.", `${where}.tools`);
  }
  return {
    ...(instructions !== undefined && {
      instructions: text(instructions, `${where}.instructions`),
    }),
    ...(tools !== undefined && {
      tools: tools.map((tool: unknown, i: number) => chatTool(tool, `${where}.tools[${i}]`)),
    }),
    ...(choice !== undefined && { tool_choice: chatChoice(choice) }),
    ...(most !== undefined && { max_output_tokens: most as number | "inf" }), // checked above
    ...(temperature !== undefined && { temperature }),
  };
}

/** Realtime's tools are flat; the chat template wants them nested. */
function chatTool(value: unknown, param: string): object {
  const tool = fields(value, param);
  if (tool["type"] !== "function")
    throw new RealtimeError(
      "invalid_value",
      "Only tools of type function are supported.",
      `${param}.type`,
    );
  const { type, ...described } = tool;
  text(described["name"], `${param}.name`);
  return { type, function: described };
}

function chatChoice(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { name } = value as { readonly name?: unknown }; // an object by the line above
  return { type: "function", function: { name } };
}
