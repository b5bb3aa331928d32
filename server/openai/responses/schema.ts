/** POST /v1/responses: what comes in. Items are read in input.ts, tools in tools.ts. */
import { type Static, Type } from "typebox";
import { withBodyChecks } from "../../http/validation.ts";
import { checkCacheSalt } from "../body-checks.ts";
import { fields, nullable } from "../fields.ts";

const text = Type.String();
const boolean = Type.Boolean();
const object = Type.Record(Type.String(), Type.Unknown());

const INCLUDABLE = [
  "code_interpreter_call.outputs",
  "computer_call_output.output.image_url",
  "file_search_call.results",
  "message.input_image.image_url",
  "message.output_text.logprobs",
  "reasoning.encrypted_content",
] as const;

const literals = <T extends string>(values: readonly T[]) => Type.Unsafe<T>(Type.Enum([...values]));

export const responsesRequest = withBodyChecks(
  Type.Object({
    background: nullable(boolean),
    include: nullable(Type.Array(literals(INCLUDABLE))),
    input: Type.Union([text, Type.Array(Type.Unknown())]),
    instructions: nullable(text),
    max_output_tokens: nullable(Type.Integer()),
    max_tool_calls: nullable(Type.Integer()),
    metadata: nullable(Type.Record(Type.String(), text)),
    model: nullable(text),
    logit_bias: fields.logit_bias,
    parallel_tool_calls: nullable(boolean),
    previous_response_id: nullable(text),
    prompt: nullable(object),
    reasoning: nullable(
      Type.Object({
        effort: nullable(literals(["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
        summary: nullable(literals(["auto", "concise", "detailed"])),
        generate_summary: nullable(literals(["auto", "concise", "detailed"])),
      }),
    ),
    include_reasoning: Type.Optional(boolean),
    service_tier: Type.Optional(literals(["auto", "default", "flex", "scale", "priority"])),
    store: nullable(boolean),
    stream: nullable(boolean),
    temperature: fields.temperature,
    text: nullable(
      Type.Object({
        format: nullable(object),
        verbosity: nullable(literals(["low", "medium", "high"])),
      }),
    ),
    tool_choice: Type.Optional(Type.Union([text, object])),
    tools: Type.Optional(Type.Array(Type.Unknown())),
    top_logprobs: nullable(Type.Integer()),
    top_p: fields.top_p,
    top_k: fields.top_k,
    min_p: fields.min_p,
    truncation: nullable(literals(["auto", "disabled"])),
    user: nullable(text),
    skip_special_tokens: Type.Optional(boolean),
    include_stop_str_in_output: Type.Optional(boolean),
    presence_penalty: nullable(Type.Number({ minimum: -2, maximum: 2 })),
    frequency_penalty: nullable(Type.Number({ minimum: -2, maximum: 2 })),
    repetition_penalty: fields.repetition_penalty,
    prompt_cache_key: nullable(text),
    request_id: Type.Optional(text),
    session_id: nullable(text),
    priority: Type.Optional(Type.Integer()),
    cache_salt: nullable(Type.String({ minLength: 1, maxLength: 1024 })),
    enable_response_messages: Type.Optional(boolean),
    previous_input_messages: nullable(Type.Array(object)),
    structured_outputs: nullable(object),
    seed: fields.seed,
    stop: fields.stop,
    stop_token_ids: fields.stop_token_ids,
    ignore_eos: Type.Optional(boolean),
    chat_template_kwargs: nullable(object),
    stream_options: nullable(object),
    // Known to vLLM, not served here: a value other than null, false or empty is refused.
    watermarking: nullable(boolean),
    vllm_xargs: nullable(object),
    kv_transfer_params: nullable(object),
    ec_transfer_params: nullable(object),
    media_io_kwargs: nullable(object),
    mm_processor_kwargs: nullable(object),
  }),
  [checkCacheSalt, withoutTools],
);

/** As vLLM: a choice among no tools is none, before the fields are looked at. */
function withoutTools(body: Readonly<Record<string, unknown>>): void {
  const { tools, tool_choice: choice = "auto" } = body;
  const none =
    tools === undefined || tools === null || (Array.isArray(tools) && tools.length === 0);
  if (none && (choice === "auto" || choice === "none"))
    Object.assign(body, { tool_choice: "none" });
}

export type ResponsesRequest = Static<typeof responsesRequest>;

/** Of vLLM's fields, those of responses alone that are not served. */
export const RESPONSES_UNBUILT: readonly string[] = [
  "watermarking",
  "media_io_kwargs",
  "mm_processor_kwargs",
  "previous_input_messages",
];
