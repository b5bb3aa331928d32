/** One point in virtual time: build the system, run it, tear it down. */
import { loadModel } from "../../../models/load.ts";
import type { Model } from "../../../models/model.ts";
import type { SystemSpec } from "../../virtual/build.ts";
import { buildSystem } from "../../virtual/system.ts";
import type { Workload } from "./protocol.ts";
import { runPoint } from "./run-point.ts";
import type { MeasuredPoint } from "./to-point.ts";

/** Models as loaded, by source: a sweep loads each once. */
export class ModelShelf {
  readonly #models = new Map<string, Promise<Model>>();

  get(source: string): Promise<Model> {
    let model = this.#models.get(source);
    if (model === undefined) {
      model = loadModel(source);
      this.#models.set(source, model);
    }
    return model;
  }
}

export async function virtualPoint(
  spec: SystemSpec,
  workload: Workload,
  concurrency: number,
  shelf: ModelShelf,
): Promise<MeasuredPoint> {
  const system = await buildSystem(spec, { model: await shelf.get(spec.model) });
  return runPoint(system, workload, concurrency);
}
