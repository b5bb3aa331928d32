/** POST /v1/chat/completions: what comes in, in vLLM's order of fields. */
import { type Static, Type } from "typebox";
import { fields, guidedFields, nullable, optional } from "../../generation/fields.ts";
import { message } from "../../generation/messages.ts";
import { BEFORE } from "../../http/shape/schema.ts";
import { withBodyChecks } from "../../http/validation.ts";
import { CHAT_CHECKS, checkCallItems } from "./body-checks.ts";

const text = Type.String();
const boolean = Type.Boolean();
const object = Type.Record(Type.String(), Type.Unknown());

const isFunction = optional(Type.Literal("function"));

export const tool = Type.Object({
  type: isFunction,
  function: Type.Object({
    name: text,
    description: nullable(text),
    parameters: nullable(object),
    strict: nullable(boolean),
    defer_loading: nullable(boolean),
  }),
  defer_loading: nullable(boolean),
});

const namedTool = Type.Object({
  function: Type.Object({ name: text }),
  type: isFunction,
});

export const chatRequest = withBodyChecks(
  Type.Object({
    messages: Type.Array(message),
    model: fields.model,
    frequency_penalty: fields.frequency_penalty,
    logit_bias: fields.logit_bias,
    logprobs: nullable(boolean),
    top_logprobs: Type.Optional(
      Type.Integer({ [BEFORE]: (value: unknown) => (value === null ? 0 : value) }),
    ),
    max_tokens: nullable(Type.Integer()),
    max_completion_tokens: nullable(Type.Integer()),
    n: fields.n,
    presence_penalty: fields.presence_penalty,
    response_format: fields.response_format,
    seed: fields.seed,
    stop: fields.stop,
    stream: fields.stream,
    stream_options: fields.stream_options,
    temperature: fields.temperature,
    top_p: fields.top_p,
    tools: nullable(Type.Array(tool)),
    tool_choice: nullable(
      Type.Union([Type.Literal("none"), Type.Literal("auto"), Type.Literal("required"), namedTool]),
    ),
    reasoning_effort: nullable(
      Type.Enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
    ),
    thinking_token_budget: fields.thinking_token_budget,
    include_reasoning: optional(boolean),
    parallel_tool_calls: nullable(boolean),
    user: fields.user,
    use_beam_search: fields.use_beam_search,
    top_k: fields.top_k,
    min_p: fields.min_p,
    repetition_penalty: fields.repetition_penalty,
    watermarking: fields.watermarking,
    length_penalty: fields.length_penalty,
    stop_token_ids: fields.stop_token_ids,
    include_stop_str_in_output: fields.include_stop_str_in_output,
    ignore_eos: fields.ignore_eos,
    min_tokens: fields.min_tokens,
    skip_special_tokens: fields.skip_special_tokens,
    spaces_between_special_tokens: fields.spaces_between_special_tokens,
    truncate_prompt_tokens: fields.truncate_prompt_tokens,
    truncation_side: fields.truncation_side,
    prompt_logprobs: fields.prompt_logprobs,
    logprob_token_ids: fields.logprob_token_ids,
    allowed_token_ids: fields.allowed_token_ids,
    bad_words: fields.bad_words,
    echo: optional(boolean),
    add_generation_prompt: optional(boolean),
    continue_final_message: optional(boolean),
    add_special_tokens: fields.add_special_tokens,
    documents: nullable(Type.Array(Type.Record(Type.String(), text))),
    chat_template: nullable(text),
    chat_template_kwargs: nullable(object),
    media_io_kwargs: nullable(Type.Record(Type.String(), object)),
    mm_processor_kwargs: nullable(object),
    structured_outputs: fields.structured_outputs,
    priority: fields.priority,
    request_id: fields.request_id,
    session_id: fields.session_id,
    return_tokens_as_token_ids: fields.return_tokens_as_token_ids,
    return_token_ids: fields.return_token_ids,
    routed_experts_prompt_start: fields.routed_experts_prompt_start,
    return_token_offsets: fields.return_token_offsets,
    return_prompt_text: nullable(boolean),
    mm_payload: fields.mm_payload,
    return_mm_kwargs: fields.return_mm_kwargs,
    cache_salt: fields.cache_salt,
    kv_transfer_params: fields.kv_transfer_params,
    ec_transfer_params: fields.ec_transfer_params,
    vllm_xargs: fields.vllm_xargs,
    repetition_detection: fields.repetition_detection,
    stream_interval: fields.stream_interval,
    ...guidedFields,
  }),
  CHAT_CHECKS,
  checkCallItems,
);

export type ChatRequest = Static<typeof chatRequest>;

/** Of vLLM's fields, those of chat alone that are not served. */
export const CHAT_UNBUILT: readonly string[] = [];
