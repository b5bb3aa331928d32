/** Folders as llm-compressor, GPTQModel and AutoAWQ save them, against each tool's own dequantisation. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadModel } from "../../../models/load.ts";
import { WeightReader } from "../../../models/weights/read.ts";
import { type GoldenLogits, logitsError } from "../../support/golden.ts";
import { LOGITS_TOLERANCE, withEngine } from "../../support/golden-suite.ts";

const HERE = fileURLToPath(new URL("own-tools/", import.meta.url));

interface Golden {
  /** SHA-256 of every weight as F32. */
  readonly weights: Readonly<Record<string, string>>;
  /** By transformers, with those weights. */
  readonly cases: readonly {
    readonly prompt_ids: readonly number[];
    readonly output_ids: readonly number[];
    readonly first?: GoldenLogits["values"];
    readonly last?: GoldenLogits["values"];
  }[];
}

describe.each(readdirSync(HERE))("%s", (name) => {
  const folder = join(HERE, name);
  const golden: Golden = JSON.parse(readFileSync(join(folder, "golden.json"), "utf8"));

  it("every weight is the tool's own, bit for bit", async () => {
    const { checkpoint } = await loadModel(folder);
    if (checkpoint === undefined) throw new Error("no checkpoint");
    const reader = new WeightReader(checkpoint);
    for (const [weight, expected] of Object.entries(golden.weights)) {
      const numbers = new Uint8Array(reader.read(weight).buffer);
      expect(createHash("sha256").update(numbers).digest("hex"), weight).toBe(expected);
    }
    reader.close();
    expect(Object.keys(golden.weights).length).toBe(12);
  });

  it.each([1, 2])("64 greedy ids and logits of the dequantised twin, %i rank(s)", (ranks) =>
    withEngine(folder, { quantization: "none", ranks }, async (greedy) => {
      const { cases } = golden;
      const runs = await greedy.run(
        cases.map(({ prompt_ids }) => prompt_ids),
        64,
      );
      expect(runs.map(({ outputs }) => outputs)).toEqual(cases.map(({ output_ids }) => output_ids));
      const [run] = runs;
      const { first = [], last = [] } = cases[0] ?? {};
      expect(logitsError(run?.firstLogits ?? [], { values: first })).toBeLessThan(LOGITS_TOLERANCE);
      expect(logitsError(run?.lastLogits ?? [], { values: last })).toBeLessThan(LOGITS_TOLERANCE);
      expect(first.length).toBe(96);
    }),
  );
});
