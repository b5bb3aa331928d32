/** What this server makes of texts: `--runner pooling`, or a model that does nothing else. */
import type { Device } from "../../device/device.ts";
import { ConfigReader } from "../../models/config.ts";
import { classifies } from "../../models/headless.ts";
import type { Model, PoolingKind } from "../../models/model.ts";
import {
  type Head,
  labelCount,
  readClassifier,
  readProjection,
} from "../../models/weights/head.ts";
import { type Pooling, readPooling, readSentenceConfig } from "../../models/weights/pooling.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";
import { type Activation, activationOf, normalised } from "./activation.ts";
import { type PoolerConfig, readPoolerConfig } from "./pooler-config.ts";

/** A vector of a text, or how likely each of some labels is. */
export type PoolingTask = "embed" | "classify";

export interface Pooler {
  readonly task: PoolingTask;
  readonly kind: PoolingKind;
  /** Numbers that come out for a text. */
  readonly width: number;
  /** What stands behind the pooled state; absent: nothing. */
  readonly head?: Head;
  /** Length 1, or shares of labels: unless a request says otherwise, where `activates`. */
  readonly activation: Activation;
  readonly activates: boolean;
  /** They are drawn, and mean nothing. */
  readonly synthetic: boolean;
  /** Texts are read in lower case. */
  readonly lowerCase: boolean;
}

interface Served {
  readonly settings: Settings;
  readonly model: Model;
  /** Is the time another machine's? */
  readonly simulated: boolean;
}

/** Does the server pool, and generate nothing? As vLLM resolves it. Throws SettingsError. */
export function pools({ settings, model, simulated }: Served): boolean {
  const { runner, convert } = settings;
  const only = (isEncoder(model) && !simulated) || classifies(model.config);
  if (runner === "generate") {
    if (only)
      throw new SettingsError(
        "Embedding models do not support `--runner generate`. Use `--runner pooling` or `--runner auto` for embedding models.",
      );
    return false;
  }
  if (runner === "pooling" || only || convert === "embed" || convert === "classify") return true;
  return !simulated && sentencePooling(model) !== undefined;
}

/** An encoder's tokens see what follows them: a text is computed whole, and nothing of it is found in a cache. */
export function isEncoder(model: Model): boolean {
  return model.architecture.family === "encoder";
}

/** Undefined: the server generates. Throws SettingsError, and errors of the model's files. */
export function poolerOf(served: Served, device: Device): Pooler | undefined {
  if (!pools(served)) return undefined;
  const { settings, model } = served;
  const config = readPoolerConfig(settings["pooler-config"]);
  const task = taskOf(served, config);
  const told = sentencePooling(model);
  const folder = model.checkpoint?.folder;
  const common = {
    task,
    kind: config.kind ?? told?.kind ?? (isEncoder(model) ? "cls" : "last"),
    synthetic: !device.can.hidden,
    lowerCase: folder !== undefined && readSentenceConfig(folder).lowerCase,
  } as const;
  return task === "embed"
    ? { ...common, ...embedding(model, told, config) }
    : { ...common, ...classification(model, config) };
}

function embedding(model: Model, told: Pooling | undefined, { activates }: PoolerConfig) {
  const folder = model.checkpoint?.folder;
  const head = folder === undefined ? undefined : readProjection(folder, told?.projections ?? []);
  return {
    width: head?.width ?? model.architecture.hidden,
    ...(head && { head }),
    activation: normalised,
    activates: activates ?? told?.normalise ?? true,
  };
}

function classification(model: Model, { activates = true, mean, sigma }: PoolerConfig) {
  const { checkpoint, config } = model;
  const reader = new ConfigReader(
    config,
    checkpoint ? `${checkpoint.folder}/config.json` : model.source,
  );
  const activate = activationOf(config, labelCount(reader));
  return {
    width: labelCount(reader),
    ...(checkpoint && { head: readClassifier(checkpoint, reader, isEncoder(model)) }),
    activation: (logits: Float32Array) => activate(logits.map((one) => (one - mean) / sigma)),
    activates,
  };
}

/** A class with a head of labels classifies, and so does a decoder that is made to; others embed. */
function taskOf({ settings, model }: Served, { task: asked }: PoolerConfig): PoolingTask {
  const { convert } = settings;
  const encoder = isEncoder(model);
  if (!encoder && convert === "none")
    throw new SettingsError(
      "This model does not support `--runner pooling`. You can pass `--convert <embed|classify> to adapt it into a pooling model.",
    );
  const headed = classifies(model.config);
  const made = encoder || convert === "auto" ? headed : convert === "classify";
  const task = made ? "classify" : "embed";
  if (asked !== undefined && asked !== task)
    throw new SettingsError(
      `--pooler-config: Unsupported task: '${asked}' Supported tasks: ['${task}']`,
    );
  return task;
}

function sentencePooling({ checkpoint }: Model): Pooling | undefined {
  return checkpoint && readPooling(checkpoint.folder);
}
