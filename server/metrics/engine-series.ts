/** vLLM's series of one engine that its events feed: names, labels and buckets as vLLM serves them. */
import { BUCKETS } from "./buckets.ts";
import { type Families, type Labels, oneTwoFive } from "./families.ts";
import { helpOf } from "./help.ts";

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
    REASONS.map((reason) => [reason, make.counter("request_success", { finished_reason: reason })]),
  ) as Record<(typeof REASONS)[number], ReturnType<Make["counter"]>>; // one entry a reason, made above
  const cachedBy = (source: string) => make.counter("prompt_tokens_cached_by_source", { source });
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
  const counter = (name: string, further: Labels = {}) =>
    families.counter(`vllm:${name}`, helpOf(`vllm:${name}`), { ...labels, ...further });
  const histogram = (name: string, buckets: readonly number[]) =>
    families.histogram(`vllm:${name}`, { help: helpOf(`vllm:${name}`), buckets, labels });
  const help = "Removed name.";
  /** Series under a removed name, where such are asked for. */
  const removed = (name: string) =>
    options.hidden ? [families.counter(`vllm:${name}`, help, labels)] : [];
  const removedHistogram = (name: string, buckets: readonly number[]) =>
    options.hidden ? [families.histogram(`vllm:${name}`, { help, buckets, labels })] : [];
  return { counter, histogram, removed, removedHistogram };
}

/** What this server has none of: read once, then 0 for ever. */
function keepAtZero({ counter }: Make, cachedBy: (source: string) => unknown): void {
  for (const name of ["external_prefix_cache_queries", "external_prefix_cache_hits"]) {
    counter(name);
  }
  for (const name of ["mm_cache_queries", "mm_cache_hits"]) {
    counter(name);
  }
  counter("prompt_tokens_by_source", { source: "external_kv_transfer" });
  for (const from of ["host", "p2p", "disk", "external_unspecified"]) cachedBy(from);
  // At 0, as in vLLM without --enable-mfu-metrics.
  for (const what of ["flops", "read_bytes", "write_bytes"]) {
    counter(`estimated_${what}_per_gpu`);
  }
}

function tokenSeries({ counter, histogram, removed }: Make) {
  return {
    promptTokens: counter("prompt_tokens"),
    generationTokens: counter("generation_tokens"),
    promptCached: counter("prompt_tokens_cached"),
    promptComputed: counter("prompt_tokens_by_source", { source: "local_compute" }),
    promptFound: counter("prompt_tokens_by_source", { source: "local_cache_hit" }),
    requestPreemptions: histogram("request_num_preemptions", BUCKETS.preemptions),
    preemptions: counter("num_preemptions"),
    prefixQueries: [counter("prefix_cache_queries"), ...removed("gpu_prefix_cache_queries")],
    prefixHits: [counter("prefix_cache_hits"), ...removed("gpu_prefix_cache_hits")],
    iterationTokens: histogram("iteration_tokens_total", BUCKETS.stepTokens),
  };
}

function latencySeries({ histogram, removedHistogram }: Make) {
  const latency = (name: string) => histogram(name, BUCKETS.requestSeconds);
  return {
    timeToFirstToken: histogram("time_to_first_token_seconds", BUCKETS.firstTokenSeconds),
    interToken: [
      histogram("inter_token_latency_seconds", BUCKETS.tokenSeconds),
      ...removedHistogram("time_per_output_token_seconds", BUCKETS.tokenSeconds),
    ],
    perToken: histogram("request_time_per_output_token_seconds", BUCKETS.tokenSeconds),
    e2e: latency("e2e_request_latency_seconds"),
    queue: latency("request_queue_time_seconds"),
    prefill: latency("request_prefill_time_seconds"),
    decode: latency("request_decode_time_seconds"),
    inference: latency("request_inference_time_seconds"),
  };
}

function lengthSeries({ histogram }: Make, lengths: readonly number[]) {
  return {
    requestPrompt: histogram("request_prompt_tokens", lengths),
    requestGeneration: histogram("request_generation_tokens", lengths),
    maxGeneration: histogram("request_max_num_generation_tokens", lengths),
    paramsMaxTokens: histogram("request_params_max_tokens", lengths),
    prefillComputed: histogram("request_prefill_kv_computed_tokens", lengths),
    paramsN: histogram("request_params_n", BUCKETS.completions),
  };
}

function speculationSeries({ counter }: Make, maxDrafted: number) {
  return {
    drafts: counter("spec_decode_num_drafts"),
    drafted: counter("spec_decode_num_draft_tokens"),
    accepted: counter("spec_decode_num_accepted_tokens"),
    positions: Array.from({ length: maxDrafted }, (_, position) =>
      counter("spec_decode_num_accepted_tokens_per_pos", {
        position: String(position),
      }),
    ),
  };
}
