/** What a plan's systems are built by: one model, loaded once, on Node or in a page's worker. */
import type { Model } from "../../../models/model.ts";
import type { SystemSpec, VirtualSystem } from "../../virtual/build.ts";

export interface Workshop {
  readonly model: Model;
  /** Throws what the device refuses, with its own words. */
  readonly build: (spec: SystemSpec) => Promise<VirtualSystem>;
}
