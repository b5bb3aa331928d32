/** POST /v1/chat/completions: what comes in. */
import { type Static, Type } from "typebox";
import { nullable, requestFields, samplingFields } from "../fields.ts";

const text = Type.String();
const boolean = Type.Boolean();
const object = Type.Record(Type.String(), Type.Unknown());

const contentPart = Type.Object({ type: Type.Optional(text) });

const message = Type.Object({
  role: text,
  content: nullable(Type.Union([text, Type.Array(Type.Union([text, contentPart]))])),
  name: nullable(text),
  tool_calls: nullable(Type.Array(object)),
  tool_call_id: nullable(text),
  reasoning: nullable(text),
  reasoning_content: nullable(text),
});

const tool = Type.Object({
  type: Type.Optional(text),
  function: Type.Object({
    name: text,
    description: nullable(text),
    parameters: nullable(object),
    strict: nullable(boolean),
  }),
});

const namedTool = Type.Object({
  type: Type.Optional(text),
  function: Type.Object({ name: text }),
});

export const chatRequest = Type.Object({
  messages: Type.Array(message),
  ...samplingFields,
  ...requestFields,
  max_tokens: nullable(Type.Integer()),
  max_completion_tokens: nullable(Type.Integer()),
  logprobs: nullable(boolean),
  top_logprobs: nullable(Type.Integer()),
  tools: nullable(Type.Array(tool)),
  tool_choice: nullable(Type.Union([text, namedTool])),
  parallel_tool_calls: nullable(boolean),
  reasoning_effort: nullable(
    Type.Union(
      ["none", "minimal", "low", "medium", "high", "xhigh", "max"].map((effort) =>
        Type.Literal(effort),
      ),
    ),
  ),
  include_reasoning: nullable(boolean),
  thinking_token_budget: nullable(Type.Integer()),
  echo: nullable(boolean),
  add_generation_prompt: nullable(boolean),
  continue_final_message: nullable(boolean),
  documents: nullable(Type.Array(object)),
  chat_template: nullable(text),
  chat_template_kwargs: nullable(object),
  return_prompt_text: nullable(boolean),
  media_io_kwargs: nullable(object),
  mm_processor_kwargs: nullable(object),
  routed_experts_prompt_start: nullable(Type.Integer()),
  return_token_offsets: nullable(boolean),
  return_assistant_tokens_mask: nullable(boolean),
});

export type ChatRequest = Static<typeof chatRequest>;
export type ChatMessage = Static<typeof message>;

/** Of vLLM's fields, those of chat alone that are not served. */
export const CHAT_UNBUILT: readonly string[] = [
  "media_io_kwargs",
  "mm_processor_kwargs",
  "return_token_offsets",
  "return_assistant_tokens_mask",
];
