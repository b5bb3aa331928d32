/** Small random models of the families against Hugging Face transformers, whose weights nobody stores. */
import { afterAll, describe, expect, it } from "vitest";
import { drawModel, drawnNames, idsOfVllm } from "../support/drawn-models.ts";
import { holdsToGolden, withEngine } from "../support/golden-suite.ts";

describe.each(drawnNames())("%s", (name) => {
  const model = drawModel(name);
  afterAll(() => model.remove());
  holdsToGolden(model);

  // The engine's are the goldens' above: these are the same.
  it.runIf(model.vllm !== undefined)("has vLLM 0.32's ids", () => {
    expect(model.cases.map(({ output_ids }) => output_ids)).toEqual(model.vllm);
  });
});

it("the dense families among them were asked of vLLM", () => {
  const asked = drawnNames().filter((name) => idsOfVllm(name) !== undefined);
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
