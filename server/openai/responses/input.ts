/** Items of a conversation to chat messages: some messages are made of several items. */

import type { ChatMessage } from "../../generation/messages.ts";
import { badRequest } from "../../http/errors.ts";
import { invalidShape } from "../../http/validation.ts";
import { type Fields, isFields } from "./fields.ts";
import type { ResponsesRequest } from "./schema.ts";
import { CUSTOM_INPUT } from "./tools.ts";

type Message = { -readonly [Field in keyof ChatMessage]: ChatMessage[Field] };
type Content = NonNullable<ChatMessage["content"]>;

/** What earlier responses left, where they are kept. */
export interface EarlierItems {
  /** Undefined: no such item. */
  item(id: string): Fields | undefined;
}

/** `before`: messages of the conversation so far, instructions left out. */
export function inputMessages(
  body: ResponsesRequest,
  before: readonly ChatMessage[],
  earlier: EarlierItems,
): readonly ChatMessage[] {
  const messages: Message[] = before.filter(({ role }) => role !== "system");
  if (body.instructions) messages.unshift({ role: "system", content: body.instructions });
  if (typeof body.input === "string") {
    messages.push({ role: "user", content: body.input });
    return messages;
  }
  if (body.input.length === 0 && messages.length === 0) {
    throw badRequest(
      "Cannot apply chat template to an empty conversation. Provide at least one message.",
    );
  }
  const fresh: Message[] = [];
  const looked = once(earlier);
  for (const item of body.input) addItem(fresh, item, looked);
  return [...messages, ...fresh];
}

/** Looks for each id once: as many references as the context has tokens may name the same. */
function once(earlier: EarlierItems): EarlierItems {
  const found = new Map<string, Fields | undefined>();
  return {
    item: (id) => {
      if (!found.has(id)) found.set(id, earlier.item(id));
      return found.get(id);
    },
  };
}

/** The last item is an answer that is not finished: the model goes on with it. */
export function isContinued({ input }: ResponsesRequest): boolean {
  const last = typeof input === "string" ? undefined : input.at(-1);
  if (!isFields(last)) return false;
  const { type = "message", status } = last;
  return (
    (type === "message" || type === "reasoning") &&
    (status === "in_progress" || status === "incomplete")
  );
}

/** Outputs of a response as messages, to go on from. */
export function outputMessages(output: readonly object[]): readonly ChatMessage[] {
  const messages: Message[] = [];
  for (const item of output) {
    // Reasoning is not shown again, as in vLLM.
    if ((item as Fields)["type"] !== "reasoning") addItem(messages, item, NOTHING_EARLIER);
  }
  return messages;
}

const NOTHING_EARLIER: EarlierItems = { item: () => undefined };

function addItem(messages: Message[], item: unknown, earlier: EarlierItems): void {
  if (!isFields(item)) throw noItem(item);
  const previous = messages.at(-1);
  const open = previous?.role === "assistant" ? previous : undefined;
  switch (item["type"]) {
    case "function_call": {
      const name = item["namespace"] ? `${item["namespace"]}__${item["name"]}` : item["name"];
      addCall(messages, open, call(item["call_id"], name, item["arguments"]));
      return;
    }
    case "custom_tool_call": {
      const input = JSON.stringify({ [CUSTOM_INPUT]: item["input"] ?? "" });
      addCall(messages, open, call(item["call_id"], item["name"], input));
      return;
    }
    case "reasoning": {
      const reasoning = thoughtOf(item);
      if (open && open.reasoning === undefined) open.reasoning = reasoning;
      else messages.push({ role: "assistant", reasoning });
      return;
    }
    case "function_call_output":
    case "custom_tool_call_output": {
      const { call_id: id, output } = item;
      if (typeof id !== "string" || (typeof output !== "string" && !Array.isArray(output))) {
        throw noItem(item);
      }
      messages.push({ role: "tool", content: output as Content, tool_call_id: id });
      return;
    }
    case "item_reference": {
      const found = typeof item["id"] === "string" ? earlier.item(item["id"]) : undefined;
      if (found === undefined) throw unsupported("item_reference");
      addItem(messages, found, earlier);
      return;
    }
    case undefined:
    case null:
      if (item["role"] === undefined && typeof item["id"] === "string") throw unsupported("None");
      addMessage(messages, open, item);
      return;
    case "message":
      addMessage(messages, open, item);
      return;
    default:
      if (KNOWN_ITEMS.has(String(item["type"]))) throw unsupported(String(item["type"]));
      throw noItem(item);
  }
}

function addCall(messages: Message[], open: Message | undefined, made: Fields): void {
  if (open === undefined) messages.push({ role: "assistant", tool_calls: [made] });
  else open.tool_calls = [...(open.tool_calls ?? []), made];
}

function call(id: unknown, name: unknown, text: unknown): Fields {
  if (typeof id !== "string" || typeof name !== "string" || typeof text !== "string") {
    throw noItem({ call_id: id, name, arguments: text });
  }
  return { id, type: "function", function: { name, arguments: text } };
}

function thoughtOf(item: Fields): string {
  if (item["encrypted_content"]) throw badRequest("Encrypted content is not supported.", "input");
  for (const list of [item["content"], item["summary"]]) {
    const [first]: unknown[] = Array.isArray(list) ? list : [];
    if (isFields(first)) return String(first["text"] ?? "");
  }
  if (!Array.isArray(item["summary"])) throw noItem(item);
  return "";
}

const ROLES: ReadonlySet<unknown> = new Set(["user", "system", "developer", "assistant"]);

function addMessage(messages: Message[], open: Message | undefined, item: Fields): void {
  const { role, content } = item;
  if (!ROLES.has(role) || (typeof content !== "string" && !Array.isArray(content)))
    throw noItem(item);
  const said = role === "assistant" && item["type"] === "message";
  if (Array.isArray(content) && !content.every((part) => isContentPart(part, said))) {
    // vLLM takes one with an id for an answer as it stands, and then misses its text.
    if (said && typeof item["id"] === "string") {
      throw badRequest("A part of the content of an answer is neither output_text nor refusal.");
    }
    throw noItem(item);
  }
  if (role !== "assistant") {
    messages.push({ role: String(role), content: content as Content });
    return;
  }
  const [first]: unknown[] = Array.isArray(content) ? content : [];
  const text =
    typeof content === "string"
      ? content
      : isFields(first)
        ? String(first["text"] ?? first["refusal"] ?? "")
        : "";
  if (open && (open.content === undefined || open.content === null)) open.content = text;
  else messages.push({ role: "assistant", content: text });
}

/** `said`: of an answer that is handed back. */
function isContentPart(part: unknown, said: boolean): boolean {
  if (!isFields(part)) return false;
  const { type, text } = part;
  if (type === "input_text" || (said && type === "output_text")) return typeof text === "string";
  return type === "input_image" || type === "input_file" || (said && type === "refusal");
}

/** Of OpenAI's items, those whose tools run nowhere here. */
const KNOWN_ITEMS: ReadonlySet<string> = new Set([
  "apply_patch_call",
  "apply_patch_call_output",
  "code_interpreter_call",
  "compaction",
  "computer_call",
  "computer_call_output",
  "file_search_call",
  "image_generation_call",
  "local_shell_call",
  "local_shell_call_output",
  "mcp_approval_request",
  "mcp_approval_response",
  "mcp_call",
  "mcp_list_tools",
  "shell_call",
  "shell_call_output",
  "web_search_call",
]);

const unsupported = (type: string) => badRequest(`Unsupported input item type: ${type}`, "input");

const noItem = (input: unknown) =>
  invalidShape(["input"], "Input should be a list of items", { type: "list_type", input });
