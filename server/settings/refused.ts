/** Flags of vLLM that are refused: without them the server would do something else than asked. */
import { MEDIA, PYTHON, toggle, type UnsupportedFlag, value, values } from "./unsupported.ts";

const GENERATION = "only generation is served; see --runner";
const EXPERTS = "adapters of experts are not served";
const OFFLOADED = "the KV cache is not offloaded";
const CONTEXTS = "contexts are not split over ranks";
const ONE_NODE =
  "the ranks of a server are of one process and one host; for several hosts put a router in front of several servers";

export const REFUSED: Readonly<Record<string, UnsupportedFlag>> = {
  "lora-target-modules": values("adapters apply to all of their modules"),
  "default-mm-loras": value(MEDIA),
  "enable-tower-connector-lora": toggle(MEDIA),
  "enable-mixed-moe-lora-format": toggle(EXPERTS),
  "enable-moe-shared-loras": toggle(EXPERTS),
  "skip-tokenizer-init": toggle("a model without tokenizer files serves token ids by itself"),
  headless: toggle("one process serves HTTP and runs the engines"),
  grpc: toggle("only HTTP is served"),
  "grpc-port": value("only HTTP is served"),
  task: value(GENERATION, { harmless: ["auto", "generate"] }),
  "diffusion-config": value(GENERATION, { short: "-dc" }),
  "quantization-config": value("the formats are those of --quantization"),
  "model-class-overrides": value(PYTHON),
  "disable-sliding-window": toggle("a window is part of the model; see --max-model-len"),
  "enable-sleep-mode": toggle("weights stay where they are"),
  "enable-prompt-embeds": toggle("prompts are text or token ids"),
  "enable-mm-embeds": toggle(MEDIA),
  "mm-encoder-only": toggle(MEDIA),
  "enable-fault-tolerance": toggle("there is one process"),
  "enable-elastic-ep": toggle("the number of engines does not change"),
  "enable-return-routed-experts": toggle("responses do not carry the experts of a token"),
  "return-sampling-mask": toggle("responses do not carry the sampler's mask"),
  "aux-output-config": value("responses carry no outputs of inner layers"),
  "kv-transfer-config": value("prefill and decode are not separated"),
  "kv-offloading-size": value(OFFLOADED, { harmless: ["0"] }),
  "kv-offloading-backend": value(OFFLOADED),
  "ec-transfer-config": value(MEDIA),
  "ec-manager-config": value(MEDIA),
  "engram-config": value("no served model has a memory of n-grams"),
  "logits-processors": values(PYTHON),
  middleware: value(PYTHON),
  "tool-parser-plugin": value(PYTHON, { harmless: [""] }),
  "reasoning-parser-plugin": value(PYTHON, { harmless: [""] }),
  "tool-server": value("built-in tools are not served"),
  "worker-cls": value(PYTHON, { harmless: ["auto"] }),
  "worker-extension-cls": value(PYTHON, { harmless: [""] }),
  "scheduler-cls": value(PYTHON),
  "tokens-only": toggle("token-in, token-out serving is not built"),
  "max-num-scheduled-tokens": value("a step's tokens are bounded by --max-num-batched-tokens"),
  "max-num-active-seqs": value("a step's requests are bounded by --max-num-seqs"),
  nnodes: value(ONE_NODE, { short: "-n", harmless: ["1"] }),
  "node-rank": value(ONE_NODE, { short: "-r", harmless: ["0"] }),
  "device-ids": value("cores are chosen by the device"),
  "data-parallel-address": value(ONE_NODE, {
    short: "-dpa",
    harmless: ["127.0.0.1", "localhost", "::1"],
  }),
  "data-parallel-backend": value(ONE_NODE, { short: "-dpb", harmless: ["mp"] }),
  "data-parallel-multi-port-external-lb": toggle(
    "a server listens on one port; start one for each --data-parallel-rank",
    { short: "-dpm" },
  ),
  "decode-context-parallel-size": value(CONTEXTS, { short: "-dcp", harmless: ["1"] }),
  "prefill-context-parallel-size": value(CONTEXTS, { short: "-pcp", harmless: ["1"] }),
  "enable-dbo": toggle("steps are not split in two"),
  "enable-ssl-refresh": toggle("certificates are read once, at the start"),
};
