/** The adapters of this server: those that `--lora-modules` names, and whose they are. */

import { readModules } from "../adapters/modules.ts";
import { AdapterRegistry, described } from "../adapters/registry.ts";
import type { ModelNames } from "../generation/served-model.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";
import type { Rank } from "./ranks.ts";

/** Undefined: not asked for. Throws SettingsError, also for a module that cannot be loaded. */
export async function adapterRegistry(
  settings: Settings,
  ranks: readonly [Rank, ...Rank[]],
  names: ModelNames,
): Promise<AdapterRegistry | undefined> {
  const modules = readModules(settings["lora-modules"]);
  if (!settings["enable-lora"]) {
    if (modules.length === 0) return undefined;
    throw new SettingsError("--lora-modules needs --enable-lora.");
  }
  const [{ device }] = ranks;
  if (!device.can.adapters) {
    throw new SettingsError(`--enable-lora: the ${device.name} device serves no adapters.`);
  }
  const registry = new AdapterRegistry(ranks, names);
  for (const module of modules) {
    try {
      await registry.load(module);
    } catch (error) {
      throw new SettingsError(`--lora-modules ${module.name}: ${(error as Error).message}`); // only errors are thrown
    }
  }
  return registry;
}

/** What the start tells of them. */
export function adapterLines(
  settings: Settings,
  registry: AdapterRegistry | undefined,
): readonly string[] {
  if (registry === undefined) return [];
  const inStep = settings["max-loras"];
  const inMemory = settings["max-cpu-loras"] ?? inStep;
  return [
    `adapters   ${inStep} in a step, ${inMemory} in memory, of rank ${settings["max-lora-rank"]} at most`,
    ...registry.all.map(described),
  ];
}
