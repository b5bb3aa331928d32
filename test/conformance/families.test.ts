/** Small random models of the families against Hugging Face transformers, whose weights nobody stores. */
import { afterAll, describe, expect, it } from "vitest";
import { drawModel, drawnNames } from "../support/drawn-models.ts";
import { holdsToGolden, withEngine } from "../support/golden-suite.ts";

describe.each(drawnNames())("%s", (name) => {
  const model = drawModel(name);
  afterAll(() => model.remove());
  holdsToGolden(model);

  const { cases, vllm } = model;
  it.runIf(vllm !== undefined)("gives vLLM 0.32's ids", () =>
    withEngine(model.folder, {}, async (greedy) => {
      const prompts = cases.map(({ prompt_ids }) => prompt_ids);
      const runs = await greedy.run(prompts, cases[0]?.output_ids.length ?? 0);
      expect(runs.map(({ outputs }) => outputs)).toEqual(vllm);
    }),
  );
});

it("the dense families among them were asked of vLLM", () => {
  const asked = drawnNames().filter((name) => {
    const model = drawModel(name);
    model.remove();
    return model.vllm !== undefined;
  });
  const dense = "exaone exaone4 gemma3 granite granite4 olmo2 olmo3 phi3 smollm3";
  expect(asked.join(" ")).toBe(dense);
});

it("experts dealt out whole give the same ids as divided ones", async () => {
  const model = drawModel("gpt-oss");
  const [first] = model.cases;
  if (first === undefined) throw new Error("no cases");
  const own = { "enable-expert-parallel": true };
  await withEngine(model.folder, { ranks: 2, own }, async (greedy) => {
    const [run] = await greedy.run([first.prompt_ids], 64);
    expect(run?.outputs).toEqual(first.output_ids);
  });
  model.remove();
});
