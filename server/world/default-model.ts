/** What is served when neither a model nor a device was named: a big model's pace, with words. */
import type { ParsedSettings } from "../config.ts";
import type { Settings } from "../settings/table.ts";

const MODEL = "meta-llama/Llama-3.1-8B-Instruct";
const RANKS = 4; // logical cores of the default instance, one Trainium2

/** Settings with the default model of the simulated device filled in; on another device it is the embedded one. */
export function withDefaultModel({ settings, given }: ParsedSettings): Settings {
  if (given.has("model")) return settings;
  if (given.has("device") && settings.device !== "trainium") return settings;
  return {
    ...settings,
    model: MODEL,
    device: "trainium",
    ...(!given.has("tensor-parallel-size") && { "tensor-parallel-size": RANKS }),
  };
}
