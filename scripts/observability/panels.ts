/** Panels of our own dashboard, as data; dashboard.ts turns them into Grafana's JSON. */

export interface PanelQuery {
  readonly expr: string;
  readonly legend: string;
}

export interface PanelRow {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Panel {
  readonly title: string;
  readonly description: string;
  /** Grafana's unit id. */
  readonly unit: string;
  readonly kind?: "timeseries" | "stat" | "xychart" | "barchart";
  readonly queries: readonly PanelQuery[];
}

const of = '{model_name=~"$model_name"}';
const rate = (name: string): string => `rate(${name}${of}[$__rate_interval])`;
const quantile = (q: number, name: string): PanelQuery => ({
  expr: `histogram_quantile(${q}, sum by (le) (${rate(`${name}_bucket`)}))`,
  legend: `p${Math.round(q * 100)}`,
});
const quantiles = (name: string): PanelQuery[] => [
  quantile(0.5, name),
  quantile(0.95, name),
  quantile(0.99, name),
];

/** Tokens/s against concurrency from live traffic: the curve of a sweep, without one. */
export const CURVE_QUERY =
  'sum by (concurrency) (increase(trainyard:output_tokens_by_concurrency_total{model_name=~"$model_name"}[$__range])) / sum by (concurrency) (increase(trainyard:busy_seconds_by_concurrency_total{model_name=~"$model_name"}[$__range]))';

export const PANELS: readonly PanelRow[] = [
  {
    title: "Now",
    panels: [
      {
        title: "Output tokens/s",
        description: "All engines.",
        unit: "short",
        kind: "stat",
        queries: [{ expr: `sum(${rate("vllm:generation_tokens_total")})`, legend: "tokens/s" }],
      },
      {
        title: "Tokens/s/user",
        description: "1 / median inter-token latency.",
        unit: "short",
        kind: "stat",
        queries: [
          {
            expr: `1 / histogram_quantile(0.5, sum by (le) (${rate("vllm:inter_token_latency_seconds_bucket")}))`,
            legend: "tokens/s/user",
          },
        ],
      },
      {
        title: "Running",
        description: "Requests in the batch.",
        unit: "short",
        kind: "stat",
        queries: [{ expr: `sum(vllm:num_requests_running${of})`, legend: "running" }],
      },
      {
        title: "Waiting",
        description: "Requests in the queue.",
        unit: "short",
        kind: "stat",
        queries: [{ expr: `sum(vllm:num_requests_waiting${of})`, legend: "waiting" }],
      },
      {
        title: "$ a million output tokens",
        description:
          "At the rate of the last minute. Present with --price-per-hour, or where the instance has a listed price.",
        unit: "currencyUSD",
        kind: "stat",
        queries: [
          {
            expr: `trainyard:dollars_per_million_output_tokens{model_name=~"$model_name", billed="instance"}`,
            legend: "instance",
          },
        ],
      },
    ],
  },
  {
    title: "Curve",
    panels: [
      {
        title: "Output tokens/s by concurrency",
        description:
          "Tokens emitted while so many requests ran, over the seconds in which they did, in the range shown. What a sweep measures, from live traffic.",
        unit: "short",
        kind: "barchart",
        queries: [{ expr: CURVE_QUERY, legend: "{{concurrency}}" }],
      },
      {
        title: "Time spent by concurrency",
        description: "Busy seconds a second, by the number of requests running.",
        unit: "percentunit",
        queries: [
          {
            expr: `sum by (concurrency) (${rate("trainyard:busy_seconds_by_concurrency_total")})`,
            legend: "{{concurrency}}",
          },
        ],
      },
    ],
  },
  {
    title: "Latency",
    panels: [
      {
        title: "Time to first token",
        description: "Arrival to the first token.",
        unit: "s",
        queries: quantiles("vllm:time_to_first_token_seconds"),
      },
      {
        title: "Inter-token latency",
        description: "Gap between decode steps of a request.",
        unit: "s",
        queries: quantiles("vllm:inter_token_latency_seconds"),
      },
      {
        title: "End to end",
        description: "Arrival to the last token.",
        unit: "s",
        queries: quantiles("vllm:e2e_request_latency_seconds"),
      },
    ],
  },
  {
    title: "Engine and device",
    panels: [
      {
        title: "Where a step's time goes",
        description:
          "Simulated seconds of steps a second, by cause. Present on the simulated device.",
        unit: "percentunit",
        queries: [
          {
            expr: `sum by (cause) (${rate("trainyard:step_seconds_by_cause_total")})`,
            legend: "{{cause}}",
          },
        ],
      },
      {
        title: "NeuronCore utilisation",
        description: "Share of time the simulated cores were busy, under neuron-monitor's name.",
        unit: "percentunit",
        queries: [{ expr: "avg(neuroncore_utilization_ratio)", legend: "cores" }],
      },
      {
        title: "Tokens in a step",
        description: "Computed tokens, padding not counted.",
        unit: "short",
        queries: quantiles("vllm:iteration_tokens_total"),
      },
      {
        title: "Bucket padding",
        description: "Tokens of padding in a step, by bucket.",
        unit: "short",
        queries: [
          {
            expr: `sum by (bucket_name) (${rate("vllm_neuron:num_batched_tokens_padding_sum")}) / sum by (bucket_name) (${rate("vllm_neuron:num_batched_tokens_padding_count")})`,
            legend: "{{bucket_name}}",
          },
        ],
      },
    ],
  },
  {
    title: "Cache",
    panels: [
      {
        title: "KV cache",
        description: "Share of blocks held; cached blocks nobody holds count as free.",
        unit: "percentunit",
        queries: [{ expr: `vllm:kv_cache_usage_perc${of}`, legend: "engine {{engine}}" }],
      },
      {
        title: "Prefix cache hits",
        description: "Of looked-up prompt tokens.",
        unit: "percentunit",
        queries: [
          {
            expr: `sum(${rate("vllm:prefix_cache_hits_total")}) / (sum(${rate("vllm:prefix_cache_queries_total")}) > 0)`,
            legend: "hit rate",
          },
        ],
      },
      {
        title: "Preemptions",
        description: "A second; each one is computed again.",
        unit: "short",
        queries: [{ expr: `sum(${rate("vllm:num_preemptions_total")})`, legend: "preemptions/s" }],
      },
    ],
  },
  {
    title: "Speculation",
    panels: [
      {
        title: "Acceptance length",
        description: "Tokens a verification step yields: 1 + accepted / drafts.",
        unit: "short",
        queries: [
          {
            expr: `1 + sum(${rate("vllm:spec_decode_num_accepted_tokens_total")}) / (sum(${rate("vllm:spec_decode_num_drafts_total")}) > 0)`,
            legend: "tokens",
          },
        ],
      },
      {
        title: "Acceptance by position",
        description: "Share of drafts whose token at this position held.",
        unit: "percentunit",
        queries: [
          {
            expr: `sum by (position) (${rate("vllm:spec_decode_num_accepted_tokens_per_pos_total")}) / on () group_left () (sum(${rate("vllm:spec_decode_num_drafts_total")}) > 0)`,
            legend: "position {{position}}",
          },
        ],
      },
    ],
  },
  {
    title: "Can these figures be believed?",
    panels: [
      {
        title: "Step lateness",
        description:
          "How much later than priced steps of the simulated device ended: the host's fault, and an error of every latency above.",
        unit: "s",
        queries: quantiles("trainyard:step_lateness_seconds"),
      },
      {
        title: "Hygiene",
        description:
          "What falsifies the load under way, or the last one, as a benchmark: repeated prompts, lengths not held, preemptions and so on; GET /hygiene tells more.",
        unit: "short",
        queries: [{ expr: `trainyard:load_notice${of}`, legend: "{{code}}" }],
      },
      {
        title: "Event-loop delay",
        description: "Of the server's process.",
        unit: "s",
        queries: [
          { expr: "nodejs_eventloop_lag_p50_seconds", legend: "p50" },
          { expr: "nodejs_eventloop_lag_p99_seconds", legend: "p99" },
        ],
      },
    ],
  },
];
