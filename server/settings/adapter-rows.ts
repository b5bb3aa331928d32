/** The rows of LoRA adapters. */
import { atLeast, rowsOf } from "./row.ts";

const adapters = rowsOf("Adapters");

const one = { check: atLeast(1) };

/** As vLLM allows. */
const RANKS = [1, 8, 16, 32, 64, 128, 256, 320, 512];

export const ADAPTER_ROWS = {
  "enable-lora": adapters.toggle(false, "Serve LoRA adapters, which requests name as their model."),
  "lora-modules": adapters.list(
    [],
    'Adapters to begin with: name=path, or JSON such as {"name":"sql","path":"folder","base_model_name":"m"}.',
  ),
  "max-loras": adapters.integer(1, "Different adapters in a step.", one),
  "max-cpu-loras": adapters.integer(
    undefined,
    "Adapters in memory; the one used longest ago makes room, and is read again when it is named. Default: --max-loras.",
    one,
  ),
  "max-lora-rank": adapters.integer(16, "Largest rank of an adapter.", {
    check: (rank) => (RANKS.includes(rank) ? undefined : `must be one of ${RANKS.join(", ")}`),
  }),
  "allow-runtime-lora-updating": adapters.toggle(
    false,
    "Serve /v1/load_lora_adapter and /v1/unload_lora_adapter: whoever may call them names folders of this machine.",
    { env: "VLLM_ALLOW_RUNTIME_LORA_UPDATING" },
  ),
};
