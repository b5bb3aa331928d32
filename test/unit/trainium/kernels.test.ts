/** What kernels may never do: cost more than the graph without them, or unpack weights for nothing. */
import { describe, expect, it } from "vitest";
import type { Plan } from "../../../device/trainium/plan.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import { catalogueModel } from "../../support/catalogue.ts";

const planOf = (id: string, ranks: number, rest: Record<string, unknown> = {}): Plan => {
  return planFor({
    model: catalogueModel(id),
    tensorParallel: ranks,
    maxRows: 512,
    maxContext: 8192,
    own: { instance: "trn2.48xlarge", ...rest },
  });
};

const withKernels = (plan: Plan, kernels: readonly string[]): CostModel =>
  new CostModel({ ...plan, kernels: new Set(kernels) });

const MODELS = [
  ["Qwen/Qwen3-8B", 4],
  ["meta-llama/Llama-3.3-70B-Instruct", 32],
  ["openai/gpt-oss-120b", 16],
  ["Qwen/Qwen3-30B-A3B", 4],
] as const;

describe("named kernels", () => {
  it.each(MODELS)("none makes %s (TP %i) dearer at any batch", (id, ranks) => {
    const plan = planOf(id, ranks);
    const all = [...plan.kernels];
    const named = new Map(all.map((name) => [name, withKernels(plan, [name])]));
    const without = withKernels(plan, []);
    const whole = new CostModel(plan);
    for (let rows = 1; rows <= 512; rows *= 2) {
      for (const context of [1024, 8192]) {
        const shape = { phase: "decode", rows, queries: 1, context } as const;
        const plain = without.graph(shape).nanos;
        for (const [name, model] of named)
          expect(model.graph(shape).nanos, `${name} ${rows} ${context}`).toBeLessThanOrEqual(
            plain * (1 + 1e-9),
          );
        expect(whole.graph(shape).nanos).toBeLessThanOrEqual(plain * (1 + 1e-9));
      }
    }
    for (const queries of [128, 1024, 8192]) {
      const shape = { phase: "prefill", rows: 1, queries, context: queries } as const;
      const plain = without.graph(shape).nanos;
      for (const [name, model] of named)
        expect(model.graph(shape).nanos, `${name} ${queries}`).toBeLessThanOrEqual(
          plain * (1 + 1e-9),
        );
    }
  });
});

describe("short weights", () => {
  it("int8 is unpacked by the vector engine, on every stack", () => {
    for (const stack of ["vllm-neuron", "nxd-inference", "transformers-neuronx"]) {
      const of = (dense: "int8" | "bf16") => {
        const plan = planOf("Qwen/Qwen3-8B", 4, { "neuron-stack": stack });
        const its = { ...plan, formats: { ...plan.formats, dense } };
        return new CostModel(its).graph({ phase: "decode", rows: 1, queries: 1, context: 1024 });
      };
      const vector = (graph: ReturnType<typeof of>): number =>
        graph.layers
          .flatMap(({ calls }) => calls)
          .filter(({ call }) => call.role === "gate-up")
          .reduce((sum, { busy }) => sum + (busy.vector ?? 0), 0);
      expect(vector(of("int8")), stack).toBeGreaterThan(vector(of("bf16")));
      // Half the bytes, never half the time.
      expect(of("int8").nanos, stack).toBeGreaterThan(of("bf16").nanos / 2);
    }
  });
});
