/** Chat messages to a prompt: vLLM's checks, the model's template, the tokenizer. */

import type { ChatTemplate } from "../../models/model.ts";
import { type Soon, soon } from "../../models/soon.ts";
import { badRequest, notImplemented } from "../http/errors.ts";
import { checkItems } from "../http/validation.ts";
import { CallArguments } from "./call-arguments.ts";
import { isLarge } from "./large.ts";
import type { ChatMessage } from "./messages.ts";
import type { OutputPlan } from "./planner.ts";
import { checkCharacters, type Prompt, type TokenizeOptions, textPrompt } from "./prompt.ts";
import type { ServedModel } from "./served-model.ts";

/** Fields of a chat that decide how its prompt reads; /tokenize has them too. */
export interface ChatPromptFields {
  readonly messages: readonly ChatMessage[];
  readonly add_generation_prompt?: boolean | null;
  readonly continue_final_message?: boolean | null;
  readonly chat_template?: string | null;
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | null;
  readonly documents?: readonly unknown[] | null;
}

export function chatPrompt(
  serving: ServedModel,
  body: ChatPromptFields,
  { plan, tokenize }: { readonly plan: OutputPlan; readonly tokenize: TokenizeOptions },
): Soon<Prompt> {
  if (body.messages.length === 0) {
    throw badRequest(
      "Cannot apply chat template to an empty conversation. Provide at least one message.",
    );
  }
  if (body.continue_final_message && (body.add_generation_prompt ?? true)) {
    throw badRequest(
      "continue_final_message and add_generation_prompt are not compatible. Use continue_final_message when you want the model to continue the final message, and add_generation_prompt when you want to add a header that will prompt it to start a new assistant message instead.",
    );
  }
  const given = body.chat_template ?? body.chat_template_kwargs?.["chat_template"];
  if (given !== undefined && given !== null && !serving.settings["trust-request-chat-template"]) {
    throw badRequest(
      "Chat template is passed with request, but --trust-request-chat-template is not set. Refused request with untrusted chat template.",
    );
  }
  if (body.chat_template_kwargs && Object.hasOwn(body.chat_template_kwargs, "messages")) {
    throw badRequest(
      "jinja2.environment.Template.render() got multiple values for keyword argument 'messages'",
    );
  }
  const { chatTemplate } = serving;
  if (chatTemplate === undefined && !body.chat_template) {
    throw badRequest(
      "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template if the tokenizer does not define one.",
    );
  }
  for (const { content } of body.messages) {
    if (Array.isArray(content)) checkItems(content);
  }
  const [model] = serving.names;
  if (serving.tokenizer !== undefined) {
    checkCharacters(characters(body.messages, model), serving.tokenizer, serving);
  }
  const args = new CallArguments();
  const messages = body.messages.map((message) => templateMessage(message, model, args));
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
  return soon(rendered(serving, body.chat_template || undefined, input), (text) =>
    textPrompt(text, serving.tokenizer, serving, tokenize),
  );
}

/** `given`: a template that came with the request and is trusted. */
function rendered(
  { templates, chatTemplate }: ServedModel,
  given: string | undefined,
  input: Parameters<ChatTemplate["render"]>[0],
): Soon<string> {
  if (given !== undefined) return templates.render(given, input);
  if (chatTemplate === undefined) throw notImplemented("chat_template");
  if (chatTemplate.source !== undefined && isLarge(input)) {
    return templates.renderLarge(chatTemplate.source, input);
  }
  try {
    return chatTemplate.render(input);
  } catch (error) {
    // The template's own complaints (raise_exception) and what it cannot do are the request's fault.
    throw badRequest(error instanceof Error ? error.message : String(error));
  }
}

/** Characters of all texts, counted before anything is done with them. */
function characters(messages: readonly ChatMessage[], model: string): number {
  let sum = 0;
  for (const { content } of messages) {
    if (typeof content === "string") sum += content.length;
    else
      for (const part of content ?? [])
        for (const { text } of textPart(part, model)) sum += text.length;
  }
  return sum;
}

/** A message with the fields that vLLM shows a template. */
function templateMessage(
  message: ChatMessage,
  model: string,
  args: CallArguments,
): Record<string, unknown> {
  const { role, content, name, tool_call_id: callId, tool_calls: calls } = message;
  const thought = message.reasoning ?? message.reasoning_content;
  const assistant = role === "assistant";
  if (typeof content === "string" && !assistant && role !== "tool" && typeof name !== "string") {
    return { role, content };
  }
  if (assistant && calls) checkItems(calls);
  return {
    role,
    content:
      typeof content === "string"
        ? content
        : (content ?? []).flatMap((part) => textPart(part, model)),
    ...(assistant &&
      calls &&
      calls.length > 0 && {
        tool_calls: calls.map((call) => templateCall(call, args)),
      }),
    ...(assistant &&
      typeof thought === "string" && {
        reasoning: thought,
        reasoning_content: thought,
      }),
    ...(role === "tool" && callId !== undefined && { tool_call_id: callId }),
    ...(typeof name === "string" && { name }),
  };
}

/** The text that is in parts of these types, and under which key. */
const TEXT_KEYS: Readonly<Record<string, string>> = {
  text: "text",
  input_text: "text",
  output_text: "text",
  refusal: "refusal",
  thinking: "thinking",
};

type ContentPart = Exclude<ChatMessage["content"], string | null | undefined>[number];

function textPart(
  part: ContentPart,
  model: string,
): readonly { readonly type: "text"; readonly text: string }[] {
  if (typeof part === "string") return [{ type: "text", text: part }];
  const { type = "text" } = part;
  const key = TEXT_KEYS[type];
  if (key === undefined) {
    if (MEDIA.test(type)) throw badRequest(`${model} is not a multimodal model`);
    throw badRequest(
      `Unsupported chat content part type: '${type}'. Supported types: ${PART_TYPES}.`,
      "type",
      type,
    );
  }
  const text = (part as Readonly<Record<string, unknown>>)[key]; // an open object
  return typeof text === "string" ? [{ type: "text", text }] : [];
}

/** What vLLM names; the media among them it knows of multimodal models only. */
const PART_TYPES =
  "audio_embeds, audio_url, image_embeds, image_pil, image_url, input_audio, input_image, input_text, output_text, prompt_embeds, refusal, text, thinking, tool_reference, video_embeds, video_url";

const MEDIA = /image|audio|video|embeds/;

/** The text of a message's content. */
export function contentText(content: ChatMessage["content"]): string {
  if (typeof content === "string") return content;
  return (content ?? [])
    .flatMap((part) => textPart(part, ""))
    .map(({ text }) => text)
    .join("\n");
}

/** Arguments as the object that templates expect. */
function templateCall(
  call: Readonly<Record<string, unknown>> | null,
  args: CallArguments,
): Record<string, unknown> {
  const { function: described, type = "function" } = call ?? {};
  if (type !== "function" || typeof described !== "object" || described === null) {
    throw badRequest(
      "chat completions only support assistant tool_calls of type 'function'.",
      "tool_calls",
    );
  }
  const { arguments: given, ...rest } = described as Record<string, unknown>; // an object by the line above
  return { ...call, function: { ...rest, arguments: args.read(given) } };
}
