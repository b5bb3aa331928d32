/** Token counts and timings as responses report them. */
import type { Running } from "../generation/generate.ts";
import type { Serving } from "../serving.ts";
import type { Settings } from "../settings/table.ts";

export interface UsageSource {
  readonly promptTokens: number;
  readonly generation: Running;
  readonly settings: Settings;
  /** Absent: without a reasoning parser. */
  readonly reasoningTokens?: number;
}

export function tokenCounts(promptTokens: number, completionTokens: number) {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
  };
}

/** The whole object, nulls included. */
export function usage({ promptTokens, generation, settings, reasoningTokens }: UsageSource) {
  const { outputTokens } = generation;
  return {
    ...tokenCounts(promptTokens, outputTokens),
    prompt_tokens_details: settings["enable-prompt-tokens-details"]
      ? {
          cached_tokens: generation.cachedTokens,
          created_cache_tokens: null,
          multimodal_tokens: null,
        }
      : null,
    completion_tokens_details: reasoningDetails(reasoningTokens),
  };
}

/** Of one choice of a chat, on every chunk with `continuous_usage_stats`. */
export function usageSoFar(
  promptTokens: number,
  completionTokens: number,
  { reasoningTokens }: Pick<UsageSource, "reasoningTokens">,
) {
  return {
    ...tokenCounts(promptTokens, completionTokens),
    completion_tokens_details: reasoningDetails(reasoningTokens),
  };
}

function reasoningDetails(tokens: number | undefined) {
  return tokens === undefined ? null : { reasoning_tokens: tokens };
}

/** The chunk of a stream that carries usage: what is null is left out. */
export function lastChunk(head: object, serving: Serving, source: UsageSource): object {
  const counts = usage(source);
  const details = counts.prompt_tokens_details;
  const metrics = requestMetrics(source.generation, serving);
  return {
    ...head,
    choices: [],
    usage: withoutNulls({ ...counts, prompt_tokens_details: details && withoutNulls(details) }),
    ...fingerprintOf(serving),
    ...(metrics !== null && { metrics: withoutNulls(metrics) }),
  };
}

/** On the last chunk of a stream; absent with `--fingerprint-mode none`. */
export function fingerprintOf({ fingerprint }: Serving) {
  return fingerprint === null ? {} : { system_fingerprint: fingerprint };
}

/** `metrics` of a response; null unless `--enable-per-request-metrics` and one completion. */
export function requestMetrics(
  generation: Running,
  { settings, trust }: Pick<Serving, "settings" | "trust">,
) {
  if (!settings["enable-per-request-metrics"] || generation.choices.length !== 1) return null;
  const { submitted, scheduled, firstToken, finished } = generation.timings;
  const tokens = generation.outputTokens;
  const milliseconds = (from: number | undefined, to: number | undefined) =>
    from === undefined || to === undefined ? null : (to - from) / 1e6;
  const decode = milliseconds(firstToken, finished);
  const inference = milliseconds(scheduled, finished);
  const [receipt] = generation.receipts;
  const receiptOf = (until: number | undefined) =>
    until === undefined || receipt === undefined
      ? null
      : { total: until - submitted, ...receipt.upTo(until) };
  return {
    // From the first step on, as vLLM has it; waiting is counted apart.
    time_to_first_token_ms: milliseconds(scheduled, firstToken),
    generation_time_ms: decode,
    queue_time_ms: milliseconds(submitted, scheduled),
    mean_itl_ms: decode === null || tokens < 2 ? null : decode / (tokens - 1),
    tokens_per_second: inference ? (tokens * 1000) / inference : null,
    // Ours: from the request's submission on, by cause (metrics/receipts.ts).
    receipt_ns: { time_to_first_token: receiptOf(firstToken), end_to_end: receiptOf(finished) },
    // How far those simulated times can be believed.
    ...(trust !== undefined && { receipt_bands: trust }),
  };
}

function withoutNulls<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, field]) => field !== null),
  ) as Partial<T>; // fields are only taken away
}
