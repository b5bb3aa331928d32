/** Simulated systems as Node builds them: models from disk, any device. */
import { createDevice } from "../../device/registry.ts";
import { loadModel } from "../../models/load.ts";
import { sha256 } from "../../server/sha256.ts";
import {
  type BuildOptions,
  buildEnginesIn,
  buildSystemIn,
  type SystemSpec,
  type VirtualSystem,
  type World,
} from "./build.ts";

const NODE: World = { loadModel, createDevice, sha256 };

/** Replicas of one spec. Throws what the device refuses (does not fit, TP does not divide) with its own words. */
export function buildSystem(spec: SystemSpec, build?: BuildOptions): Promise<VirtualSystem> {
  return buildSystemIn(NODE, spec, build);
}

/** An engine for each entry of the list, all of one model and on one clock. */
export function buildEngines(
  spec: SystemSpec,
  list: readonly SystemSpec[],
  build?: BuildOptions,
): Promise<VirtualSystem> {
  return buildEnginesIn(NODE, spec, list, build);
}
