/** The items of a realtime conversation: as OpenAI's text mode has them, and as chat messages. */
import type { ChatMessage } from "../../generation/messages.ts";
import { uuidDigits } from "../../hex-id.ts";
import { RealtimeBytes, type SocketBytes } from "./bytes.ts";
import { RealtimeError } from "./errors.ts";

export interface TextPart {
  readonly type: "input_text" | "output_text";
  readonly text: string;
}

interface Base {
  readonly id: string;
  readonly object: "realtime.item";
  status: "completed" | "incomplete" | "in_progress";
}

export interface MessageItem extends Base {
  readonly type: "message";
  readonly role: "system" | "user" | "assistant";
  content: TextPart[];
}

export interface CallItem extends Base {
  readonly type: "function_call";
  readonly call_id: string;
  readonly name: string;
  arguments: string;
}

export interface CallOutputItem extends Base {
  readonly type: "function_call_output";
  readonly call_id: string;
  readonly output: string;
}

export type Item = MessageItem | CallItem | CallOutputItem;

export const newId = (kind: string): string => `${kind}_${uuidDigits().slice(0, 24)}`;

/** Items of a conversation at most; a client that goes on must delete some. */
const MAX_ITEMS = 4_096;

export class Conversation {
  readonly id = newId("conv");
  readonly #items: Item[] = [];
  readonly #bytes: SocketBytes;
  /** What each item was counted as when it was added. */
  readonly #sizes = new Map<Item, number>();

  /** `bytes`: of the socket; absent: one of its own. */
  constructor(bytes: SocketBytes = new RealtimeBytes().open()) {
    this.#bytes = bytes;
  }

  get last(): string | null {
    return this.#items.at(-1)?.id ?? null;
  }

  get(id: string): Item {
    const item = this.#items.find((one) => one.id === id);
    if (item === undefined)
      throw new RealtimeError("item_not_found", `The item ${id} does not exist.`, "item_id");
    return item;
  }

  /** `after`: the item before it, "root" for the first place, absent: the last. Returns the id before. */
  add(item: Item, after?: string): string | null {
    if (this.#items.length >= MAX_ITEMS)
      throw new RealtimeError("too_many_items", `A conversation holds ${MAX_ITEMS} items at most.`);
    if (this.#items.some((one) => one.id === item.id)) {
      throw new RealtimeError("item_id_taken", `The item ${item.id} already exists.`, "item.id");
    }
    const place =
      after === undefined
        ? this.#items.length
        : after === "root"
          ? 0
          : this.#items.indexOf(this.get(after)) + 1;
    const size = sizeOf(item);
    this.#bytes.change(size);
    this.#sizes.set(item, size);
    this.#items.splice(place, 0, item);
    return this.#items[place - 1]?.id ?? null;
  }

  delete(id: string): void {
    const item = this.get(id);
    this.#bytes.change(-(this.#sizes.get(item) ?? 0));
    this.#sizes.delete(item);
    this.#items.splice(this.#items.indexOf(item), 1);
  }

  /** Instructions first, then the items; calls that follow each other are one message. */
  messages(instructions: string, items: readonly Item[] = this.#items): ChatMessage[] {
    const messages: ChatMessage[] =
      instructions === "" ? [] : [{ role: "system", content: instructions }];
    for (const item of items) {
      if (item.type === "message") {
        messages.push({ role: item.role, content: item.content.map((part) => part.text).join("") });
      } else if (item.type === "function_call_output") {
        messages.push({ role: "tool", tool_call_id: item.call_id, content: item.output });
      } else {
        const call = {
          id: item.call_id,
          type: "function",
          function: { name: item.name, arguments: item.arguments },
        };
        const previous = messages.at(-1);
        if (previous?.role === "assistant" && previous.tool_calls) previous.tool_calls.push(call);
        else messages.push({ role: "assistant", content: "", tool_calls: [call] });
      }
    }
    return messages;
  }
}

/** Beside its texts: the objects and their names. */
const ITEM_BYTES = 500;

/** Bytes of an item, about: texts may take two a character. */
function sizeOf(item: Item): number {
  switch (item.type) {
    case "message":
      return item.content.reduce(
        (sum, part) => sum + ITEM_BYTES + 2 * part.text.length,
        ITEM_BYTES + 2 * item.id.length,
      );
    case "function_call":
      return ITEM_BYTES + 2 * (item.id.length + item.name.length + item.arguments.length);
    case "function_call_output":
      return ITEM_BYTES + 2 * (item.id.length + item.call_id.length + item.output.length);
  }
}

/** An item as a client sends it. Throws RealtimeError. */
export function readItem(value: unknown, param = "item"): Item {
  const given = fields(value, param);
  const id = typeof given["id"] === "string" && given["id"] !== "" ? given["id"] : newId("item");
  const base = { id, object: "realtime.item", status: "completed" } as const;
  switch (given["type"]) {
    case "message": {
      const { role } = given;
      if (role !== "system" && role !== "user" && role !== "assistant") {
        throw new RealtimeError(
          "invalid_value",
          "An item's role is system, user or assistant.",
          `${param}.role`,
        );
      }
      return {
        ...base,
        type: "message",
        role,
        content: readContent(given["content"], role, param),
      };
    }
    case "function_call":
      return {
        ...base,
        type: "function_call",
        call_id:
          given["call_id"] === undefined
            ? newId("call")
            : text(given["call_id"], `${param}.call_id`),
        name: text(given["name"], `${param}.name`),
        arguments: text(given["arguments"], `${param}.arguments`),
      };
    case "function_call_output":
      return {
        ...base,
        type: "function_call_output",
        call_id: text(given["call_id"], `${param}.call_id`),
        output: text(given["output"], `${param}.output`),
      };
    default:
      throw new RealtimeError(
        "invalid_value",
        "An item's type is message, function_call or function_call_output.",
        `${param}.type`,
      );
  }
}

function readContent(value: unknown, role: string, param: string): TextPart[] {
  if (!Array.isArray(value))
    throw new RealtimeError(
      "invalid_value",
      "An item's content is a list of parts.",
      `${param}.content`,
    );
  return value.map((one: unknown, i) => {
    const where = `${param}.content[${i}]`;
    const part = fields(one, where);
    const type = String(part["type"]);
    if (/audio|image/.test(type)) throw notText(`Content of type ${type}`, `${where}.type`);
    if (type !== "input_text" && type !== "output_text" && type !== "text") {
      throw new RealtimeError(
        "invalid_value",
        `The content type ${type} is unknown.`,
        `${where}.type`,
      );
    }
    return {
      type: role === "assistant" ? "output_text" : "input_text",
      text: text(part["text"], `${where}.text`),
    };
  });
}

export function notText(what: string, param: string | null = null): RealtimeError {
  return new RealtimeError(
    "audio_not_supported",
    `${what} is not supported: this server speaks text only.`,
    param,
  );
}

export function fields(value: unknown, param: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>; // an object by the line above
  }
  throw new RealtimeError("invalid_value", `\`${param}\` must be an object.`, param);
}

export function text(value: unknown, param: string): string {
  if (typeof value === "string") return value;
  throw new RealtimeError("invalid_value", `\`${param}\` must be a text.`, param);
}
