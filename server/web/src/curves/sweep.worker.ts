/** Off the page's thread: systems in virtual time, as the command line runs them. */
import { createTrainiumDevice } from "../../../../device/trainium/device.ts";
import { declaredModel } from "../../../../models/declared.ts";
import type { Model } from "../../../../models/model.ts";
import { INFERENCEX } from "../../../../scripts/commands/sweep/protocol.ts";
import { runPoint } from "../../../../scripts/commands/sweep/run-point.ts";
import { buildSystemIn, type World } from "../../../../scripts/virtual/build.ts";
import { catalogConfig } from "../explorer/catalog.ts";
import type { SweepAnswer, SweepTask } from "./sweep.ts";

const models = new Map<string, Promise<Model>>();

const WORLD: World = {
  loadModel: (id) => {
    let model = models.get(id);
    if (model === undefined) {
      model = catalogConfig(id).then((config) => declaredModel(config, id));
      models.set(id, model);
    }
    return model;
  },
  createDevice: async (name, settings) => {
    if (name !== "trainium") throw new Error(`A page has no device ${name}.`);
    return createTrainiumDevice(settings);
  },
  // Names blocks of the prefix cache, which sweeps leave off: nobody compares them.
  sha256: () => "0".repeat(64),
};

addEventListener("message", async ({ data }: MessageEvent<readonly SweepTask[]>) => {
  for (const [id, task] of data.entries()) postMessage(await answer(id, task));
});

async function answer(id: number, { spec, shape, concurrency }: SweepTask): Promise<SweepAnswer> {
  const [inputLen, outputLen] = shape;
  try {
    const began = performance.now();
    const system = await buildSystemIn(WORLD, spec);
    const workload = { ...INFERENCEX, inputLen, outputLen, seed: spec.seed };
    const { point } = await runPoint(system, workload, concurrency);
    return { id, point, busyMs: performance.now() - began };
  } catch (error) {
    return { id, failed: error instanceof Error ? error.message : String(error) };
  }
}
