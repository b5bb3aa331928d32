/** What a profile recommends, worst first: Neuron Explorer's thresholds where the simulator knows the figure, and the parts of the receipt. */
import type { Plan } from "../plan.ts";
import type { ProfileTotals } from "./summary.ts";

/** A share of the step from which a part is worth a sentence. */
const WORTH = 0.15;
const MOST = 4;

/** At most four sentences, each with its figure and what would help. */
export function recommendations(plan: Plan, totals: ProfileTotals): readonly string[] {
  const fields = totals.fields("");
  const found: { readonly weight: number; readonly text: string }[] = [];
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const part = (name: string, say: (share: string) => string): void => {
    const share = (totals.parts[name] ?? 0) / totals.nanos;
    if (share >= WORTH) found.push({ weight: share, text: say(percent(share)) });
  };
  const fused = plan.kernels.has("fused-attention") && plan.kernels.has("fused-mlp");
  part("collectives", (share) =>
    plan.tensorParallel > 1
      ? `Collectives take ${share} of the step: a smaller tensor parallelism with more replicas exposes less.`
      : `Collectives take ${share} of the step.`,
  );
  part("launch", (share) =>
    fused
      ? `Fixed costs of kernels take ${share}: more rows a step share them.`
      : `Fixed costs of kernels take ${share}: --neuron-kernels nki fuses what follows each other.`,
  );
  part("padding", (share) => `Padding to the compiled bucket takes ${share}: tighter buckets.`);
  part("kv", (share) =>
    plan.formats.kv === "bf16"
      ? `Reading the KV cache takes ${share}: --kv-cache-dtype fp8 halves it.`
      : `Reading the KV cache takes ${share}.`,
  );
  part("weights", (share) =>
    plan.formats.dense === "bf16"
      ? `Streaming weights takes ${share}: more rows share them, --quantization fp8 halves them.`
      : `Streaming weights takes ${share}: more rows share them.`,
  );
  part("host", (share) => `Gaps of the host take ${share}: asynchronous scheduling hides them.`);
  part("sampling", (share) => `Sampling on the host takes ${share}: sample on the device.`);
  const active = totals.active("tensor") / totals.nanos;
  const model = Number(fields["mfu_estimated_percent"]);
  if (active >= WORTH && model < 0.5 * active) {
    found.push({
      weight: active - model,
      text: `Model FLOPS are ${percent(model / active)} of active FLOPS: the array is busy ${percent(active)} of the time, mostly with tiles it does not fill.`,
    });
  }
  return found
    .sort((a, b) => b.weight - a.weight)
    .slice(0, MOST)
    .map(({ text }) => text);
}
