/** Catalogue models and plans for studies: configs without weights. */
import { readFileSync } from "node:fs";
import type { Plan } from "../../../device/trainium/plan.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import type { Model } from "../../../models/model.ts";
import type { WeightFormat } from "../../../models/ops.ts";
import { describe } from "../../../models/registry.ts";
import { projectPath } from "../../../models/weights/project-files.ts";

export function studyModel(id: string, format: WeightFormat = "bf16"): Model {
  const file = projectPath("models", "catalog", `${id.replace("/", "--")}.json`);
  const config: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (typeof config !== "object" || config === null) throw new Error(`${file} is no config.`);
  const values = { ...config };
  return {
    source: id,
    config: values,
    architecture: describe(values, file),
    format,
    generation: { eosTokenIds: [] },
  };
}

export function studyPlan(
  model: Model,
  tensorParallel: number,
  own: Readonly<Record<string, unknown>>,
  more: Partial<Parameters<typeof planFor>[0]> = {},
): Plan {
  return planFor({ model, tensorParallel, own, ...more });
}
