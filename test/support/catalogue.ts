/** Catalogue models without their tokenizers: what the simulated device needs of a model. */
import { readFileSync } from "node:fs";
import type { Model } from "../../models/model.ts";
import type { WeightFormat } from "../../models/ops.ts";
import { describe } from "../../models/registry.ts";
import { projectPath } from "../../models/weights/project-files.ts";

export function catalogueModel(id: string, format: WeightFormat = "bf16"): Model {
  const file = projectPath("models", "catalog", `${id.replace("/", "--")}.json`);
  const config = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  return {
    source: id,
    config,
    architecture: describe(config, file),
    format,
    generation: { eosTokenIds: [] },
  };
}
