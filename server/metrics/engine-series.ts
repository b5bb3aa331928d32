/** vLLM's series of one engine that its events feed: names, labels and buckets as vLLM serves them. */
import { BUCKETS } from "./buckets.ts";
import { type Families, type Labels, oneTwoFive } from "./families.ts";

export interface EngineMetricsOptions {
  readonly modelName: string;
  readonly index: number;
  readonly maxModelLen: number;
  /** Drafts a step may verify; absent: no speculation, and none of its series. */
  readonly maxDrafted?: number;
  /** Serve removed names too. */
  readonly hidden: boolean;
  /** Label values of cache_config_info. */
  readonly cacheConfig: Labels;
}

const REASONS = ["stop", "length", "abort", "error", "repetition"] as const;

/** Makers of series with the engine's labels. */
type Make = ReturnType<typeof makers>;

export function seriesOf(families: Families, options: EngineMetricsOptions) {
  const make = makers(families, options);
  const success = Object.fromEntries(
    REASONS.map((reason) => [
      reason,
      make.counter("request_success", "Count of finished requests by reason.", {
        finished_reason: reason,
      }),
    ]),
  ) as Record<(typeof REASONS)[number], ReturnType<Make["counter"]>>; // one entry a reason, made above
  const tier = "Prefix-cache hit tokens by the cache tier that supplied them.";
  const cachedBy = (source: string) =>
    make.counter("prompt_tokens_cached_by_source", tier, { source });
  keepAtZero(make, cachedBy);
  return {
    success,
    cachedOnDevice: cachedBy("device"),
    ...tokenSeries(make),
    ...latencySeries(make),
    ...lengthSeries(make, oneTwoFive(options.maxModelLen)),
    speculation:
      options.maxDrafted === undefined ? undefined : speculationSeries(make, options.maxDrafted),
  };
}

function makers(families: Families, options: EngineMetricsOptions) {
  const labels = { model_name: options.modelName, engine: String(options.index) };
  const counter = (name: string, help: string, further: Labels = {}) =>
    families.counter(`vllm:${name}`, help, { ...labels, ...further });
  const histogram = (name: string, help: string, buckets: readonly number[]) =>
    families.histogram(`vllm:${name}`, { help, buckets, labels });
  /** A removed name, where such are asked for. */
  const hidden = <T>(make: () => T): readonly T[] => (options.hidden ? [make()] : []);
  return { counter, histogram, hidden };
}

const BY_SOURCE = "Prompt tokens by source.";

/** What this server has none of: read once, then 0 for ever. */
function keepAtZero({ counter }: Make, cachedBy: (source: string) => unknown): void {
  for (const name of ["external_prefix_cache_queries", "external_prefix_cache_hits"]) {
    counter(name, "Of a cache outside this server; there is none.");
  }
  for (const name of ["mm_cache_queries", "mm_cache_hits"]) {
    counter(name, "Of the multi-modal cache; there is none.");
  }
  counter("prompt_tokens_by_source", BY_SOURCE, { source: "external_kv_transfer" });
  for (const from of ["host", "p2p", "disk", "external_unspecified"]) cachedBy(from);
  // At 0, as in vLLM without --enable-mfu-metrics.
  for (const what of ["flops", "read_bytes", "write_bytes"]) {
    counter(`estimated_${what}_per_gpu`, "Not estimated here: 0, as without --enable-mfu-metrics.");
  }
}

function tokenSeries({ counter, histogram, hidden }: Make) {
  return {
    promptTokens: counter("prompt_tokens", "Number of prefill tokens processed."),
    generationTokens: counter("generation_tokens", "Number of generation tokens processed."),
    promptCached: counter("prompt_tokens_cached", "Number of cached prompt tokens."),
    promptComputed: counter("prompt_tokens_by_source", BY_SOURCE, { source: "local_compute" }),
    promptFound: counter("prompt_tokens_by_source", BY_SOURCE, { source: "local_cache_hit" }),
    requestPreemptions: histogram(
      "request_num_preemptions",
      "Histogram of the number of times a request was preempted.",
      BUCKETS.preemptions,
    ),
    preemptions: counter("num_preemptions", "Cumulative number of preemptions."),
    prefixQueries: [
      counter("prefix_cache_queries", "Prefix cache queries, in tokens."),
      ...hidden(() => counter("gpu_prefix_cache_queries", "Removed name.")),
    ],
    prefixHits: [
      counter("prefix_cache_hits", "Prefix cache hits, in tokens."),
      ...hidden(() => counter("gpu_prefix_cache_hits", "Removed name.")),
    ],
    iterationTokens: histogram(
      "iteration_tokens_total",
      "Histogram of number of tokens per engine_step.",
      BUCKETS.stepTokens,
    ),
  };
}

function latencySeries({ histogram, hidden }: Make) {
  const latency = (name: string, what: string) =>
    histogram(name, `Histogram of ${what} in seconds.`, BUCKETS.requestSeconds);
  return {
    timeToFirstToken: histogram(
      "time_to_first_token_seconds",
      "Histogram of time to first token in seconds.",
      BUCKETS.firstTokenSeconds,
    ),
    interToken: [
      histogram(
        "inter_token_latency_seconds",
        "Histogram of inter-token latency in seconds.",
        BUCKETS.tokenSeconds,
      ),
      ...hidden(() =>
        histogram("time_per_output_token_seconds", "Removed name.", BUCKETS.tokenSeconds),
      ),
    ],
    perToken: histogram(
      "request_time_per_output_token_seconds",
      "Histogram of time per output token of a request in seconds.",
      BUCKETS.tokenSeconds,
    ),
    e2e: latency("e2e_request_latency_seconds", "e2e request latency"),
    queue: latency("request_queue_time_seconds", "time spent in WAITING phase"),
    prefill: latency("request_prefill_time_seconds", "time spent in PREFILL phase"),
    decode: latency("request_decode_time_seconds", "time spent in DECODE phase"),
    inference: latency("request_inference_time_seconds", "time spent in RUNNING phase"),
  };
}

function lengthSeries({ histogram }: Make, lengths: readonly number[]) {
  return {
    requestPrompt: histogram("request_prompt_tokens", "Prefill tokens of a request.", lengths),
    requestGeneration: histogram(
      "request_generation_tokens",
      "Generation tokens of a request.",
      lengths,
    ),
    maxGeneration: histogram(
      "request_max_num_generation_tokens",
      "Most generation tokens of a request's samples.",
      lengths,
    ),
    paramsMaxTokens: histogram(
      "request_params_max_tokens",
      "The max_tokens parameter of a request.",
      lengths,
    ),
    prefillComputed: histogram(
      "request_prefill_kv_computed_tokens",
      "New KV tokens computed in prefill, cached ones excluded.",
      lengths,
    ),
    paramsN: histogram("request_params_n", "The n parameter of a request.", BUCKETS.completions),
  };
}

function speculationSeries({ counter }: Make, maxDrafted: number) {
  return {
    drafts: counter("spec_decode_num_drafts", "Number of spec decoding drafts."),
    drafted: counter("spec_decode_num_draft_tokens", "Number of draft tokens."),
    accepted: counter("spec_decode_num_accepted_tokens", "Number of accepted tokens."),
    positions: Array.from({ length: maxDrafted }, (_, position) =>
      counter("spec_decode_num_accepted_tokens_per_pos", "Accepted tokens by position.", {
        position: String(position),
      }),
    ),
  };
}
