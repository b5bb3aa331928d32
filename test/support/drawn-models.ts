/**
 * The random models of models/tiny/drawn: their weights are drawn again from a seed, as
 * scripts/maintain/goldens/random_families.py drew them.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { GoldenCase } from "./golden.ts";
import { seeded } from "./random-model.ts";
import { type TensorEntry, writeSafetensors } from "./safetensors.ts";

const DRAWN = fileURLToPath(new URL("../../models/tiny/drawn/", import.meta.url));

type Drawn = readonly [name: string, shape: readonly number[], centre: number, half: number];

export interface DrawnModel {
  /** A folder as users have them; until `remove`. */
  readonly folder: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly cases: readonly GoldenCase[];
  /** vLLM's ids of the same prompts, for those that it was asked. */
  readonly vllm: readonly (readonly number[])[] | undefined;
  remove(): void;
}

export function drawnNames(): readonly string[] {
  return readdirSync(DRAWN).sort();
}

export function drawModel(name: string): DrawnModel {
  const golden = JSON.parse(readFileSync(join(DRAWN, name, "golden.json"), "utf8")) as {
    readonly tensors: readonly Drawn[];
    readonly cases: readonly GoldenCase[];
  };
  const folder = mkdtempSync(join(tmpdir(), `drawn-${name}-`));
  const random = seeded(1);
  const tensors = new Map<string, TensorEntry>();
  for (const [tensor, shape, centre, half] of golden.tensors) {
    const count = shape.reduce((product, size) => product * size, 1);
    const data = Float32Array.from({ length: count }, () => centre + half * (2 * random() - 1));
    tensors.set(tensor, { dtype: "F32", shape, data });
  }
  cpSync(join(DRAWN, name, "config.json"), join(folder, "config.json"));
  writeSafetensors(join(folder, "model.safetensors"), tensors);
  const cases = golden.cases.map((each) => ({ ...each, prompt: each.prompt_ids.join(" ") }));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  return { folder, tensors, cases, vllm: idsOfVllm(name), remove };
}

/** vLLM's ids of the model's prompts, if it was asked. */
export function idsOfVllm(name: string): readonly (readonly number[])[] | undefined {
  const path = join(DRAWN, name, "vllm.json");
  if (!existsSync(path)) return undefined;
  const asked = JSON.parse(readFileSync(path, "utf8")) as { readonly output_ids: number[][] };
  return asked.output_ids;
}
