/**
 * The fields that chat and text completions share: shapes only, as the schema
 * that validates, the type and /openapi.json. Ranges are checked in
 * generation/params.ts in vLLM's words. Fields not named here are accepted and
 * ignored, as in vLLM.
 */
import { type Static, type TSchema, Type } from "typebox";

export function nullable<T extends TSchema>(schema: T) {
  return Type.Optional(Type.Union([schema, Type.Null()]));
}

const text = Type.String();
const integer = Type.Integer();
const number = Type.Number();
const boolean = Type.Boolean();
const object = Type.Record(Type.String(), Type.Unknown());

export const streamOptions = Type.Object({
  include_usage: nullable(boolean),
  continuous_usage_stats: nullable(boolean),
});

export const responseFormat = Type.Object({ type: Type.String() });

/** Sampling: both endpoints, vLLM's extras included. */
export const samplingFields = {
  n: nullable(integer),
  temperature: nullable(number),
  top_p: nullable(number),
  top_k: nullable(integer),
  min_p: nullable(number),
  frequency_penalty: nullable(number),
  presence_penalty: nullable(number),
  repetition_penalty: nullable(number),
  logit_bias: nullable(Type.Record(Type.String(), number)),
  allowed_token_ids: nullable(Type.Array(integer)),
  bad_words: nullable(Type.Array(text)),
  seed: nullable(Type.Integer({ minimum: -(2 ** 63), maximum: 2 ** 63 })),
  stop: nullable(Type.Union([text, Type.Array(text, { maxItems: 4 })])), // VLLM_MAX_STOP_STRINGS
  stop_token_ids: nullable(Type.Array(integer)),
  include_stop_str_in_output: nullable(boolean),
  ignore_eos: nullable(boolean),
  min_tokens: nullable(integer),
  skip_special_tokens: nullable(boolean),
  spaces_between_special_tokens: nullable(boolean),
  prompt_logprobs: nullable(integer),
  logprob_token_ids: nullable(Type.Array(integer)),
  truncate_prompt_tokens: nullable(Type.Integer({ minimum: -1 })),
  truncation_side: nullable(Type.Union([Type.Literal("left"), Type.Literal("right")])),
};

/** What both endpoints know beside sampling. */
export const requestFields = {
  model: nullable(text),
  stream: nullable(boolean),
  stream_options: nullable(streamOptions),
  response_format: nullable(responseFormat),
  structured_outputs: nullable(object),
  guided_json: Type.Optional(Type.Unknown()),
  guided_regex: nullable(text),
  guided_choice: nullable(Type.Array(text)),
  guided_grammar: nullable(text),
  guided_json_object: nullable(boolean),
  add_special_tokens: nullable(boolean),
  priority: nullable(integer),
  request_id: nullable(text),
  session_id: nullable(text),
  cache_salt: nullable(Type.String({ minLength: 1 })),
  return_tokens_as_token_ids: nullable(boolean),
  return_token_ids: nullable(boolean),
  stream_interval: nullable(Type.Integer({ minimum: 1 })),
  user: nullable(text),
  // Known to vLLM, not built here: a value other than null, false or empty answers 501.
  use_beam_search: nullable(boolean),
  length_penalty: nullable(number),
  kv_transfer_params: nullable(object),
  ec_transfer_params: nullable(object),
  vllm_xargs: nullable(object),
  repetition_detection: nullable(object),
};

const samplingObject = Type.Object(samplingFields);
export type SamplingFields = Static<typeof samplingObject>;

const requestObject = Type.Object(requestFields);
export type RequestFields = Static<typeof requestObject>;

/** Fields that have no effect in vLLM either: never reported as ignored. */
export const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  "user",
  "metadata",
  "store",
  "service_tier",
  "session_id",
  "spaces_between_special_tokens",
]);

const UNBUILT = [
  "use_beam_search",
  "kv_transfer_params",
  "ec_transfer_params",
  "vllm_xargs",
  "repetition_detection",
] as const;

/** The first field with a value that this server does not serve, if any. */
export function unbuiltField(
  body: Readonly<Record<string, unknown>>,
  further: readonly string[] = [],
): string | undefined {
  return [...UNBUILT, ...further].find((name) => !isEmpty(body[name]));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
