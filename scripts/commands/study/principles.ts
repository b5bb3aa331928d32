/** Each principle of fast kernels toggled alone (talk row 7), on one model and machine. */

import type { StepShape } from "../../../device/trainium/kernels/kernel.ts";
import { ALL_PRINCIPLES, type Principles } from "../../../device/trainium/plan.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import { table } from "../validate/report.ts";
import { studyModel, studyPlan } from "./model.ts";
import type { Study } from "./study.ts";

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

const SHAPES: readonly (readonly [string, StepShape])[] = [
  ["decode, 8 rows at 4096", { phase: "decode", rows: 8, queries: 1, context: 4096 }],
  ["prompt of 2048", { phase: "prefill", rows: 1, queries: 2048, context: 2048 }],
];

export const principlesStudy: Study = async (print) => {
  const model = studyModel("meta-llama/Llama-3.1-8B-Instruct");
  const plan = studyPlan(model, 4, { instance: "trn2.3xlarge" }, { maxRows: 8, maxContext: 4096 });
  const time = (shape: StepShape, principles: Partial<Principles>): number =>
    new CostModel({ ...plan, principles: { ...ALL_PRINCIPLES, ...principles } }).graph(shape)
      .nanos / 1e6;
  print(
    "Llama-3.1-8B, TP 4 on trn2.3xlarge, vLLM plug-in's kernels: ms of a step, and against all on.\n",
  );
  print(
    table([
      ["principle", ...SHAPES.flatMap(([name]) => [name, "×"])],
      ...TOGGLES.map(([name, principles]) => [
        name,
        ...SHAPES.flatMap(([, shape]) => {
          const ms = time(shape, principles);
          return [ms.toFixed(2), (ms / time(shape, {})).toFixed(2)];
        }),
      ]),
    ]),
  );
  return 0;
};
