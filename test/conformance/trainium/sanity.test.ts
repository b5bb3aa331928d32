import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { findInstance } from "../../../device/trainium/instances.ts";
import { type Plan, rankOf } from "../../../device/trainium/plan.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import type { GraphCost, TimedCall } from "../../../device/trainium/price/receipt.ts";
import { projectPath } from "../../../models/weights/project-files.ts";
import { studyModel, studyPlan } from "../../../scripts/commands/study/model.ts";

/**
 * Far from any calibrated row a price must still be a price: no faster than its
 * bytes and its products allow, and growing with rows, context and tokens.
 */
const MODELS = readdirSync(projectPath("models", "catalog"))
  .filter((file) => file.endsWith(".json"))
  .map((file) => file.replace(/\.json$/, "").replace("--", "/"));

const MACHINES = ["inf2.48xlarge", "trn1.32xlarge", "trn2.48xlarge", "trn3-gen1-ultraserver"];
const ROWS = [1, 2, 8, 64, 256];
const CONTEXTS = [256, 32_768];

/** A model's plan on any machine, whether it fits there or not. */
const plansOf = (model: string): ((instance: string, ranks: number) => Plan) => {
  const plan = studyPlan(studyModel(model), 1, { instance: "trn2.48xlarge" });
  return (name, ranks) => {
    const instance = findInstance(name);
    return {
      ...plan,
      instance,
      logicalCore: instance.chip.defaultLogicalCore,
      tensorParallel: ranks,
      maxContext: 32_768,
      maxRows: 256,
      formats: { dense: "bf16", experts: "bf16", kv: "bf16" },
    };
  };
};

const callsOf = (graph: GraphCost): readonly (readonly [TimedCall, number])[] => [
  ...graph.prologue.map((call) => [call, 1] as const),
  ...graph.layers.flatMap(({ group, calls }) =>
    calls.map((call) => [call, group.indices.length] as const),
  ),
  ...graph.epilogue.map((call) => [call, 1] as const),
];

/** ns that bytes over peak HBM, or cycles of the tensor engine, take at least. */
function roofline(graph: GraphCost, plan: Plan): number {
  const { chip } = plan.instance;
  const cores = rankOf(plan).cores;
  let bytes = 0;
  let cycles = 0;
  for (const [{ call }, count] of callsOf(graph)) {
    for (const move of call.work?.moves ?? []) bytes += move.bytes * count;
    cycles += (call.work?.cycles.tensor ?? 0) * count;
  }
  return Math.max(
    (bytes / ((chip.hbmBytesPerSecond / chip.cores) * cores)) * 1e9,
    (cycles / chip.clockHz.tensor / cores) * 1e9,
  );
}

/**
 * Rows from which on the stacks stream all experts instead of gathering the chosen
 * (rows × top-k ≥ experts, their rule): there a step may become cheaper.
 */
function streamsFrom(plan: Plan): number {
  const ops = plan.architecture.layers.flatMap((layer) => layer.ops);
  const experts = ops.find((op) => op.op === "experts");
  return experts?.op === "experts" ? experts.experts / experts.topK : 0;
}

describe("prices far from the rows", () => {
  it.each(MODELS)("%s: above the roofline, growing with rows and context", (model) => {
    const planOn = plansOf(model);
    for (const machine of MACHINES) {
      const plan = planOn(machine, 8);
      const cost = new CostModel(plan);
      const limit = streamsFrom(plan);
      for (const context of CONTEXTS) {
        let before: { readonly rows: number; readonly nanos: number } | undefined;
        for (const rows of ROWS) {
          const graph = cost.graph({ phase: "decode", rows, queries: 1, context });
          expect(graph.nanos).toBeGreaterThanOrEqual(roofline(graph, plan));
          const same = before !== undefined && before.rows < limit === rows < limit;
          if (before !== undefined && same)
            expect(graph.nanos, `${machine} ${rows} × ${context}`).toBeGreaterThanOrEqual(
              before.nanos,
            );
          before = { rows, nanos: graph.nanos };
        }
      }
      for (const rows of [1, 256]) {
        const times = CONTEXTS.map(
          (context) => cost.graph({ phase: "decode", rows, queries: 1, context }).nanos,
        );
        expect(times).toEqual([...times].sort((a, b) => a - b));
      }
      const prompts = [128, 512, 2048, 8192].map((tokens) => {
        const shape = { phase: "prefill", rows: 1, queries: tokens, context: tokens } as const;
        const graph = cost.graph(shape);
        expect(graph.nanos).toBeGreaterThanOrEqual(roofline(graph, plan));
        return graph.nanos;
      });
      expect(prompts).toEqual([...prompts].sort((a, b) => a - b));
    }
  });

  it.each(MODELS)("%s: no slower on the next generation, core for core", (model) => {
    const planOn = plansOf(model);
    const two = new CostModel(planOn("trn2.48xlarge", 16));
    const three = new CostModel(planOn("trn3-gen1-ultraserver", 16));
    for (const rows of [1, 16, 256]) {
      const shape = { phase: "decode", rows, queries: 1, context: 4096 } as const;
      expect(three.graph(shape).nanos).toBeLessThanOrEqual(two.graph(shape).nanos);
    }
    const shape = { phase: "prefill", rows: 1, queries: 2048, context: 2048 } as const;
    expect(three.graph(shape).nanos).toBeLessThanOrEqual(two.graph(shape).nanos);
  });
});
