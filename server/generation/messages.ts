/**
 * The messages of a chat: OpenAI's kinds one by one, and the open kind by which
 * vLLM takes any role. A message is read as the kind it fits best; the parts of
 * OpenAI's kinds are checked only when the prompt is made.
 */
import { Type } from "typebox";
import { nullable, optional } from "./fields.ts";

const text = Type.String();

/** One word. */
function word(value: string) {
  return Type.Literal(value);
}

function typedDict<T extends Parameters<typeof Type.Object>[0]>(title: string, fields: T) {
  return Type.Object(fields, { title, "x-model": "typed-dict" });
}

const cacheBreakpoint = optional(
  typedDict("PromptCacheBreakpoint", {
    mode: word("explicit"),
    ttl: optional(Type.Enum(["30m", "12h"])),
  }),
);

const textPart = typedDict("ChatCompletionContentPartTextParam", {
  text,
  type: word("text"),
  prompt_cache_breakpoint: cacheBreakpoint,
});

const imagePart = typedDict("ChatCompletionContentPartImageParam", {
  image_url: typedDict("ImageURL", {
    url: text,
    detail: optional(Type.Enum(["auto", "low", "high", "original"])),
  }),
  type: word("image_url"),
  prompt_cache_breakpoint: cacheBreakpoint,
});

const audioPart = typedDict("ChatCompletionContentPartInputAudioParam", {
  input_audio: typedDict("InputAudio", { data: text, format: Type.Enum(["wav", "mp3"]) }),
  type: word("input_audio"),
  prompt_cache_breakpoint: cacheBreakpoint,
});

const filePart = typedDict("File", {
  file: typedDict("FileFile", {
    file_data: optional(text),
    file_id: optional(text),
    filename: optional(text),
  }),
  type: word("file"),
  prompt_cache_breakpoint: cacheBreakpoint,
});

const refusalPart = typedDict("ChatCompletionContentPartRefusalParam", {
  refusal: text,
  type: word("refusal"),
});

const functionCall = typedDict("ChatCompletionMessageFunctionToolCallParam", {
  id: text,
  function: typedDict("Function", { arguments: text, name: text }),
  type: word("function"),
});

const customCall = typedDict("ChatCompletionMessageCustomToolCallParam", {
  id: text,
  custom: typedDict("Custom", { input: text, name: text }),
  type: word("custom"),
});

/** Text, or parts that are checked when they are read. */
function content(...parts: readonly Parameters<typeof Type.Array>[0][]) {
  const [only] = parts;
  const items = parts.length === 1 && only !== undefined ? only : Type.Union([...parts]);
  return Type.Union([text, Type.Array(items, { "x-lazy": true })]);
}

const numbers = Type.Array(Type.Union([Type.Integer(), Type.Number()]));
const tensor = Type.Union([text, Type.Record(Type.String(), Type.Union([text, numbers]))]);

/** Parts of the open kind. */
const anyPart = Type.Union([
  textPart,
  imagePart,
  audioPart,
  filePart,
  typedDict("ChatCompletionContentPartAudioParam", {
    audio_url: typedDict("AudioURL", { url: text }),
    type: word("audio_url"),
  }),
  typedDict("ChatCompletionContentPartVideoParam", {
    video_url: typedDict("VideoURL", { url: text }),
    type: word("video_url"),
  }),
  refusalPart,
  typedDict("CustomChatCompletionContentPILImageParam", {
    image_pil: nullable(Type.Object({ image_pil: Type.Never() })),
    uuid: nullable(text),
  }),
  typedDict("CustomChatCompletionContentSimpleImageParam", {
    image_url: nullable(text),
    uuid: nullable(text),
  }),
  typedDict("ChatCompletionContentPartImageEmbedsParam", {
    image_embeds: nullable(tensor),
    type: word("image_embeds"),
    uuid: nullable(text),
  }),
  typedDict("ChatCompletionContentPartAudioEmbedsParam", {
    audio_embeds: nullable(tensor),
    type: word("audio_embeds"),
    uuid: nullable(text),
  }),
  typedDict("ChatCompletionContentPartVideoEmbedsParam", {
    video_embeds: nullable(tensor),
    type: word("video_embeds"),
    uuid: nullable(text),
  }),
  typedDict("ChatCompletionContentPartPromptEmbedsParam", {
    data: text,
    type: word("prompt_embeds"),
  }),
  typedDict("CustomChatCompletionContentSimpleAudioParam", { audio_url: nullable(text) }),
  typedDict("CustomChatCompletionContentSimpleVideoParam", {
    video_url: nullable(text),
    uuid: nullable(text),
  }),
  typedDict("CustomChatCompletionContentToolReferenceParam", {
    name: optional(text),
    type: optional(word("tool_reference")),
  }),
  text,
  typedDict("CustomThinkCompletionContentParam", {
    thinking: text,
    closed: optional(Type.Boolean()),
    type: word("thinking"),
  }),
]);

const functionTool = typedDict("ChatCompletionFunctionToolParam", {
  function: typedDict("FunctionDefinition", {
    name: text,
    description: optional(text),
    parameters: optional(Type.Record(text, Type.Unknown())),
    strict: nullable(Type.Boolean()),
  }),
  type: word("function"),
});

const kinds = Type.Union([
  typedDict("ChatCompletionDeveloperMessageParam", {
    content: content(textPart),
    role: word("developer"),
    name: optional(text),
  }),
  typedDict("ChatCompletionSystemMessageParam", {
    content: content(textPart),
    role: word("system"),
    name: optional(text),
  }),
  typedDict("ChatCompletionUserMessageParam", {
    content: content(textPart, imagePart, audioPart, filePart),
    role: word("user"),
    name: optional(text),
  }),
  typedDict("ChatCompletionAssistantMessageParam", {
    role: word("assistant"),
    audio: nullable(typedDict("Audio", { id: text })),
    content: nullable(content(textPart, refusalPart)),
    function_call: nullable(typedDict("FunctionCall", { arguments: text, name: text })),
    name: optional(text),
    refusal: nullable(text),
    tool_calls: optional(Type.Array(Type.Union([functionCall, customCall]), { "x-lazy": true })),
  }),
  typedDict("ChatCompletionToolMessageParam", {
    content: content(textPart),
    role: word("tool"),
    tool_call_id: text,
  }),
  typedDict("ChatCompletionFunctionMessageParam", {
    content: Type.Union([text, Type.Null()]),
    name: text,
    role: word("function"),
  }),
  typedDict("CustomChatCompletionMessageParam", {
    role: text,
    content: optional(Type.Union([text, Type.Array(anyPart)])),
    name: optional(text),
    tool_call_id: nullable(text),
    tool_calls: nullable(Type.Array(functionCall)),
    reasoning: nullable(text),
    tools: nullable(Type.Array(functionTool)),
    task: nullable(text),
  }),
  Type.Object(
    {
      author: Type.Object({
        role: Type.Enum(["user", "assistant", "system", "developer", "tool"]),
        name: nullable(text),
      }),
      content: optional(Type.Array(Type.Object({}))),
      channel: nullable(text),
      recipient: nullable(text),
      content_type: nullable(text),
    },
    { title: "Message" },
  ),
]);

/** What the kinds have in common, as it is read further on. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: string | readonly (string | { readonly type?: string })[] | null;
  readonly name?: string | null;
  readonly tool_calls?: Record<string, unknown>[] | null;
  readonly tool_call_id?: string | null;
  readonly reasoning?: string | null;
  readonly reasoning_content?: string | null;
}

export const message = Type.Unsafe<ChatMessage>(kinds);
