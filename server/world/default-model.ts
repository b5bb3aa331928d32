/** What is served where the command line leaves it open: which model, and on which device. */
import { deviceOf, roleOf } from "../../device/registry.ts";
import type { Model } from "../../models/model.ts";
import type { ParsedSettings } from "../config.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";

const MODEL = "meta-llama/Llama-3.1-8B-Instruct";
const RANKS = 4; // logical cores of the default instance, one Trainium2

/** Settings with the default model of the simulated device filled in; on another device it is the embedded one. */
export function withDefaultModel({ settings, given }: ParsedSettings): Settings {
  if (given.has("model")) return settings;
  const { device = deviceOf("simulates") } = settings;
  if (given.has("device") && roleOf(device) !== "simulates") return settings;
  return {
    ...settings,
    model: MODEL,
    device,
    ...(!given.has("tensor-parallel-size") && { "tensor-parallel-size": RANKS }),
  };
}

/** A simulation is chosen by a flag or by what is named, never because a folder lacks its weights. */
export function deviceFor({
  checkpoint,
  unread,
}: Pick<Model, "checkpoint" | "unread">): NonNullable<Settings["device"]> {
  if (checkpoint !== undefined) return deviceOf("computes");
  const simulated = deviceOf("simulates");
  if (unread === undefined) return simulated;
  throw new SettingsError(
    `${unread}. To simulate the model without weights: --device ${simulated}.`,
  );
}
