/** Token counts and timings as responses report them. */
import type { Generation } from "../generation/generate.ts";
import type { Settings } from "../settings/table.ts";

export interface UsageSource {
  readonly promptTokens: number;
  readonly generation: Generation;
  readonly settings: Settings;
  /** Absent: without a reasoning parser. */
  readonly reasoningTokens?: number;
}

/** The whole object, nulls included. */
export function usage({ promptTokens, generation, settings, reasoningTokens }: UsageSource) {
  const completionTokens = generation.outputTokens;
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
    prompt_tokens_details: settings["enable-prompt-tokens-details"]
      ? {
          cached_tokens: generation.cachedTokens,
          created_cache_tokens: null,
          multimodal_tokens: null,
        }
      : null,
    completion_tokens_details:
      reasoningTokens === undefined ? null : { reasoning_tokens: reasoningTokens },
  };
}

/** As streams send it: what is null is left out. */
export function streamUsage(source: UsageSource) {
  return withoutNulls(usage(source));
}

/** `metrics` of a response; null unless `--enable-per-request-metrics` and one completion. */
export function requestMetrics(generation: Generation, settings: Settings) {
  if (!settings["enable-per-request-metrics"] || generation.choices.length !== 1) return null;
  const { submitted, scheduled, firstToken, finished } = generation.timings;
  const tokens = generation.outputTokens;
  const milliseconds = (from: number | undefined, to: number | undefined) =>
    from === undefined || to === undefined ? null : (to - from) / 1e6;
  const decode = milliseconds(firstToken, finished);
  return {
    time_to_first_token_ms: milliseconds(submitted, firstToken),
    generation_time_ms: decode,
    queue_time_ms: milliseconds(submitted, scheduled),
    mean_itl_ms: decode === null || tokens < 2 ? null : decode / (tokens - 1),
    tokens_per_second: decode === null || decode === 0 ? null : ((tokens - 1) * 1000) / decode,
  };
}

function withoutNulls<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, field]) => field !== null),
  ) as Partial<T>; // fields are only taken away
}
