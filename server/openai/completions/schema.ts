/** POST /v1/completions: what comes in, in vLLM's order of fields. */
import { type Static, Type } from "typebox";
import { fields, guidedFields, nullable, optional } from "../../generation/fields.ts";
import { withBodyChecks } from "../../http/validation.ts";
import { COMPLETION_CHECKS } from "./body-checks.ts";

const bytes = Type.String({ format: "bytes" });
const ids = Type.Array(Type.Integer({ minimum: 0 }));

export const completionRequest = withBodyChecks(
  Type.Object({
    model: fields.model,
    prompt: nullable(Type.Union([ids, Type.Array(ids), Type.String(), Type.Array(Type.String())])),
    echo: nullable(Type.Boolean()),
    frequency_penalty: fields.frequency_penalty,
    logit_bias: fields.logit_bias,
    logprobs: nullable(Type.Integer()),
    max_tokens: nullable(Type.Integer()),
    n: optional(Type.Integer()),
    presence_penalty: fields.presence_penalty,
    seed: fields.seed,
    stop: fields.stop,
    stream: fields.stream,
    stream_options: fields.stream_options,
    suffix: nullable(Type.String()),
    temperature: fields.temperature,
    top_p: fields.top_p,
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
    allowed_token_ids: fields.allowed_token_ids,
    prompt_logprobs: fields.prompt_logprobs,
    logprob_token_ids: fields.logprob_token_ids,
    bad_words: fields.bad_words,
    prompt_embeds: nullable(Type.Union([bytes, Type.Array(bytes)])),
    add_special_tokens: fields.add_special_tokens,
    response_format: fields.response_format,
    structured_outputs: fields.structured_outputs,
    priority: fields.priority,
    request_id: fields.request_id,
    session_id: fields.session_id,
    return_tokens_as_token_ids: fields.return_tokens_as_token_ids,
    return_token_ids: fields.return_token_ids,
    routed_experts_prompt_start: fields.routed_experts_prompt_start,
    return_token_offsets: fields.return_token_offsets,
    mm_payload: fields.mm_payload,
    return_mm_kwargs: fields.return_mm_kwargs,
    cache_salt: fields.cache_salt,
    kv_transfer_params: fields.kv_transfer_params,
    ec_transfer_params: fields.ec_transfer_params,
    vllm_xargs: fields.vllm_xargs,
    repetition_detection: fields.repetition_detection,
    thinking_token_budget: fields.thinking_token_budget,
    stream_interval: fields.stream_interval,
    ...guidedFields,
  }),
  COMPLETION_CHECKS,
);

export type CompletionRequest = Static<typeof completionRequest>;

export const COMPLETION_UNBUILT: readonly string[] = ["prompt_embeds"];
