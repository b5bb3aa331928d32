/** Small random models of the families against Hugging Face transformers, whose weights nobody stores. */
import { afterAll, describe, expect, it } from "vitest";
import { drawModel, drawnNames } from "../support/drawn-models.ts";
import { holdsToGolden, withEngine } from "../support/golden-suite.ts";

describe.each(drawnNames())("%s", (name) => {
  const model = drawModel(name);
  afterAll(() => model.remove());
  holdsToGolden(model);
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
