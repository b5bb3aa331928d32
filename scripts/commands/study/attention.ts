/**
 * Attention of one decoder layer, the compiler's graph against the kernels: busy
 * time of each engine before and after (talk row 9: 125 µs → 79 µs, 1.58×).
 */

import type { StepShape } from "../../../device/trainium/kernels/kernel.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import type { TimedCall } from "../../../device/trainium/price/receipt.ts";
import { moduleOf } from "../../../device/trainium/roles.ts";
import { table } from "../../report/table.ts";
import { studyModel, studyPlan } from "./model.ts";
import type { Study } from "./study.ts";

const SHAPES: readonly (readonly [string, StepShape])[] = [
  ["prompt of 512", { phase: "prefill", rows: 1, queries: 512, context: 512 }],
  ["prompt of 2048", { phase: "prefill", rows: 1, queries: 2048, context: 2048 }],
  ["decode, 1 row at 4096", { phase: "decode", rows: 1, queries: 1, context: 4096 }],
  ["decode, 4 rows at 4096", { phase: "decode", rows: 4, queries: 1, context: 4096 }],
];

const ENGINES = ["tensor", "vector", "scalar", "gpsimd", "dma"] as const;

export const attentionStudy: Study = async (print) => {
  const model = studyModel("meta-llama/Llama-3.1-8B-Instruct");
  const lines: string[][] = [
    ["step", "kernels", "total µs", ...ENGINES.map((name) => `${name} µs`), "plain ÷ kernel"],
  ];
  for (const [name, shape] of SHAPES) {
    let plain = 0;
    for (const kernels of ["plain", "flash-attention,fused-qkv,fused-attention"]) {
      const own = {
        instance: "trn2.3xlarge",
        "serving-stack": "nxd-inference",
        "neuron-kernels": kernels,
      };
      const plan = studyPlan(model, 4, own, { maxRows: shape.rows, maxContext: 4096 });
      const calls = new CostModel(plan).graph(shape).layers[0]?.calls ?? [];
      const its = calls.filter((call) => moduleOf(call.call.role) === "self_attn");
      const total = sum(its, (call) => call.nanos);
      if (kernels === "plain") plain = total;
      lines.push([
        kernels === "plain" ? name : "",
        kernels === "plain" ? "plain" : "kernel",
        micros(total),
        ...ENGINES.map((engine) => micros(sum(its, (call) => call.busy[engine] ?? 0))),
        kernels === "plain" ? "" : (plain / total).toFixed(2),
      ]);
    }
  }
  print(
    "Attention of one layer (norm to output projection, collectives left out), Llama-3.1-8B, TP 4 on",
  );
  print(
    "trn2.3xlarge, µs of one rank. Talk row 9 claims 125 → 79 µs (1.58×) for an unstated decoder.\n",
  );
  print(table(lines));
  return 0;
};

function sum(calls: readonly TimedCall[], of: (call: TimedCall) => number): number {
  return calls.reduce((total, call) => total + of(call), 0);
}

function micros(nanos: number): string {
  return (nanos / 1000).toFixed(1);
}
