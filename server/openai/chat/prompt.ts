/** Chat messages to a prompt: vLLM's checks, the model's template, the tokenizer. */
import { badRequest, notImplemented } from "../../errors.ts";
import type { OutputPlan } from "../../generation/planner.ts";
import { type Prompt, type TokenizeOptions, textPrompt } from "../../generation/prompt.ts";
import type { Serving } from "../../serving.ts";
import type { ChatMessage } from "./schema.ts";

/** Fields of a chat that decide how its prompt reads; /tokenize has them too. */
export interface ChatPromptFields {
  readonly messages: readonly ChatMessage[];
  readonly add_generation_prompt?: boolean | null;
  readonly continue_final_message?: boolean | null;
  readonly chat_template?: string | null;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | null;
  readonly documents?: readonly unknown[] | null;
}

const ROLES: ReadonlySet<string> = new Set([
  "system",
  "developer",
  "user",
  "assistant",
  "tool",
  "function",
]);

export async function chatPrompt(
  serving: Serving,
  body: ChatPromptFields,
  { plan, tokenize }: { readonly plan: OutputPlan; readonly tokenize: TokenizeOptions },
): Promise<Prompt> {
  if (body.messages.length === 0) {
    throw badRequest("messages must not be an empty array.", "messages", "[]");
  }
  if (body.continue_final_message && (body.add_generation_prompt ?? true)) {
    throw badRequest(
      "Cannot set both `continue_final_message` and `add_generation_prompt` to True.",
    );
  }
  if (body.chat_template) {
    if (!serving.settings["trust-request-chat-template"]) {
      throw badRequest(
        "Chat template is passed with request, but --trust-request-chat-template is not set. Refused request with untrusted chat template.",
        "chat_template",
      );
    }
  }
  const { chatTemplate } = serving;
  if (chatTemplate === undefined && !body.chat_template) {
    throw badRequest(
      "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template if the tokenizer does not define one.",
      "messages",
    );
  }
  const messages = body.messages.map(templateMessage);
  const input = {
    messages,
    ...(plan.tools !== undefined && { tools: plan.tools }),
    addGenerationPrompt: body.add_generation_prompt ?? true,
    continueFinalMessage: body.continue_final_message ?? false,
    ...(body.documents && { documents: body.documents }),
    variables: {
      ...serving.settings["default-chat-template-kwargs"],
      ...body.chat_template_kwargs,
      ...plan.templateVariables,
    },
  };
  if (body.chat_template && serving.requestTemplates !== undefined) {
    const given = await serving.requestTemplates.render(body.chat_template, input);
    return textPrompt(given, serving.tokenizer, serving, tokenize);
  }
  let text: string | undefined;
  try {
    text = chatTemplate?.render(input);
  } catch (error) {
    // The template's own complaints (raise_exception) and what it cannot do are the request's fault.
    throw badRequest(error instanceof Error ? error.message : String(error), "messages");
  }
  if (text === undefined) throw notImplemented("chat_template");
  return textPrompt(text, serving.tokenizer, serving, tokenize);
}

/** As templates expect a message: text content joined, arguments of tool calls as objects. */
function templateMessage(message: ChatMessage): Record<string, unknown> {
  if (!ROLES.has(message.role)) {
    throw badRequest(`Unknown role: ${message.role}`, "messages.role", message.role);
  }
  const {
    content,
    tool_calls: calls,
    reasoning,
    reasoning_content: oldReasoning,
    ...rest
  } = message;
  const thought = reasoning ?? oldReasoning;
  return {
    ...rest,
    content: typeof content === "string" ? content : joined(content),
    ...(calls && calls.length > 0 && { tool_calls: calls.map(templateCall) }),
    ...(thought && { reasoning: thought, reasoning_content: thought }),
  };
}

/** Absent content is empty text, as in vLLM: a template would print the word for null. */
function joined(parts: ChatMessage["content"]): string {
  if (parts === undefined || parts === null) return "";
  if (typeof parts === "string") return parts;
  return parts
    .map((part) => {
      if (typeof part === "string") return part;
      const { type, text } = part as { readonly type?: string; readonly text?: unknown }; // open objects
      if (typeof text === "string" && (type === undefined || TEXT_PARTS.has(type))) return text;
      if (type === "refusal" || type === "thinking") return "";
      throw notImplemented(`messages.content.${type ?? "type"}`);
    })
    .join("\n");
}

const TEXT_PARTS: ReadonlySet<string> = new Set(["text", "input_text", "output_text"]);

function templateCall(call: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const described = call["function"];
  if (typeof described !== "object" || described === null) return call;
  const { arguments: given, ...rest } = described as Record<string, unknown>; // an object by the line above
  if (typeof given !== "string") return call;
  let parsed: unknown;
  try {
    parsed = given === "" ? {} : JSON.parse(given);
  } catch {
    throw badRequest(
      "Arguments of a tool call in messages must be JSON text.",
      "messages.tool_calls",
    );
  }
  return { ...call, function: { ...rest, arguments: parsed } };
}
