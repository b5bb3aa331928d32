/**
 * The table of settings: flag → default, check, sentence. vLLM's names and
 * defaults where vLLM has the flag. `--help`, the environment names and
 * SETTINGS.md are printed from it. Flags that vLLM has and that do nothing here
 * stand in accepted.ts, those that are refused in refused.ts.
 */
import { deviceNames } from "../../device/registry.ts";
import { ADAPTER_ROWS } from "./adapter-rows.ts";
import { fileText } from "./file-text.ts";
import { POOLING_ROWS } from "./pooling-rows.ts";
import { atLeast, rowsOf } from "./row.ts";
import { TESTING } from "./testing.ts";

const model = rowsOf("Model");
const http = rowsOf("HTTP");
const api = rowsOf("API");
const engine = rowsOf("Engine");
const device = rowsOf("Device");
const observability = rowsOf("Observability");

const one = { check: atLeast(1) };
const path = { value: "PATH" };

export const TABLE = {
  model: model.text(
    undefined,
    "Folder, .gguf file, ORG/NAME in the hub's cache, or catalogue id of the model; MODEL does the same. Default: the embedded one on the cpu device, else meta-llama/Llama-3.1-8B-Instruct at TP 4.",
    path,
  ),
  revision: model.text(
    undefined,
    "Branch, tag or commit of a model of the hub's cache; ORG/NAME@REVISION does the same.",
  ),
  "served-model-name": model.list(
    [],
    "Names the model answers to; the first is reported. Default: MODEL.",
  ),
  tokenizer: model.text(
    undefined,
    "Folder of the tokenizer, its tokenizer.json, or ORG/NAME in the hub's cache, when not the model's.",
    path,
  ),
  "chat-template": model.text(
    undefined,
    "File with the chat template, when not the model's.",
    path,
  ),
  "generation-config": model.text(
    "auto",
    "Where sampling defaults come from: auto (the model's generation_config.json), vllm (none), or a folder.",
  ),
  "override-generation-config": model.json({}, "Sampling defaults over those of the model."),
  "hf-overrides": model.json({}, "Keys of config.json over those of the file."),
  "max-model-len": model.humanInteger(
    undefined,
    "Tokens in a request, prompt and output; 16k and 1M are understood; -1 or auto: as the model and the memory allow.",
  ),
  quantization: model.text(
    undefined,
    "Format of the weights: int4, int8, none (F32); default: as stored.",
    {
      short: "-q",
    },
  ),
  seed: model.integer(0, "Seed of everything random.", {}),
  ...ADAPTER_ROWS,
  ...POOLING_ROWS,
  "max-logprobs": model.integer(20, "Log-probabilities a request may ask for; -1: no limit.", {
    check: atLeast(-1),
  }),
  "logprobs-mode": model.choice(
    ["raw_logprobs", "processed_logprobs", "raw_logits", "processed_logits"],
    "raw_logprobs",
    "Which values logprobs report: before or after penalties and temperature.",
  ),

  host: http.text("127.0.0.1", "Address to listen on.", { env: "TRAINYARD_HOST" }),
  port: http.integer(8000, "Port to listen on; 0: any free one.", {
    env: "TRAINYARD_PORT",
    check: (value) => (value < 0 || value > 65_535 ? "must be in 0 to 65535" : undefined),
  }),
  uds: http.text(undefined, "Unix socket to listen on instead.", path),
  "api-key": http.list([], "Keys that clients must present one of. VLLM_API_KEY adds one.", {
    secret: true,
  }),
  config: http.text(undefined, "YAML file of settings; the command line wins over it.", path),
  "ssl-keyfile": http.text(undefined, "Private key for HTTPS.", path),
  "ssl-certfile": http.text(undefined, "Certificate for HTTPS.", path),
  "ssl-ca-certs": http.text(undefined, "Authorities that clients' certificates are of.", path),
  "ssl-cert-reqs": http.integer(0, "Clients' certificates: 0 none, 1 optional, 2 required.", {
    check: (value) => ([0, 1, 2].includes(value) ? undefined : "must be 0, 1 or 2"),
  }),
  "ssl-ciphers": http.text(undefined, "Ciphers of TLS 1.2, as OpenSSL names them."),
  "root-path": http.text("", "Path that a proxy in front has taken off."),
  "allowed-origins": http.list([], "CORS: origins whose pages may ask and read; * for any."),
  "allowed-methods": http.list(["*"], "CORS: methods."),
  "allowed-headers": http.list(["*"], "CORS: headers."),
  "allow-credentials": http.toggle(false, "CORS: credentials."),
  "enable-request-id-headers": http.toggle(false, "Send X-Request-Id with every response."),
  "disable-fastapi-docs": http.toggle(false, "No /openapi.json and no /docs."),
  "disable-ui": http.toggle(false, "No pages at /."),
  "max-request-body-bytes": http.humanInteger(
    32 * 2 ** 20,
    "Bytes of a request's body at most.",
    one,
  ),
  "server-dev-mode": http.toggle(
    false,
    "Serve routes for development, which change the server's state: /reset_prefix_cache.",
    { env: "VLLM_SERVER_DEV_MODE" },
  ),
  "timeout-keep-alive": http.integer(5, "Seconds an idle connection is kept.", {
    env: "VLLM_HTTP_TIMEOUT_KEEP_ALIVE",
  }),
  "shutdown-timeout": http.number(
    0,
    "Seconds that requests under way get on SIGTERM; 0: they are aborted.",
    { check: atLeast(0) },
  ),
  "max-num-queued-reqs": http.integer(undefined, "Requests waiting at most; more get 503.", one),
  "max-num-queued-tokens": http.integer(
    undefined,
    "Prompt tokens waiting at most; more get 503.",
    one,
  ),

  "enable-auto-tool-choice": api.toggle(
    undefined,
    "Let the model choose tools (tool_choice auto); the embedded model does unless told not to.",
  ),
  "tool-call-parser": api.text(
    undefined,
    "Format of the model's tool calls; the embedded model's is hermes, also where its words are borrowed.",
  ),
  "exclude-tools-when-tool-choice-none": api.toggle(
    false,
    "With tool_choice none, do not show the tools to the model.",
  ),
  "reasoning-parser": api.text(undefined, "Format of the model's reasoning."),
  "default-chat-template-kwargs": api.json({}, "Variables for the chat template."),
  "trust-request-chat-template": api.toggle(false, "Accept a chat template in a request."),
  "response-role": api.text("assistant", "Role of the answers."),
  "enable-prompt-tokens-details": api.toggle(false, "Report cached tokens in usage."),
  "enable-force-include-usage": api.toggle(false, "Report usage in every stream."),
  "enable-per-request-metrics": api.toggle(
    false,
    "Report timings in every response, and where the time went (receipt_ns).",
  ),
  "enable-server-load-tracking": api.toggle(false, "Count requests under way for /load."),
  "enable-tokenizer-info-endpoint": api.toggle(false, "Serve /tokenizer_info."),
  "return-tokens-as-token-ids": api.toggle(false, "Name tokens in logprobs as token_id:N."),
  "fingerprint-mode": api.choice(
    ["full", "hash", "custom", "none"],
    "full",
    "What system_fingerprint tells.",
  ),
  "enable-scale-out": api.toggle(
    false,
    "Serve token ids in and out: /inference/v1/generate, and …/render and …/derender.",
  ),
  "enable-trace-replay": api.toggle(
    false,
    "Let /inference/v1/generate follow recorded ids (trace_decode_token_ids).",
  ),
  "enable-responses-store": api.toggle(
    true,
    "Keep responses of /v1/responses for previous_response_id, retrieval and background.",
    { env: "VLLM_ENABLE_RESPONSES_API_STORE" },
  ),
  "responses-store-entries": api.integer(1024, "Responses kept at most.", one),
  "responses-store-bytes": api.humanInteger(64 * 2 ** 20, "Bytes of kept responses at most.", one),
  "request-history-entries": api.integer(
    4096,
    "Requests that /requests tells of; 0: none are kept.",
  ),
  "fingerprint-value": api.text(undefined, "system_fingerprint where its mode is custom."),
  "stream-interval": api.integer(1, "Tokens in a chunk of a stream.", one),
  strict: api.toggle(false, "Refuse requests with fields that would be ignored."),

  "max-num-seqs": engine.integer(undefined, "Requests in a step at most.", one),
  "max-num-batched-tokens": engine.integer(undefined, "Tokens in a step at most.", one),
  "enable-prefix-caching": engine.toggle(true, "Keep KV blocks for prompts that begin alike."),
  "enable-chunked-prefill": engine.toggle(true, "Compute long prompts in pieces."),
  "long-prefill-token-threshold": engine.integer(0, "Largest piece of a prompt; 0: no limit."),
  "scheduling-policy": engine.choice(["fcfs", "priority"], "fcfs", "Who is served first."),
  "async-scheduling": engine.toggle(true, "Schedule a step while the one before runs."),
  "speculative-config": engine.json(undefined, "Speculative decoding: method, model, tokens.", {
    short: "-sc",
  }),
  "spec-method": engine.text(undefined, "The key method of --speculative-config."),
  "spec-model": engine.text(undefined, "The key model of --speculative-config.", path),
  "spec-tokens": engine.integer(
    undefined,
    "The key num_speculative_tokens of --speculative-config.",
    one,
  ),
  "tensor-parallel-size": engine.integer(1, "Ranks that share the weights.", {
    short: "-tp",
    ...one,
  }),
  "data-parallel-size": engine.integer(
    1,
    "Ranks, each an engine with a scheduler, KV cache and device of its own; the least loaded is served next.",
    { short: "-dp", ...one },
  ),
  "data-parallel-size-local": engine.integer(undefined, "Ranks of them that this server runs.", {
    short: "-dpl",
    ...one,
  }),
  "data-parallel-start-rank": engine.integer(undefined, "First rank of this server (hybrid).", {
    short: "-dpr",
  }),
  "data-parallel-hybrid-lb": engine.toggle(
    false,
    "Other servers run the other ranks; this one balances its own.",
    { short: "-dph" },
  ),
  "data-parallel-rank": engine.integer(
    undefined,
    "The one rank of this server (external); whoever is in front balances.",
    { short: "-dpn" },
  ),
  "data-parallel-external-lb": engine.toggle(false, "As --data-parallel-rank says.", {
    short: "-dpe",
  }),
  "pipeline-parallel-size": engine.integer(1, "Pipeline stages; only 1.", {
    short: "-pp",
    check: (value) => (value === 1 ? undefined : "pipeline parallelism is not supported"),
  }),
  "enable-expert-parallel": engine.toggle(false, "Spread experts over the ranks whole.", {
    short: "-ep",
  }),
  "block-size": engine.integer(undefined, "Tokens in a KV block.", one),
  "num-gpu-blocks-override": engine.integer(undefined, "KV blocks, whatever the memory.", one),
  "kv-cache-memory-bytes": engine.humanInteger(undefined, "Bytes for the KV cache.", one),

  device: device.choice(
    deviceNames,
    undefined,
    "What computes: null, cpu or trainium. Default: cpu for a model with weights, else trainium.",
    {
      env: "TRAINYARD_DEVICE",
    },
  ),
  instance: device.text(undefined, "trainium: instance type, such as trn2.48xlarge."),
  "neuron-kernels": device.text(undefined, "trainium: kernels, nki or compiler."),
  "logical-nc-config": device.integer(undefined, "trainium: physical cores in a logical one."),
  "serving-stack": device.text(undefined, "trainium: software in front of the chip."),
  "additional-config": device.json({}, "trainium: settings of the vLLM plug-in for Neuron."),
  "neuron-stack": device.text(
    undefined,
    "trainium: software in front of the chip, NAME or NAME@RELEASE; --serving-stack names it alone.",
  ),
  set: device.text(
    undefined,
    "trainium: what if a figure of the data sheet were another: hbm.bandwidth=2x,clock.tensor=3e9.",
  ),
  hardware: device.of<string | undefined>(
    "FILE",
    undefined,
    "trainium: such figures as a JSON object of names and values.",
    fileText,
  ),
  calibration: device.of<string | undefined>(
    "FILE",
    undefined,
    "trainium: what trainyard calibrate learnt of a user's own measurements.",
    fileText,
  ),
  "price-per-hour": device.number(undefined, "trainium: price of an instance hour, in dollars."),
  "kv-cache-dtype": device.text(
    "auto",
    "Format of the KV cache; cpu: auto (F32), bfloat16 or int8_per_token_head, a quarter of auto's memory; trainium: auto or fp8.",
  ),
  "expert-parallel": device.integer(undefined, "trainium: ranks the experts are spread over.", one),
  "neff-cache": device.text(
    undefined,
    "trainium: folder of the graphs compiled before; default: trainyard/neff in the user's cache folder.",
    { env: "NEURON_COMPILED_ARTIFACTS", ...path },
  ),
  cache: device.toggle(
    true,
    "cpu: keep converted weights in trainyard/weights of the user's cache folder, 64 GiB at most, and map them from there.",
  ),
  "weight-copies": device.choice(
    ["auto", "1", "2"],
    "auto",
    "cpu: copies of int4 weights; 2: int8 as well, for steps of many rows (experts in int4 again, for a second thread); auto: 2 where the second takes a quarter of the free memory at most.",
  ),
  "batch-invariant": device.toggle(
    false,
    "cpu: a request's ids do not depend on its neighbours, whatever the format of the weights; needs one copy of them.",
    { env: "VLLM_BATCH_INVARIANT" },
  ),
  "simulate-startup": device.toggle(
    false,
    "trainium: listen only after the simulated time of compiling and loading.",
  ),
  "time-scale": device.number(undefined, "trainium: wall seconds a simulated second takes.", {
    check: (value) => (value > 0 ? undefined : "must be above 0"),
  }),
  "step-timeout": device.number(
    undefined,
    "Seconds without progress, work pending, after which /health answers 503 (default: 120); on the cpu device a step that takes longer is given up and its ranks are restarted.",
    { check: (value) => (value > 0 ? undefined : "must be above 0") },
  ),
  values: device.text(
    "auto",
    "trainium: where tokens come from: bundled (words of the embedded model), weights (the model's own), synthetic, or a folder of another model; auto: weights where there are, else bundled.",
  ),

  "log-level": observability.choice(
    ["trace", "debug", "info", "warn", "error", "silent"],
    "info",
    "Lines to log.",
    { env: "TRAINYARD_LOG_LEVEL" },
  ),
  "enable-log-requests": observability.toggle(false, "Log each request's parameters."),
  "disable-access-log": observability.toggle(false, "No line per request."),
  "log-stats-interval": observability.number(
    10,
    "Seconds between lines of averages; 0: no such lines.",
    { env: "VLLM_LOG_STATS_INTERVAL", check: atLeast(0) },
  ),
  "disable-log-stats": observability.toggle(false, "No metrics of the engine."),
  "show-hidden-metrics-for-version": observability.text(
    undefined,
    "Serve metrics under removed names too (gpu_cache_usage_perc, …).",
  ),
  "otlp-traces-endpoint": observability.text(
    undefined,
    "Send a span of each request to this OpenTelemetry collector, by gRPC, or with OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf by HTTP.",
    { value: "URL" },
  ),
  "collect-detailed-traces": observability.list(
    [],
    "Taken with --otlp-traces-endpoint: model, worker, all; as in vLLM 0.32, spans stay as they are.",
    {
      check: (names) => {
        const wrong = names.find((name) => !["model", "worker", "all"].includes(name));
        return wrong === undefined ? undefined : `must be of model, worker, all, not ${wrong}`;
      },
    },
  ),
  "profiler-config": observability.json(
    undefined,
    "Serve /start_profile and /stop_profile: profiler torch, and torch_profiler_dir, where traces for ui.perfetto.dev go.",
  ),
  "kv-events-config": observability.json(
    undefined,
    "Publish KV-cache events over ZeroMQ; as in vLLM, an endpoint without * or :: is connected to, not bound.",
  ),
  "kv-events-int-hashes": observability.toggle(
    true,
    "Block hashes in KV events as their last 64 bits; else as 32 bytes.",
    { env: "VLLM_KV_EVENTS_USE_INT_BLOCK_HASHES" },
  ),

  ...TESTING,
} as const;

type ValueOf<R> = R extends { readonly parse: (text: string) => infer T }
  ? R extends { readonly default: infer D }
    ? T | D
    : never
  : never;

/** Every setting by its flag. */
export type Settings = { readonly [Flag in keyof typeof TABLE]: ValueOf<(typeof TABLE)[Flag]> };
export type Flag = keyof Settings;
