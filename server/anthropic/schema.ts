/** POST /v1/messages and /v1/messages/count_tokens: what comes in. Blocks are read in messages.ts. */
import { type Static, Type } from "typebox";
import { nullable } from "../generation/fields.ts";

const text = Type.String();
const object = Type.Record(Type.String(), Type.Unknown());

const literals = <T extends string>(values: readonly T[]) => Type.Unsafe<T>(Type.Enum([...values]));

const block = Type.Object({
  type: literals([
    "text",
    "image",
    "tool_use",
    "tool_result",
    "tool_reference",
    "thinking",
    "redacted_thinking",
    "tool_addition",
    "tool_removal",
  ]),
  text: nullable(text),
  source: nullable(object),
  id: nullable(text),
  tool_use_id: nullable(text),
  name: nullable(text),
  input: nullable(object),
  content: nullable(Type.Union([text, Type.Array(object)])),
  is_error: nullable(Type.Boolean()),
  tool_name: nullable(text),
  thinking: nullable(text),
  signature: nullable(text),
  data: nullable(text),
  tool: nullable(object),
});

const content = Type.Union([text, Type.Array(block)]);

const message = Type.Object({ role: literals(["user", "assistant", "system"]), content });

const tool = Type.Object({
  name: text,
  description: nullable(text),
  input_schema: object,
  strict: nullable(Type.Boolean()),
  defer_loading: nullable(Type.Boolean()),
});

/** What a count of tokens depends on. */
const promptFields = {
  model: text,
  messages: Type.Array(message),
  output_config: nullable(
    Type.Object({
      effort: nullable(literals(["low", "medium", "high", "xhigh", "max"])),
      format: nullable(
        Type.Object({ schema: nullable(object), type: Type.Optional(Type.Literal("json_schema")) }),
      ),
    }),
  ),
  thinking: nullable(Type.Unsafe<Readonly<Record<string, unknown>>>(Type.Object({}))),
  system: nullable(content),
  tool_choice: nullable(
    Type.Object({
      type: literals(["auto", "any", "tool", "none"]),
      name: nullable(text),
      disable_parallel_tool_use: nullable(Type.Boolean()),
    }),
  ),
  tools: nullable(Type.Array(tool)),
  chat_template_kwargs: nullable(object),
};

export const countTokensRequest = Type.Object(promptFields);

export const messagesRequest = Type.Object({
  ...promptFields,
  max_tokens: Type.Integer(),
  metadata: nullable(object),
  stop_sequences: nullable(Type.Array(text, { maxItems: 4 })), // VLLM_MAX_STOP_STRINGS
  stream: nullable(Type.Boolean()),
  temperature: nullable(Type.Number()),
  top_k: nullable(Type.Integer()),
  top_p: nullable(Type.Number()),
  cache_salt: nullable(Type.String({ minLength: 1, maxLength: 1024 })),
  // Known to vLLM, not served here.
  watermarking: nullable(Type.Boolean()),
  kv_transfer_params: nullable(object),
  ec_transfer_params: nullable(object),
  vllm_xargs: nullable(object),
});

export type Block = Static<typeof block>;
export type Content = Static<typeof content>;
export type CountTokensRequest = Static<typeof countTokensRequest>;
export type MessagesRequest = Static<typeof messagesRequest>;
