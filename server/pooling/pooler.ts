/** How this server embeds texts: `--runner pooling`, or a model that does nothing else. */
import type { Device } from "../../device/device.ts";
import type { Model } from "../../models/model.ts";
import { readPooling } from "../../models/weights/pooling.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";
import { createEmbedder, type Embedder } from "./embedder.ts";

export interface Pooler extends Embedder {
  /** Vectors have length 1 unless a request says otherwise. */
  readonly normalises: boolean;
  /** They are drawn, and mean nothing. */
  readonly synthetic: boolean;
}

/** Undefined: the server generates. Throws SettingsError. */
export function poolerOf(settings: Settings, model: Model, device: Device): Pooler | undefined {
  const encoder = model.architecture.family === "encoder";
  const { runner, convert, "pooler-config": given } = settings;
  const computed = device.machine === undefined && device.embed !== undefined;
  if (runner === "generate" || (runner === "auto" && !computed)) {
    if (computed)
      throw new SettingsError("--runner generate: the model embeds texts and generates none.");
    if (convert !== "auto" && convert !== "none")
      throw new SettingsError(`--convert ${convert} needs --runner pooling.`);
    return undefined;
  }
  if (!encoder && convert === "none")
    throw new SettingsError("--convert none: a decoder embeds texts with --convert embed alone.");
  const told = model.checkpoint && readPooling(model.checkpoint.folder);
  if (!encoder && told !== undefined && told.kind !== "last") {
    throw new SettingsError(
      `A decoder embeds a text by its last token's state; modules.json asks for "${told.kind}".`,
    );
  }
  const synthetic = device.embed === undefined && !device.can.hidden;
  const activates = activation(given);
  return {
    embed: createEmbedder(device, model.architecture.hidden).embed,
    normalises: activates ?? told?.normalise ?? true,
    synthetic,
  };
}

/** `--pooler-config` as far as it is heard; throws for what would change the vectors otherwise. */
function activation(given: Readonly<Record<string, unknown>> | undefined): boolean | undefined {
  for (const key of Object.keys(given ?? {})) {
    if (key !== "use_activation")
      throw new SettingsError(`--pooler-config: "${key}" is not supported; use_activation is.`);
  }
  const value = given?.["use_activation"];
  if (value !== undefined && typeof value !== "boolean")
    throw new SettingsError('--pooler-config: "use_activation" must be true or false.');
  return value;
}
