/** Sampling defaults: the model's generation config, `--generation-config` and its overrides. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { GenerationDefaults } from "../../models/model.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";

/** generation_config.json's names of what vLLM reads. */
const FIELDS = {
  temperature: "temperature",
  top_p: "topP",
  top_k: "topK",
  min_p: "minP",
  repetition_penalty: "repetitionPenalty",
  max_new_tokens: "maxNewTokens",
} as const satisfies Record<string, keyof GenerationDefaults>;

export function samplingDefaults(
  model: GenerationDefaults,
  settings: Pick<Settings, "generation-config" | "override-generation-config">,
): GenerationDefaults {
  const source = settings["generation-config"];
  const { eosTokenIds } = model;
  const base =
    source === "auto"
      ? model
      : source === "vllm"
        ? { eosTokenIds }
        : { eosTokenIds, ...read(fileFields(source), source) };
  const over = read(settings["override-generation-config"], "--override-generation-config");
  // As vLLM: a folder or an override that is given by hand caps what requests ask for.
  const byHand = source === "auto" || source === "vllm" ? over : { ...base, ...over };
  const { maxNewTokens: cap } = byHand;
  return { ...base, ...over, ...(cap !== undefined && { newTokensCap: cap }) };
}

function read(
  fields: Readonly<Record<string, unknown>>,
  where: string,
): Partial<GenerationDefaults> {
  const found: Record<string, number> = {};
  for (const [name, key] of Object.entries(FIELDS)) {
    const value = fields[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== "number") {
      throw new SettingsError(`${where}: ${name} must be a number, got ${JSON.stringify(value)}.`);
    }
    found[key] = value;
  }
  return found;
}

function fileFields(folder: string): Readonly<Record<string, unknown>> {
  const path = join(folder, "generation_config.json");
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>; // fields are checked one by one
  } catch (cause) {
    throw new SettingsError(`--generation-config: cannot read ${path}: ${String(cause)}`);
  }
}
