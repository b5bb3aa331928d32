/** `--speculative-config` to a proposer; a draft model gets a device of its own. */
import type { Device } from "../../device/device.ts";
import { simulateHeads } from "../../device/heads.ts";
import { createDevice, deviceOf } from "../../device/registry.ts";
import type { DeviceSettings } from "../../device/settings.ts";
import type { EngineOptions } from "../../engine/options.ts";
import {
  createProposer,
  readSpeculativeConfig,
  type SpeculativeConfig,
} from "../../engine/speculate/registry.ts";
import { loadModel } from "../../models/load.ts";
import type { Model } from "../../models/model.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";

/** Above so many bytes of checkpoint the weights, not the nodes, are what a draft's step waits for. */
const SMALL_DRAFT_BYTES = 64 << 20;

/** Guesses need not be exact: the quickest format that keeps acceptance. */
const draftQuantization = ({ checkpoint }: Model): string =>
  (checkpoint?.bytes ?? 0) > SMALL_DRAFT_BYTES ? "int4" : "w8a16";

/** Throws SettingsError naming the key that is wrong. */
export function speculativeConfig(settings: Settings): SpeculativeConfig | undefined {
  const given = settings["speculative-config"];
  if (given === undefined) return undefined;
  try {
    return readSpeculativeConfig(given);
  } catch (error) {
    throw new SettingsError(`--speculative-config: ${(error as Error).message}`); // the reader throws Errors
  }
}

/** `base`: what the target device was made from. */
export async function speculation(
  config: SpeculativeConfig,
  target: Device,
  base: DeviceSettings,
): Promise<NonNullable<EngineOptions["speculative"]>> {
  const draft = config.method === "draft_model" ? await draftDevice(config, base) : undefined;
  if (draft !== undefined && draft.vocabSize !== target.vocabSize) {
    await draft.close();
    throw new SettingsError(
      `--speculative-config: the draft model has a vocabulary of ${draft.vocabSize}, the model one of ${target.vocabSize}; they must be the same.`,
    );
  }
  const proposer = await createProposer({
    config,
    target: simulateHeads(target, { acceptance: config.acceptance, seed: base.seed }),
    ...(draft !== undefined && { draft }),
  });
  return { proposer, maxTokens: config.maxTokens, adaptive: config.adaptive };
}

async function draftDevice(config: SpeculativeConfig, base: DeviceSettings): Promise<Device> {
  const { model: source } = config;
  if (source === undefined) {
    throw new SettingsError('--speculative-config: draft_model needs "model".');
  }
  const { model: _target, quantization: _format, blocks: _blocks, inner: _inner, ...rest } = base;
  const { "kv-cache-dtype": _cache, ...own } = base.own; // the target's
  const model = await loadModel(source);
  return createDevice(deviceOf("computes"), {
    ...rest,
    own,
    model,
    quantization: String(config.keys["quantization"] ?? draftQuantization(model)),
    tensorParallelSize: Number(config.keys["draft_tensor_parallel_size"] ?? 1),
  });
}
