/** Steps with each principle of fast kernels toggled alone: data alone, so that a page computes it too. */
import type { StepShape } from "../../../device/trainium/kernels/kernel.ts";
import { ALL_PRINCIPLES, type Plan, type Principles } from "../../../device/trainium/plan.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import type { Model } from "../../../models/model.ts";

export const PRINCIPLES_MODEL = "meta-llama/Llama-3.1-8B-Instruct";

const TOGGLES: readonly (readonly [string, Partial<Principles>])[] = [
  ["all on, collectives exposed", {}],
  ["no pipelining of load and compute", { pipelined: false }],
  ["activations through HBM, pipelined", { sbufResident: false }],
  ["activations through HBM, not pipelined", { sbufResident: false, pipelined: false }],
  ["DMAs of 512 bytes", { dmaChunkBytes: 512 }],
  ["DMAs of 64 bytes", { dmaChunkBytes: 64 }],
  ["half of collectives overlapped", { collectiveOverlap: 0.5 }],
  ["all collectives overlapped", { collectiveOverlap: 1 }],
];

export const SHAPES: readonly (readonly [string, StepShape])[] = [
  ["decode, 8 rows at 4096", { phase: "decode", rows: 8, queries: 1, context: 4096 }],
  ["prompt of 2048", { phase: "prefill", rows: 1, queries: 2048, context: 2048 }],
];

export interface PrincipleTimes {
  readonly name: string;
  /** ms of a step, by shape. */
  readonly ms: readonly number[];
}

/** The first has all on; TP 4 on trn2.3xlarge, the plug-in's own kernels. */
export function principleTimes(model: Model): readonly PrincipleTimes[] {
  const plan: Plan = planFor({
    model,
    tensorParallel: 4,
    own: { instance: "trn2.3xlarge" },
    maxRows: 8,
    maxContext: 4096,
  });
  const time = (shape: StepShape, principles: Partial<Principles>): number =>
    new CostModel({ ...plan, principles: { ...ALL_PRINCIPLES, ...principles } }).graph(shape)
      .nanos / 1e6;
  return TOGGLES.map(([name, principles]) => ({
    name,
    ms: SHAPES.map(([, shape]) => time(shape, principles)),
  }));
}
