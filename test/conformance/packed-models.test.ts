/** Models with published quantised weights against their dequantised twins. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DrawnModel, drawModel } from "../support/drawn-models.ts";
import { logitsError } from "../support/golden.ts";
import { withEngine } from "../support/golden-suite.ts";
import type { GreedySetup } from "../support/greedy.ts";
import { toMxfp4 } from "../support/mxfp4.ts";
import { type TensorEntry, writeSafetensors } from "../support/safetensors.ts";

/** Activations are rounded to 8 bits in blocks where weights stay as they are stored. */
const ROUNDED_TOLERANCE = 0.25;

let packed: DrawnModel;
let twin: DrawnModel;

/** gpt-oss as published: experts in MXFP4, turned; the twin has their numbers in F32. */
beforeAll(() => {
  packed = drawModel("gpt-oss");
  twin = drawModel("gpt-oss");
  const packedTensors = new Map<string, TensorEntry>(packed.tensors);
  const twinTensors = new Map<string, TensorEntry>(twin.tensors);
  for (const [name, { shape, data }] of packed.tensors) {
    if (!/experts\.(gate_up|down)_proj$/.test(name)) continue;
    const [experts = 0, inputs = 0, outputs = 0] = shape;
    const turned = turn(data as Float32Array, { experts, rows: inputs, columns: outputs });
    const { blocks, scales, numbers } = toMxfp4(turned);
    packedTensors.delete(name);
    packedTensors.set(`${name}_blocks`, {
      dtype: "U8",
      shape: [experts, outputs, inputs / 32, 16],
      data: blocks,
    });
    packedTensors.set(`${name}_scales`, {
      dtype: "U8",
      shape: [experts, outputs, inputs / 32],
      data: scales,
    });
    const back = turn(numbers, { experts, rows: outputs, columns: inputs });
    twinTensors.set(name, { dtype: "F32", shape, data: back });
  }
  writeSafetensors(join(packed.folder, "model.safetensors"), packedTensors);
  writeSafetensors(join(twin.folder, "model.safetensors"), twinTensors);
  const path = join(packed.folder, "config.json");
  const config: object = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(
    path,
    JSON.stringify({ ...config, quantization_config: { quant_method: "mxfp4" } }),
  );
});
afterAll(() => {
  packed.remove();
  twin.remove();
});

function turn(
  values: Float32Array,
  { experts, rows, columns }: { experts: number; rows: number; columns: number },
): Float32Array {
  const out = new Float32Array(values.length);
  for (let e = 0; e < experts; e++)
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++)
        out[(e * columns + c) * rows + r] = values[(e * rows + r) * columns + c] ?? 0;
  return out;
}

async function run({ folder, cases }: DrawnModel, setup: GreedySetup) {
  const prompts = cases.slice(0, 4).map(({ prompt_ids }) => prompt_ids);
  const { runs } = await withEngineRuns(folder, setup, prompts);
  return runs;
}

async function withEngineRuns(
  folder: string,
  setup: GreedySetup,
  prompts: readonly (readonly number[])[],
) {
  let runs: Awaited<ReturnType<import("../support/greedy.ts").GreedyEngine["run"]>> = [];
  await withEngine(folder, setup, async (greedy) => {
    runs = await greedy.run(prompts, 64);
  });
  return { runs };
}

describe("gpt-oss with MXFP4 experts", () => {
  it.each([1, 2])(
    "has the ids of its twin where weights are widened, on %i rank(s)",
    async (ranks) => {
      const wide = await run(packed, { ranks, quantization: "none" });
      const plain = await run(twin, { ranks });
      expect(wide.map(({ outputs }) => outputs)).toEqual(plain.map(({ outputs }) => outputs));
      expect(wide.map(({ firstLogits }) => firstLogits)).toEqual(
        plain.map(({ firstLogits }) => firstLogits),
      );
    },
  );

  it.each([1, 2])("is close to it in blocks as they are stored, on %i rank(s)", async (ranks) => {
    const [stored, plain] = [await run(packed, { ranks }), await run(twin, { ranks })];
    const errors = stored.map(({ firstLogits }, i) =>
      logitsError(firstLogits, { values: [...(plain[i]?.firstLogits ?? [])] }),
    );
    expect(Math.max(...errors)).toBeLessThan(ROUNDED_TOLERANCE);
    // Rounded they are: else this would not be the stored product.
    expect(Math.max(...errors)).toBeGreaterThan(0);
  });
});
