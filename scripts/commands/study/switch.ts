/**
 * NeuronSwitch (talk row 3): DeepSeek-V3, experts spread over 16, 64 and 144
 * chips; the same Trainium3 chips on a torus and on the switch. Attention runs
 * TP 8 and data parallel; tokens travel to their experts and back by all-to-all
 * over all ranks, 4 a chip. 144 chips hold each expert 2.25 times on average.
 */

import { trainium2 } from "../../../device/trainium/chips/trainium2.ts";
import { findInstance, type InstanceSpec } from "../../../device/trainium/instances.ts";
import type { Plan } from "../../../device/trainium/plan.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import { table } from "../../report/table.ts";
import { studyModel, studyPlan } from "./model.ts";
import type { Study } from "./study.ts";

const CHIPS = [16, 64, 144] as const;
const ROWS = [8, 64] as const;
/** Logical cores of a chip (LNC 2). */
const RANKS_PER_CHIP = 4;
const EXPERTS = 256;

export const switchStudy: Study = async (print) => {
  const model = studyModel("deepseek-ai/DeepSeek-V3", "fp8");
  const base = findInstance("trn3-gen2-ultraserver");
  const own = {
    instance: base.name,
    "neuron-kernels": "flash-attention,fused-qkv,fused-mlp,fused-moe",
  };
  const lines: string[][] = [
    [
      "chips",
      "ranks",
      "copies",
      "rows a replica",
      "links",
      "step ms",
      "collectives ms",
      "share",
      "all-to-all ms",
    ],
  ];
  for (const chips of CHIPS) {
    for (const rows of ROWS) {
      for (const fabric of ["torus", "switch"] as const) {
        const instance: InstanceSpec = {
          ...base,
          chips,
          ...(fabric === "torus" && torusOf(base, chips)),
        };
        const plan: Plan = {
          ...studyPlan(model, 8, own, { maxRows: rows, maxContext: 4096 }),
          instance,
          expertParallel: chips * RANKS_PER_CHIP,
        };
        lines.push(lineOf(plan, { chips, rows, fabric }));
      }
    }
  }
  print(
    "DeepSeek-V3 FP8, Trainium3 chips, attention TP 8 and data parallel, its 256 experts over all ranks (more ranks than",
  );
  print(
    "experts: the others hold copies, which share the tokens). One decode step at 4096 tokens of context. Extrapolated:",
  );
  print("no Trainium3 figure is published.\n");
  print(table(lines));
  return 0;
};

function lineOf(
  plan: Plan,
  its: { readonly chips: number; readonly rows: number; readonly fabric: string },
): string[] {
  const { chips, rows, fabric } = its;
  const graph = new CostModel(plan).graph({ phase: "decode", rows, queries: 1, context: 4096 });
  const exchange = graph.layers.reduce(
    (sum, { group, calls }) =>
      sum +
      group.indices.length *
        calls.reduce(
          (all, { call, nanos }) => all + (call.collective?.kind === "all-to-all" ? nanos : 0),
          0,
        ),
    0,
  );
  const collectives = graph.parts.collectives ?? 0;
  return [
    `${chips}`,
    `${chips * RANKS_PER_CHIP}`,
    Math.max(1, (chips * RANKS_PER_CHIP) / EXPERTS).toFixed(2),
    `${rows}`,
    fabric,
    (graph.nanos / 1e6).toFixed(2),
    (collectives / 1e6).toFixed(2),
    `${((100 * collectives) / graph.nanos).toFixed(0)}%`,
    (exchange / 1e6).toFixed(2),
  ];
}

/** The same chips wired as Trainium2 UltraServers are: a 3-D torus with that generation's links. */
function torusOf(base: InstanceSpec, chips: number): Partial<InstanceSpec> {
  return {
    topology: chips > 16 ? "torus-3d" : "torus-2d",
    chipsPerServer: 16,
    chip: { ...base.chip, link: trainium2.link },
  };
}
