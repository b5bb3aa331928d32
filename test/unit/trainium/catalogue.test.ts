import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parameterCount } from "../../../models/architecture.ts";
import { projectPath } from "../../../models/weights/project-files.ts";
import { catalogueModel } from "../../support/catalogue.ts";

/** Billions of parameters as published, text decoder; a part of the file's name. */
const PUBLISHED: readonly (readonly [string, number])[] = [
  ["openai/gpt-oss-20b", 20.9],
  ["openai/gpt-oss-120b", 116.8],
  ["mistralai/Mixtral-8x7B-Instruct-v0.1", 46.7],
  ["mistralai/Mixtral-8x22B-Instruct-v0.1", 140.6],
  ["Qwen/Qwen3-30B-A3B", 30.5],
  ["Qwen/Qwen3-235B-A22B", 235.1],
  ["Qwen/Qwen3-Coder-480B-A35B-Instruct", 480],
  ["MiniMaxAI/MiniMax-M2", 228.7],
  ["deepseek-ai/DeepSeek-V3", 671],
  ["moonshotai/Kimi-K2-Instruct", 1026.4],
  ["mistralai/Mistral-Small-4-119B-2603", 118.97],
  ["zai-org/GLM-4.7-Flash", 29.94],
  ["zai-org/GLM-5", 743.9],
  ["sarvamai/sarvam-30b", 32.15],
  ["upstage/Solar-Open-100B", 102.65],
  ["XiaomiMiMo/MiMo-V2-Flash", 308.8],
  ["XiaomiMiMo/MiMo-V2.5-Pro", 1021],
  ["arcee-ai/Trinity-Large-Preview", 398.6],
  ["meta-llama/Llama-4-Scout-17B-16E-Instruct", 107.8],
  ["meta-llama/Llama-4-Maverick-17B-128E-Instruct", 400.7],
  ["meta-llama/Llama-3.1-405B-Instruct", 405.853],
  ["mistralai/Ministral-3-14B-Instruct-2512", 13.506],
  ["Qwen/Qwen2.5-VL-3B-Instruct", 3.086],
  ["Qwen/Qwen3.5-2B", 1.88],
  ["Qwen/Qwen3.5-27B", 26.9],
  ["Qwen/Qwen3.5-35B-A3B", 34.66],
  ["Qwen/Qwen3-Coder-Next", 79.67],
  ["ibm-granite/granite-4.0-h-small", 32.21],
  ["google/gemma-4-26b-a4b-it", 25.2],
  ["google/gemma-4-31b-it", 30.7],
  ["google-bert/bert-large-uncased", 0.335],
  ["FacebookAI/xlm-roberta-base", 0.278],
  ["openai-community/gpt2", 0.124],
  ["tiiuae/falcon-7b", 6.92],
  ["bigcode/starcoder2-3b", 3.03],
  ["google/gemma-3-1b-it", 1.0],
];

describe("the catalogue", () => {
  it.each(PUBLISHED)("%s has %d billion parameters", (id, billions) => {
    const count = parameterCount(catalogueModel(id).architecture) / 1e9;
    expect(Math.abs(count / billions - 1)).toBeLessThan(0.004);
  });

  it("every file is a known family's, with a cache for every layer", () => {
    const files = readdirSync(projectPath("models", "catalog")).filter((name) =>
      name.endsWith(".json"),
    );
    expect(files.length).toBeGreaterThan(60);
    for (const file of files) {
      const { architecture } = catalogueModel(file.replace("--", "/").replace(/\.json$/, ""));
      const layers = architecture.kvGroups.flatMap((group) => group.layers).sort((a, b) => a - b);
      expect(layers, file).toEqual(architecture.layers.map((layer) => layer.index));
    }
  });

  it("gpt-oss slides on every other layer, has sinks, and 4-bit experts", () => {
    const { architecture } = catalogueModel("openai/gpt-oss-120b");
    expect(architecture.kvGroups.map((group) => [group.kind, group.layers.length])).toEqual([
      ["window", 18],
      ["full", 18],
    ]);
    const ops = architecture.layers[0]?.ops ?? [];
    expect(ops.find((op) => op.op === "attention")).toMatchObject({ window: 128, sinks: {} });
    expect(ops.find((op) => op.op === "experts")).toMatchObject({
      topK: 4,
      down: { format: "mxfp4" },
    });
  });

  it("a hybrid's state is as many bytes as its FP32 matrices", () => {
    const { architecture } = catalogueModel("Qwen/Qwen3.5-27B");
    const [full, state] = architecture.kvGroups;
    expect(full?.layers).toHaveLength(16);
    const bytes = (state?.kvHeads ?? 0) * (state?.window ?? 0) * 2 * (state?.keyDim ?? 0) * 2;
    expect((bytes * (state?.layers.length ?? 0)) / 4).toBeCloseTo(37.7e6, -5); // values, as published
  });

  it("DeepSeek-V3 keeps three layers dense and one latent of 576 elements a token", () => {
    const { architecture } = catalogueModel("deepseek-ai/DeepSeek-V3");
    const moe = architecture.layers.map((layer) => layer.ops.some((op) => op.op === "experts"));
    expect(moe.filter((its) => !its)).toHaveLength(3);
    expect(moe.slice(0, 4)).toEqual([false, false, false, true]);
    expect(architecture.kvGroups[0]).toMatchObject({ kind: "latent", keyDim: 576, valueDim: 0 });
  });
});
