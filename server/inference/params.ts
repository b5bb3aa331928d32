/**
 * vLLM's SamplingParams as they stand between a renderer and a generator: read from a
 * body, and written with the fields, and in the order, in which vLLM writes them.
 */
import { type Static, Type } from "typebox";
import { nullable, type SamplingFields, fields as shared } from "../generation/fields.ts";
import type { CheckedSampling } from "../generation/params.ts";

const number = Type.Optional(Type.Number());
const integer = Type.Optional(Type.Integer());

const given = Type.Object(
  {
    n: integer,
    presence_penalty: number,
    frequency_penalty: number,
    repetition_penalty: number,
    temperature: number,
    top_p: number,
    top_k: integer,
    min_p: number,
    seed: shared.seed,
    stop: shared.stop,
    stop_token_ids: shared.stop_token_ids,
    ignore_eos: shared.ignore_eos,
    max_tokens: nullable(Type.Integer()),
    min_tokens: shared.min_tokens,
    logprobs: nullable(Type.Integer()),
    prompt_logprobs: shared.prompt_logprobs,
    logprob_token_ids: shared.logprob_token_ids,
    skip_special_tokens: shared.skip_special_tokens,
    include_stop_str_in_output: shared.include_stop_str_in_output,
    structured_outputs: shared.structured_outputs,
    logit_bias: shared.logit_bias,
    allowed_token_ids: shared.allowed_token_ids,
    bad_words: shared.bad_words,
    detokenize: Type.Optional(Type.Boolean()),
    thinking_token_budget: shared.thinking_token_budget,
    trace_decode_token_ids: nullable(Type.Array(Type.Integer())),
  },
  { "x-model": "typed-dict" },
);

/** In Python the instance itself would do too, and complaints say so first. */
export const samplingParamsBody = Type.Unsafe<SamplingParamsBody>(
  Type.Union([Type.Unsafe({ "x-instance": "SamplingParams" }), given]),
);

export type SamplingParamsBody = Static<typeof given>;

const DEFAULT_MAX_TOKENS = 16;
/** FINAL_ONLY and DELTA of vLLM's RequestOutputKind. */
const KINDS = { whole: 2, streamed: 1 };

/** JSON's numbers are doubles here: a seed that one would round is written as its digits, which pydantic reads too. */
const writtenSeed = (seed: number | bigint): number | string =>
  typeof seed === "bigint" ? String(seed) : seed;

/** What a generator needs to draw as this server would. */
export function writtenParams(
  { params, n, stop, includeStop }: CheckedSampling,
  fields: WrittenFields,
  {
    streamed,
    extra,
    parsed,
  }: { readonly streamed: boolean; readonly extra?: object; readonly parsed?: boolean },
): object {
  const greedy = params.temperature === 0;
  const constraint = fields.structured_outputs ?? formatConstraint(fields.response_format);
  return {
    ...(n !== 1 && { n }),
    presence_penalty: params.presencePenalty,
    frequency_penalty: params.frequencyPenalty,
    repetition_penalty: params.repetitionPenalty,
    temperature: params.temperature,
    ...(!greedy && { top_p: params.topP }),
    ...(params.topK !== 0 && { top_k: params.topK }),
    ...(!greedy && { min_p: params.minP }),
    ...(params.seed !== undefined && { seed: writtenSeed(params.seed) }),
    stop,
    stop_token_ids: params.stopTokenIds,
    ...(params.ignoreEos && { ignore_eos: true }),
    // Its own default is left out.
    ...(params.maxTokens !== DEFAULT_MAX_TOKENS && { max_tokens: params.maxTokens }),
    ...(params.minTokens !== 0 && { min_tokens: params.minTokens }),
    ...(params.logprobs !== undefined && { logprobs: params.logprobs }),
    ...(params.promptLogprobs !== undefined && { prompt_logprobs: params.promptLogprobs }),
    ...((parsed || fields.skip_special_tokens === false) && { skip_special_tokens: false }),
    ...(includeStop && { include_stop_str_in_output: true }),
    output_kind: streamed ? KINDS.streamed : KINDS.whole,
    skip_clone: true,
    ...(constraint && { structured_outputs: { ...UNCONSTRAINED, ...constraint } }),
    ...((extra || fields.vllm_xargs) && { extra_args: fields.vllm_xargs ?? extra }),
    ...(params.logitBias.size > 0 && { logit_bias: Object.fromEntries(params.logitBias) }),
    ...(params.allowedTokenIds !== undefined && { allowed_token_ids: params.allowedTokenIds }),
    bad_words: fields.bad_words ?? [],
    skip_reading_prefix_cache: params.promptLogprobs !== undefined,
  };
}

type WrittenFields = SamplingFields & {
  readonly structured_outputs?: unknown;
  readonly response_format?: unknown;
  readonly vllm_xargs?: object | null;
};

/** vLLM's StructuredOutputsParams, nothing set. */
const UNCONSTRAINED = {
  ...{ json: null, regex: null, choice: null, grammar: null, json_object: null },
  ...{ disable_any_whitespace: false, disable_additional_properties: false },
  ...{ whitespace_pattern: null, structural_tag: null, _backend: null, _backend_was_auto: false },
};

/** A response format as the constraint that it is. */
function formatConstraint(given: unknown): object | undefined {
  const format = (given ?? {}) as {
    readonly type?: string;
    readonly json_schema?: { readonly schema?: unknown };
  }; // of the schema's shape
  switch (format.type) {
    case "json_object":
      return { json_object: true };
    case "json_schema":
      return { json: format.json_schema?.schema };
    case "structural_tag":
      return { structural_tag: JSON.stringify(format) };
    default:
      return undefined;
  }
}
