/**
 * Chat messages as vLLM prepares them for a template: content as the template
 * reads it (a string, or a list of parts), and the developer's words as the
 * system's where the template knows no such role.
 */
import { isObject } from "../config.ts";

type Message = Readonly<Record<string, unknown>>;

export interface TemplateReads {
  /** The template loops over content parts. */
  readonly parts: boolean;
  /** The template names the role `developer`. */
  readonly developer: boolean;
}

export function prepared(messages: readonly unknown[], reads: TemplateReads): readonly unknown[] {
  const roles = reads.developer ? messages : developerAsSystem(messages);
  return roles.map((message) =>
    // The result of a tool is text for every template.
    isObject(message) && reads.parts && message["role"] !== "tool"
      ? withParts(message)
      : joined(message),
  );
}

function withParts(message: Message): Message {
  const { content } = message;
  return typeof content === "string"
    ? { ...message, content: [{ type: "text", text: content }] }
    : message;
}

/** Lists of text parts become one string, joined by line ends; empty ones are left out. */
function joined(message: unknown): unknown {
  const text = isObject(message) ? textOf(message["content"]) : undefined;
  return text === undefined ? message : { ...(message as Message), content: text }; // text is of an object
}

/** Undefined: there is more than text. */
function textOf(content: unknown): string | undefined {
  if (typeof content === "string" || !Array.isArray(content)) return undefined;
  const texts = content.map((part) => (isObject(part) ? part["text"] : part));
  return texts.every((text) => typeof text === "string")
    ? texts.filter((text) => text !== "").join("\n")
    : undefined;
}

/** Without a developer nothing changes; with one, all system messages become one, the first. */
function developerAsSystem(messages: readonly unknown[]): readonly unknown[] {
  const isSystem = (message: unknown): message is Message =>
    isObject(message) && (message["role"] === "system" || message["role"] === "developer");
  if (!messages.some((message) => isObject(message) && message["role"] === "developer"))
    return messages;
  const texts = messages
    .filter(isSystem)
    .map(({ content }) => textOf(content) ?? content)
    .filter((text) => text !== "" && text !== null && text !== undefined);
  const system = { role: "system", content: texts.join("\n\n") };
  return [system, ...messages.filter((message) => !isSystem(message))];
}
