/**
 * vLLM's SamplingParams as they stand between a renderer and a generator: read from a
 * body, and written with the fields, and in the order, in which vLLM writes them.
 */
import { type Static, Type } from "typebox";
import type { CheckedSampling } from "../generation/params.ts";
import { nullable, type SamplingFields, fields as shared } from "../openai/fields.ts";

export const samplingParamsBody = Type.Object({
  n: shared.n,
  presence_penalty: shared.presence_penalty,
  frequency_penalty: shared.frequency_penalty,
  repetition_penalty: shared.repetition_penalty,
  temperature: shared.temperature,
  top_p: shared.top_p,
  top_k: shared.top_k,
  min_p: shared.min_p,
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
  structured_outputs: nullable(Type.Record(Type.String(), Type.Unknown())),
  logit_bias: shared.logit_bias,
  allowed_token_ids: shared.allowed_token_ids,
  bad_words: shared.bad_words,
  trace_decode_token_ids: nullable(Type.Array(Type.Integer())),
});

export type SamplingParamsBody = Static<typeof samplingParamsBody>;

const DEFAULT_MAX_TOKENS = 16;
/** FINAL_ONLY and DELTA of vLLM's RequestOutputKind. */
const KINDS = { whole: 2, streamed: 1 };

/** JSON's numbers are doubles here: a seed that one would round is written as its digits, which pydantic reads too. */
const writtenSeed = (seed: number | bigint): number | string =>
  typeof seed === "bigint" ? String(seed) : seed;

/** What a generator needs to draw as this server would. */
export function writtenParams(
  { params, n, stop, includeStop }: CheckedSampling,
  fields: SamplingFields & { readonly structured_outputs?: unknown },
  { streamed, extra }: { readonly streamed: boolean; readonly extra?: object },
): object {
  const greedy = params.temperature === 0;
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
    ...(fields.skip_special_tokens === false && { skip_special_tokens: false }),
    ...(includeStop && { include_stop_str_in_output: true }),
    output_kind: streamed ? KINDS.streamed : KINDS.whole,
    skip_clone: true,
    ...(extra && { extra_args: extra }),
    ...(fields.structured_outputs !== undefined &&
      fields.structured_outputs !== null && { structured_outputs: fields.structured_outputs }),
    ...(params.logitBias.size > 0 && { logit_bias: Object.fromEntries(params.logitBias) }),
    ...(params.allowedTokenIds !== undefined && { allowed_token_ids: params.allowedTokenIds }),
    bad_words: fields.bad_words ?? [],
    skip_reading_prefix_cache: false,
  };
}
