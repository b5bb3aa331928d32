/** How this server embeds texts: `--runner pooling`, or a model that does nothing else. */
import type { Device } from "../../device/device.ts";
import type { Model, PoolingKind } from "../../models/model.ts";
import { readPooling } from "../../models/weights/pooling.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";

export interface Pooler {
  readonly kind: PoolingKind;
  /** Numbers in a pooled state. */
  readonly width: number;
  /** Vectors have length 1 unless a request says otherwise. */
  readonly normalises: boolean;
  /** They are drawn, and mean nothing. */
  readonly synthetic: boolean;
}

interface Served {
  readonly settings: Settings;
  readonly model: Model;
  /** Is the time another machine's? */
  readonly simulated: boolean;
}

/** Does the server pool, and generate nothing? Throws SettingsError. */
export function pools({ settings, model, simulated }: Served): boolean {
  const { runner, convert } = settings;
  const computed = isEncoder(model) && !simulated;
  if (runner === "pooling" || (runner === "auto" && computed)) return true;
  if (computed)
    throw new SettingsError("--runner generate: the model embeds texts and generates none.");
  if (convert !== "auto" && convert !== "none")
    throw new SettingsError(`--convert ${convert} needs --runner pooling.`);
  return false;
}

/** An encoder's tokens see what follows them: a text is computed whole, and nothing of it is found in a cache. */
export function isEncoder(model: Model): boolean {
  return model.architecture.family === "encoder";
}

/** Undefined: the server generates. Throws SettingsError. */
export function poolerOf(served: Served, device: Device): Pooler | undefined {
  if (!pools(served)) return undefined;
  const { settings, model } = served;
  const encoder = isEncoder(model);
  const { convert, "pooler-config": given } = settings;
  if (!encoder && convert === "none")
    throw new SettingsError("--convert none: a decoder embeds texts with --convert embed alone.");
  const told = model.checkpoint && readPooling(model.checkpoint.folder);
  return {
    kind: told?.kind ?? (encoder ? "cls" : "last"),
    width: model.architecture.hidden,
    normalises: activation(given) ?? told?.normalise ?? true,
    synthetic: !device.can.hidden,
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
