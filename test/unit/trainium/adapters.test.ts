/** What adapters add to the price of a step and to memory: as NxD compiles them, whoever names one. */
import { expect, it } from "vitest";
import { adapterBytes, layMemory } from "../../../device/trainium/memory.ts";
import type { Plan } from "../../../device/trainium/plan.ts";
import { ADAPTER_KERNEL } from "../../../device/trainium/price/adapters.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import { planFor } from "../../../device/trainium/settings.ts";
import { catalogueModel } from "../../support/catalogue.ts";
import { startServer } from "../../support/server.ts";

const model = catalogueModel("meta-llama/Llama-3.1-8B-Instruct");
const plan = (tensorParallel: number, adapters?: Plan["adapters"]): Plan =>
  planFor({ model, tensorParallel, own: {}, ...(adapters && { adapters }) });
const decode = { phase: "decode", rows: 8, queries: 1, context: 1024 } as const;
const graph = (its: Plan, shape: Parameters<CostModel["graph"]>[0] = decode) =>
  new CostModel(its).graph(shape);

it("adds to every step, the more the larger the rank and the more rows there are", () => {
  const base = graph(plan(4)).nanos;
  const added = (maxRank: number, rows = 8): number => {
    const shape = { ...decode, rows };
    return graph(plan(4, { inStep: 4, maxRank }), shape).nanos - graph(plan(4), shape).nanos;
  };
  expect(added(16)).toBeGreaterThan(0);
  expect(added(256)).toBeGreaterThan(added(16));
  expect(added(256, 32)).toBeGreaterThan(added(256, 8));
  // Places cost memory, not time.
  expect(graph(plan(4, { inStep: 16, maxRank: 16 })).nanos - base).toBe(added(16));
  const prompt = { phase: "prefill", rows: 1, queries: 512, context: 512 } as const;
  expect(graph(plan(4, { inStep: 1, maxRank: 16 }), prompt).nanos).toBeGreaterThan(
    graph(plan(4), prompt).nanos,
  );
});

it("sums row-parallel terms over the ranks, where there are several", () => {
  const calls = (ranks: number) => {
    const [layer] = graph(plan(ranks, { inStep: 1, maxRank: 16 })).layers;
    return (layer?.calls ?? []).map(({ call }) => call);
  };
  const named = calls(4).filter(({ kernel }) => kernel === ADAPTER_KERNEL);
  expect(named.map(({ path }) => path.split(".").at(-1))).toEqual([
    ...["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
  ]);
  const sums = calls(4).flatMap(({ collective }) => collective ?? []);
  expect(sums.filter(({ bytes }) => bytes === 8 * 16 * 2)).toHaveLength(2);
  const fewer = graph(plan(4)).layers[0]?.calls.length ?? 0;
  expect(calls(4)).toHaveLength(fewer + 9);
});

it("takes places of the device's memory, as many as --max-loras", () => {
  const four = plan(4, { inStep: 4, maxRank: 16 });
  // 32 layers; q, k, v, gate and up: B divided by 4; o and down: A divided.
  const [hidden, wide, kv] = [4096, 14_336, 1024];
  const elements =
    hidden +
    hidden / 4 +
    2 * (hidden + kv / 4) +
    (hidden / 4 + hidden) +
    2 * (hidden + wide / 4) +
    (wide / 4 + hidden);
  expect(adapterBytes(four)).toBe(4 * 32 * 16 * elements * 2);
  expect(layMemory(four).weights - layMemory(plan(4)).weights).toBe(adapterBytes(four));
  expect(adapterBytes(plan(4))).toBe(0);
});

it("serves names without folders, in the base's words", async () => {
  const server = await startServer([
    ...["meta-llama/Llama-3.1-8B-Instruct", "--device", "trainium", "-tp", "4"],
    ...["--served-model-name", "m", "--enable-lora", "--max-loras", "2", "--time-scale", "0.01"],
    ...["--lora-modules", "sql=nobody/has-this"],
  ]);
  try {
    const { json } = await server.get("/v1/models");
    expect(json.data.map(({ id, parent }: Record<string, string>) => [id, parent])).toEqual([
      ["m", null],
      ["sql", "m"],
    ]);
    const ask = (model: string) =>
      server.post("/v1/completions", { model, prompt: "Once upon", max_tokens: 6, temperature: 0 });
    const [base, adapted] = await Promise.all([ask("m"), ask("sql")]);
    expect([base.status, adapted.status, adapted.json.model]).toEqual([200, 200, "sql"]);
    expect(adapted.json.choices[0].text).toBe(base.json.choices[0].text);
  } finally {
    await server.stop(0);
  }
});
