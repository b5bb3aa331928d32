/** What stands beside a plan's figures: its band and tier, and what the data sheet alone would allow. */
import { TrainiumDevice } from "../../../device/trainium/device.ts";
import type { Plan } from "../../../device/trainium/plan.ts";
import { floorNanos } from "../../../device/trainium/price/floor.ts";
import { expectedLength } from "../../../engine/speculate/registry.ts";
import type { Band } from "../../report/point.ts";
import { speculativeOf } from "../../virtual/build.ts";
import { factsOf } from "../../virtual/facts.ts";
import { type PlanGoal, type ServingPlan, specFor } from "./search.ts";
import type { Workshop } from "./workshop.ts";

export interface Assessment {
  readonly band?: Band;
  /** What no published figure stands behind, in words. */
  readonly extrapolated?: string;
  /** Tokens/s/user of a machine that does nothing but its data sheet's bytes, FLOPs and links. */
  readonly floorTokensPerUser: number;
}

export async function assess(
  plan: ServingPlan,
  shop: Workshop,
  goal: PlanGoal,
): Promise<Assessment> {
  const spec = specFor(plan.candidate, plan.usersPerReplica);
  const system = await shop.build(spec);
  try {
    const { band, extrapolated } = factsOf(system);
    const device = system.engines[0]?.device;
    if (!(device instanceof TrainiumDevice)) throw new Error("Only --device trainium is planned.");
    const speculative = speculativeOf(spec);
    const steps = [
      { queries: 1, ids: 1 },
      ...(speculative === undefined
        ? []
        : [{ queries: 1 + speculative.maxTokens, ids: expectedLength(speculative) }]),
    ];
    return {
      ...(band !== undefined && { band }),
      ...(extrapolated !== undefined && { extrapolated }),
      floorTokensPerUser: floorRate(device.plan, goal, { users: plan.usersPerReplica, steps }),
    };
  } finally {
    await system.close();
  }
}

/** A user's pace where steps take the floor's time and each user's prompt stops the others once an answer. */
function floorRate(
  plan: Plan,
  { workload: { inputLen, outputLen } }: PlanGoal,
  of: {
    readonly users: number;
    readonly steps: readonly { readonly queries: number; readonly ids: number }[];
  },
): number {
  const context = Math.round(inputLen + outputLen / 2);
  const each = of.steps.map(
    ({ queries, ids }) =>
      floorNanos(plan, { phase: "decode", rows: of.users, queries, context }) / ids,
  );
  const prompt = { phase: "prefill", rows: 1, queries: inputLen, context: inputLen } as const;
  return 1e9 / (Math.min(...each) + (of.users * floorNanos(plan, prompt)) / outputLen);
}
