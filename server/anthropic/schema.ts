/** POST /v1/messages and /v1/messages/count_tokens: what comes in. Blocks are read in messages.ts. */
import { type Static, Type } from "typebox";
import { nullable } from "../openai/fields.ts";

const text = Type.String();
const object = Type.Record(Type.String(), Type.Unknown());

const literals = <T extends string>(values: readonly T[]) =>
  Type.Unsafe<T>(Type.Union(values.map((value) => Type.Literal(value))));

const message = Type.Object({
  role: literals(["user", "assistant", "system"]),
  content: Type.Unknown(),
});

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
      format: nullable(Type.Object({ schema: nullable(object), type: Type.Optional(text) })),
    }),
  ),
  thinking: nullable(object),
  system: Type.Optional(Type.Unknown()),
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

export type CountTokensRequest = Static<typeof countTokensRequest>;
export type MessagesRequest = Static<typeof messagesRequest>;
