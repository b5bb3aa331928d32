/** What systems are built of where there is no Node: models of the catalogue, the simulated device. */
import { createTrainiumDevice } from "../../../device/trainium/device.ts";
import { declaredModel } from "../../../models/declared.ts";
import type { Model } from "../../../models/model.ts";
import type { World } from "../../../scripts/virtual/build.ts";
import { catalogConfig } from "./catalog.ts";

const models = new Map<string, Model>();

/** Throws for an id that is not of the catalogue. */
export function catalogModel(id: string): Model {
  let model = models.get(id);
  if (model === undefined) {
    model = declaredModel(catalogConfig(id), id);
    models.set(id, model);
  }
  return model;
}

export const WORLD: World = {
  loadModel: async (id) => catalogModel(id),
  createDevice: async (name, settings) => {
    if (name !== "trainium") throw new Error(`A page has no device ${name}.`);
    return createTrainiumDevice(settings);
  },
  // Names blocks of the prefix cache, which pages leave off: nobody compares them.
  sha256: () => "0".repeat(64),
};
