/** Messages of blocks to chat messages: results of tools become messages of their own. */

import type { ChatMessage } from "../generation/messages.ts";
import { badRequest } from "../http/errors.ts";
import { invalidShape } from "../http/validation.ts";
import type { Block, Content, CountTokensRequest } from "./schema.ts";

/** A client's header with a hash of its own for each request, which no cache would survive. */
const BILLING = "x-anthropic-billing-header";

/** `merged`: the template takes a system message at the start only; `model`: its name. */
export function chatMessages(
  body: CountTokensRequest,
  { merged, model }: { readonly merged: boolean; readonly model: string },
): readonly ChatMessage[] {
  if (body.messages.length === 0) {
    throw badRequest(
      "Cannot apply chat template to an empty conversation. Provide at least one message.",
    );
  }
  const messages: ChatMessage[] = [];
  const system = systemTexts(body.system ?? "", true);
  const inline = body.messages.map(({ role, content }) =>
    role === "system" ? systemTexts(content, false).join("") : "",
  );
  const leading = merged ? [...system, ...inline] : system;
  if (leading.some((text) => text !== "")) {
    messages.push({ role: "system", content: leading.join("") });
  }
  body.messages.forEach(({ role, content }, i) => {
    if (role === "system") {
      const text = inline[i] ?? "";
      if (!merged && text !== "") messages.push({ role, content: text });
      return;
    }
    if (typeof content === "string") messages.push({ role, content });
    else {
      checkTextOnly(content, model);
      checkChanges(content, i, body.messages[i]);
      addMessage(messages, role, content);
    }
  });
  return messages;
}

/** Tool changes among the messages, in order. */
export function toolChanges(body: CountTokensRequest): readonly Block[] {
  return body.messages.flatMap(({ content }) =>
    typeof content === "string" ? [] : content.filter(({ type }) => CHANGES.has(type)),
  );
}

const CHANGES: ReadonlySet<string> = new Set(["tool_addition", "tool_removal"]);

/** Of a message the billing header goes whatever its form, of the field itself as a block alone, as in vLLM. */
function systemTexts(content: Content, field: boolean): readonly string[] {
  if (typeof content === "string") {
    return !field && content.startsWith(BILLING) ? [] : [content];
  }
  return content.map(textOf).filter((text) => text !== "" && !text.startsWith(BILLING));
}

const textOf = ({ type, text }: Block): string =>
  type === "text" && typeof text === "string" ? text : "";

function checkTextOnly(blocks: readonly Block[], model: string): void {
  const images = (items: unknown): boolean =>
    Array.isArray(items) &&
    items.some(
      (item: Block | null) =>
        item?.type === "image" || (item?.type === "tool_result" && images(item["content"])),
    );
  if (images(blocks)) throw badRequest(`${model} is not a multimodal model`);
}

function checkChanges(blocks: readonly Block[], index: number, input: unknown): void {
  const change = blocks.find(({ type }) => CHANGES.has(type));
  if (change === undefined) return;
  const wrong = `${change.type} blocks are only allowed in messages with role "system"`;
  throw invalidShape(["messages", index], wrong, { input });
}

function addMessage(
  messages: ChatMessage[],
  role: "user" | "assistant",
  content: readonly Block[],
): void {
  const parts: { readonly type: string }[] = [];
  const calls: Record<string, unknown>[] = [];
  const thoughts: string[] = [];
  for (const block of content) {
    if (block.type === "text" && textOf(block) !== "") {
      parts.push({ type: "text", text: textOf(block) } as { readonly type: string });
    } else if (block.type === "thinking" && typeof block["thinking"] === "string") {
      thoughts.push(block["thinking"]);
    } else if (block.type === "tool_use") calls.push(toolCall(block));
    else if (block.type === "tool_result" && role === "user") messages.push(toolResult(block));
    else if (block.type === "tool_result") {
      const said = block["content"] ? resultText(block["content"]) : "";
      parts.push({ type: "text", text: `Tool result: ${said}` } as { readonly type: string });
    }
  }
  const [only] = parts;
  const said = parts.length === 1 && only ? (only as unknown as { text: string }).text : parts;
  if (role === "user" && parts.length === 0) return;
  messages.push({
    role,
    ...(thoughts.length > 0 && { reasoning: thoughts.join("") }),
    ...(calls.length > 0 && { tool_calls: calls }),
    ...(parts.length > 0 && { content: said }),
  });
}

function toolCall({ id, name, input }: Block): Record<string, unknown> {
  return {
    id: id || "call_0",
    type: "function",
    function: { name: name ?? "", arguments: JSON.stringify(input ?? {}) },
  };
}

function toolResult({ tool_use_id: id, content }: Block): ChatMessage {
  return {
    role: "tool",
    tool_call_id: typeof id === "string" ? id : "",
    content: resultText(content),
  };
}

function resultText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .flatMap((item: unknown) => {
      const { type, text } = (item ?? {}) as Readonly<Record<string, unknown>>; // any JSON value
      return type === "text" ? [String(text ?? "")] : [];
    })
    .join("\n");
}
