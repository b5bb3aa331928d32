/**
 * Flags of vLLM that are taken without effect (a warning says why), and those
 * that are refused because an answer without them would be another answer.
 */

export interface UnsupportedFlag {
  /** A value follows the flag. */
  readonly takesValue: boolean;
  readonly why: string;
}

const value = (why: string): UnsupportedFlag => ({ takesValue: true, why });
const toggle = (why: string): UnsupportedFlag => ({ takesValue: false, why });

const PYTHON = "there is no Python process to configure";
const GPU = "it configures a GPU";
const LORA = "LoRA adapters are not served";
const MEDIA = "only text is served";

/** Accepted with a warning. */
export const ACCEPTED: Readonly<Record<string, UnsupportedFlag>> = {
  "enforce-eager": toggle("there are no graphs captured at start to leave out"),
  "gpu-memory-utilization": value(`${GPU}; see --kv-cache-memory-bytes`),
  dtype: value("weights are read as stored and computed as the device does"),
  "trust-remote-code": toggle("no code of a model is ever run"),
  "load-format": value("weights are safetensors"),
  "download-dir": value("nothing is downloaded"),
  revision: value("nothing is downloaded"),
  "code-revision": value("nothing is downloaded"),
  "tokenizer-revision": value("nothing is downloaded"),
  "tokenizer-mode": value("there is one tokenizer"),
  "hf-config-path": value("the configuration is the model folder's"),
  "hf-token": value("nothing is downloaded"),
  "swap-space": value("preempted requests are computed again, never swapped"),
  "cpu-offload-gb": value(GPU),
  "distributed-executor-backend": value("ranks are worker threads"),
  "max-parallel-loading-workers": value("weights are loaded by the ranks"),
  "disable-custom-all-reduce": toggle(GPU),
  "max-seq-len-to-capture": value(GPU),
  "compilation-config": value("there is no compiler to configure"),
  "cudagraph-capture-sizes": value(GPU),
  "attention-backend": value("the device has one attention"),
  "attention-config": value("the device has one attention"),
  "kernel-config": value("see --neuron-kernels"),
  "prefix-caching-hash-algo": value("blocks are hashed with sha256_cbor"),
  "disable-hybrid-kv-cache-manager": toggle("there is one KV manager"),
  "scheduler-reserve-full-isl": toggle("admission is the scheduler's own"),
  watermark: value("admission is the scheduler's own"),
  "prefill-schedule-interval": value("admission is the scheduler's own"),
  "max-long-partial-prefills": value("see --long-prefill-token-threshold"),
  "max-num-partial-prefills": value("see --long-prefill-token-threshold"),
  "api-server-count": value("one process serves HTTP"),
  "uvicorn-log-level": value("see --log-level"),
  "disable-uvicorn-access-log": toggle("see --disable-access-log"),
  "disable-access-log-for-endpoints": value("probes and /metrics are never logged"),
  "disable-frontend-multiprocessing": toggle(PYTHON),
  "h11-max-incomplete-event-size": value("Node limits headers to 16 KiB"),
  "h11-max-header-count": value("Node limits headers to 2000"),
  "enable-offline-docs": toggle("/docs needs no network"),
  "chat-template-content-format": value("the template is asked which it wants"),
  "log-config-file": value(PYTHON),
  "max-log-len": value("prompts are not logged"),
  "enable-log-outputs": toggle("outputs are not logged"),
  "enable-log-deltas": toggle("outputs are not logged"),
  "log-error-stack": toggle("causes are logged"),
  "collect-detailed-traces": value("see /metrics and the device's trace"),
  "otlp-traces-endpoint": value("traces are not exported"),
  "kv-cache-metrics": toggle("block lifetimes are not measured"),
  "kv-cache-metrics-sample": value("block lifetimes are not measured"),
  "enable-mfu-metrics": toggle("see the device's own utilisation metrics"),
  "per-request-spec-decode-metrics": value("see /metrics"),
  "reasoning-config": value("each --reasoning-parser knows its own marks"),
  "structured-outputs-config": value("there is one grammar engine, the server's own"),
  "guided-decoding-backend": value("there is one grammar engine, the server's own"),
  "limit-mm-per-prompt": value(MEDIA),
  "mm-processor-kwargs": value(MEDIA),
  "allowed-local-media-path": value(MEDIA),
  "language-model-only": toggle(MEDIA),
  "disable-cascade-attn": toggle(GPU),
  "optimization-level": value("there is no compiler to configure"),
  "model-impl": value("there is one implementation"),
  "config-format": value("the configuration is config.json"),
  "data-parallel-backend": value("engines share one process"),
};

/** Refused: without them the server would do something else than asked. */
export const REFUSED: Readonly<Record<string, UnsupportedFlag>> = {
  "enable-lora": toggle(LORA),
  "lora-modules": value(LORA),
  "max-loras": value(LORA),
  "max-lora-rank": value(LORA),
  "max-cpu-loras": value(LORA),
  "fully-sharded-loras": toggle(LORA),
  "skip-tokenizer-init": toggle("a model without tokenizer files serves token ids by itself"),
  headless: toggle("one process serves HTTP and runs the engines"),
  grpc: toggle("only HTTP is served"),
  runner: value("only generation is served"),
  convert: value("only generation is served"),
  task: value("only generation is served"),
  "pooler-config": value("only generation is served"),
  "hf-overrides": value("edit the model's config.json"),
  "rope-scaling": value("edit the model's config.json"),
  "enable-sleep-mode": toggle("weights stay where they are"),
  "enable-prompt-embeds": toggle("prompts are text or token ids"),
  "enable-fault-tolerance": toggle("there is one process"),
  "kv-transfer-config": value("prefill and decode are not separated"),
  "kv-offloading-size": value("the KV cache is not offloaded"),
  "kv-offloading-backend": value("the KV cache is not offloaded"),
  "ec-transfer-config": value(MEDIA),
  "logits-processors": value(PYTHON),
  middleware: value(PYTHON),
  "tool-parser-plugin": value(PYTHON),
  "reasoning-parser-plugin": value(PYTHON),
  "tool-server": value("built-in tools are not served"),
  "worker-cls": value(PYTHON),
  "worker-extension-cls": value(PYTHON),
  "scheduler-cls": value(PYTHON),
  "tokens-only": toggle("token-in, token-out serving is not built"),
  "data-parallel-rank": value("all engines run in this process"),
  "data-parallel-start-rank": value("all engines run in this process"),
  "data-parallel-size-local": value("all engines run in this process"),
  "data-parallel-address": value("all engines run in this process"),
  "data-parallel-rpc-port": value("all engines run in this process"),
  "data-parallel-hybrid-lb": toggle("all engines run in this process"),
  "data-parallel-external-lb": toggle("all engines run in this process"),
  "decode-context-parallel-size": value("contexts are not split over ranks"),
  "prefill-context-parallel-size": value("contexts are not split over ranks"),
  "enable-dbo": toggle("steps are not split in two"),
  "ssl-ca-certs": value("client certificates are not checked"),
  "ssl-cert-reqs": value("client certificates are not checked"),
};
