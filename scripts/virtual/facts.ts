/** What the report says of a simulated system beside its figures. */

import { TrainiumDevice } from "../../device/trainium/device.ts";
import { findInstance } from "../../device/trainium/instances.ts";
import type { Plan } from "../../device/trainium/plan.ts";
import { bandOf as bandOfTime } from "../../device/trainium/price/bands.ts";
import { trustOf } from "../../device/trainium/price/trust.ts";
import type { Band } from "../report/point.ts";
import type { SystemSpec, VirtualSystem } from "./build.ts";

export interface SystemFacts {
  /** Chips billed: whole ones. */
  readonly chips: number | undefined;
  /** Those of them whose engines compute prompts alone. */
  readonly prefillChips?: number;
  readonly instance: string;
  readonly precision: string;
  readonly band?: Band;
  /** What no published figure stands behind, in words. */
  readonly extrapolated?: string;
  /** Chips of one instance, and its listed dollars an hour. */
  readonly instanceChips?: number;
  readonly listedPrice?: number;
}

export function factsOf(system: VirtualSystem): SystemFacts {
  const { spec, model } = system;
  const device = system.engines[0]?.device;
  if (!(device instanceof TrainiumDevice)) {
    return { chips: undefined, instance: spec.device, precision: model.format };
  }
  const { instance, logicalCore, formats } = device.plan;
  const { low, high, tier, factor } = bandOfTime(1, "serving", device.plan);
  const { extrapolated } = trustOf(device.plan);
  const cores = spec.tensorParallel * spec.dataParallel * logicalCore;
  const decodeChips = Math.ceil(cores / instance.chip.cores);
  const prefillChips = prefillChipsOf(spec, device.plan);
  return {
    chips: decodeChips + prefillChips,
    ...(prefillChips > 0 && { prefillChips }),
    instance: instance.name,
    precision:
      formats.dense === formats.experts ? formats.dense : `${formats.dense}/${formats.experts}`,
    instanceChips: instance.chips,
    band: { low, high, tier, factor },
    ...(extrapolated === undefined ? {} : { extrapolated }),
    ...(instance.dollarsPerHour === undefined ? {} : { listedPrice: instance.dollarsPerHour }),
  };
}

/** Whole chips of the engines for prompts alone; 0: there are none. */
function prefillChipsOf({ prefill }: SystemSpec, plan: Plan): number {
  if (prefill === undefined) return 0;
  const chip = prefill.instance === "" ? plan.instance.chip : findInstance(prefill.instance).chip;
  const logicalCore = Number(prefill.own["logical-nc-config"] ?? plan.logicalCore);
  return Math.ceil((prefill.workers * prefill.tensorParallel * logicalCore) / chip.cores);
}
