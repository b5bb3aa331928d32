/** What is served, before anything that runs is made: which model on which device, and whose words. */
import { roleOf } from "../../device/registry.ts";
import { loadModel } from "../../models/load.ts";
import type { Model } from "../../models/model.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";
import { deviceFor } from "./default-model.ts";
import { modelSource } from "./sources.ts";
import { type Voice, voiceOf } from "./voice.ts";
import { bundledModel, valuesModel } from "./words.ts";

export interface Served extends Voice {
  /** Name of the device. */
  readonly device: string;
  /** Is the time another machine's? */
  readonly simulated: boolean;
  /** The model's folder or name: as given, or the bundled one. */
  readonly source: string;
  readonly model: Model;
  /** Whose words come out: the model's own, or another's; undefined: ids from a seed, which have none. */
  readonly words: Model | undefined;
  /** Ends when the tokenizer was tried, in a process of its own; rejects where it cannot be used. */
  readonly probed: Promise<unknown>;
}

/** Throws SettingsError, or the model's own errors. */
export async function whatIsServed(given: Settings): Promise<Served> {
  const source = modelSource(given);
  const model = await loadModel(source, {
    ...(given.tokenizer !== undefined && { tokenizer: given.tokenizer }),
    ...(given["chat-template"] !== undefined && { chatTemplate: given["chat-template"] }),
    config: given["hf-overrides"],
  });
  const device = given.device ?? deviceFor(model);
  const probed = Promise.resolve(
    source === bundledModel() ? undefined : model.tokenizer?.probe?.(),
  );
  probed.catch(() => {}); // awaited once the device is made
  const asked: Settings = { ...given, model: source, device };
  checkContext(asked, model);
  const simulated = roleOf(device) === "simulates";
  const words = simulated ? await valuesModel(asked, model) : model;
  return { ...voiceOf(asked, { model, words }), device, simulated, source, model, words, probed };
}

function checkContext(settings: Settings, model: Model): void {
  const asked = settings["max-model-len"];
  const most = model.architecture.maxContext;
  if (asked === undefined || asked === -1) return;
  if (asked < 1) throw new SettingsError(`--max-model-len must be at least 1, got ${asked}.`);
  if (asked > most) {
    throw new SettingsError(
      `--max-model-len ${asked} is greater than the model's own ${most}, which config.json's max_position_embeddings and rope_scaling give.`,
    );
  }
}
