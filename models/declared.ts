/** A model by its config.json alone, as the catalogue has them: nothing is read from a disk. */
import { ConfigReader } from "./config.ts";
import { declaredFormat } from "./format.ts";
import type { Model } from "./model.ts";
import { describe } from "./registry.ts";

/** Without weights, words and an end of text. Throws ModelConfigError. */
export function declaredModel(config: Readonly<Record<string, unknown>>, source: string): Model {
  const reader = new ConfigReader(config, source);
  return {
    source,
    config,
    architecture: describe(config, source),
    format: declaredFormat(reader),
    generation: { eosTokenIds: reader.integers("eos_token_id", []) },
  };
}
