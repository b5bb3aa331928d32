/** Which adapters requests name, as vLLM tells routers: a series whose labels are the names and whose value is the time. */
import type { AdaptersInUse } from "../../engine/adapters.ts";
import type { Families } from "./families.ts";

export interface AdapterUse {
  /** Different ones in a step. */
  readonly most: number;
  readonly now: () => AdaptersInUse;
}

const NAME = "vllm:lora_requests_info";

/** One series, of now: vLLM keeps those of all moments, and whoever reads takes the newest. */
export function adapterSeries(families: Families, { most, now }: AdapterUse): void {
  families.labelled(NAME, "Running stats on lora requests.", () => {
    const { running, waiting } = now();
    return {
      labels: {
        max_lora: String(most),
        running_lora_adapters: running.join(","),
        waiting_lora_adapters: waiting.join(","),
      },
      value: Date.now() / 1000,
    };
  });
}
