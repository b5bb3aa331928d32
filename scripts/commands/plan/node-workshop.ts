/** Systems of a plan as Node builds them. */
import type { Model } from "../../../models/model.ts";
import { buildSystem } from "../../virtual/system.ts";
import type { Workshop } from "./workshop.ts";

export function nodeWorkshop(model: Model): Workshop {
  return { model, build: (spec) => buildSystem(spec, { model }) };
}
