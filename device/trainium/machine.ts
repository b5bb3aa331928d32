/** A Trainium instance as others read it (`Device.machine`). */
import type { Machine } from "../machine.ts";
import { startOf } from "./compile.ts";
import { type MemoryPlan, memoryTable } from "./memory.ts";
import type { Plan } from "./plan.ts";
import { rankName } from "./price/spans.ts";
import { trustOf } from "./price/trust.ts";
import { ProfileTotals } from "./profile/summary.ts";

export function machineOf(plan: Plan, memory: MemoryPlan): Machine {
  const { instance, logicalCore, tensorParallel } = plan;
  const { weights, runtime, kv } = memory;
  return {
    title: titleOf(plan),
    instanceType: instance.name,
    ...(instance.dollarsPerHour !== undefined && { dollarsPerHour: instance.dollarsPerHour }),
    chips: instance.chips,
    coresPerChip: instance.chip.cores / logicalCore,
    cores: tensorParallel,
    memory: { weights, runtime, kv },
    memoryLines: memoryTable(plan, memory).split("\n"),
    start: startOf(plan),
    trust: trustOf(plan),
    rank: rankName(plan),
    totals: () => new ProfileTotals(plan),
  };
}

/** The instance, its ranks, and how far its figures are known. */
function titleOf({ instance, tensorParallel, effects }: Plan): string {
  const { changes, chip } = instance;
  const known =
    changes !== undefined ? ` (what if ${changes})` : chip.calibrated ? "" : " (extrapolated)";
  const own = effects === undefined ? "" : ", calibrated by own measurements";
  return `${instance.name} at TP ${tensorParallel}${known}${own}`;
}
