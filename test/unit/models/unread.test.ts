import { cpSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadModel } from "../../../models/load.ts";
import { deviceFor } from "../../../server/world/default-model.ts";
import { goldens } from "../../support/golden.ts";

const llama = goldens().find(({ name }) => name === "llama")?.folder ?? "";
const LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "unread-"));
  cpSync(llama, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
const rename = (name: string): void => renameSync(at("model.safetensors"), at(name));
const only = (...names: readonly string[]): void => {
  rmSync(at("model.safetensors"));
  for (const name of names) writeFileSync(at(name), "x");
};
const config = (extra: object): void =>
  writeFileSync(at("config.json"), JSON.stringify({ ...CONFIG, ...extra }));

describe("weights that are not read", () => {
  const cases: readonly (readonly [string, () => void, RegExp])[] = [
    [
      "a shard without an index",
      () => rename("model-00001-of-00001.safetensors"),
      /model-00001-of-00001\.safetensors: shards without/,
    ],
    [
      "safetensors of another name",
      () => rename("weights.safetensors"),
      /weights\.safetensors: of another name/,
    ],
    [
      "PyTorch files",
      () => only("pytorch_model-1.bin", "pytorch_model-2.bin", "training_args.bin"),
      /pytorch_model-1\.bin and 1 more: PyTorch/,
    ],
    ["a .pth file", () => only("consolidated.00.pth"), /consolidated\.00\.pth: PyTorch/],
    [
      "Mistral's layout",
      () => only("consolidated.safetensors"),
      /consolidated\.safetensors: Mistral's own/,
    ],
    [
      "GGUF",
      () => only("llama.Q4_K_M.gguf"),
      /llama\.Q4_K_M\.gguf: a GGUF file is a model by itself; give its own path/,
    ],
    [
      "an adapter",
      () => only("adapter_config.json", "adapter_model.safetensors"),
      /adapter_config\.json and 1 more: an adapter without its base/,
    ],
    [
      "a link to nothing",
      () => {
        only();
        symlinkSync("/nowhere/blob", at("model.safetensors"));
      },
      /model\.safetensors: a link to nothing/,
    ],
    [
      "a link of a shard to nothing",
      () => symlinkSync("../blobs/1", at("model-2-of-2.safetensors")),
      /model-2-of-2\.safetensors: a link to nothing/,
    ],
    [
      "a Git LFS pointer",
      () => writeFileSync(at("model.safetensors"), LFS),
      /model\.safetensors: a Git LFS pointer/,
    ],
    ["MLX", () => config({ quantization: { group_size: 64, bits: 4 } }), /"quantization" is MLX's/],
    [
      "a quantized checkpoint",
      () => config({ quantization_config: { quant_method: "quark", bits: 4 } }),
      /"quantization_config\.quant_method" says quark, which is not read .*; use the model it was made from/,
    ],
    ["none at all", () => only(), /no weights, neither model\.safetensors nor/],
    [
      "recurrent layers",
      () =>
        config({
          architectures: ["Qwen3NextForCausalLM"],
          linear_num_value_heads: 4,
          linear_num_key_heads: 4,
          linear_key_head_dim: 16,
          linear_value_head_dim: 16,
        }),
      /config\.json: "architectures" says Qwen3NextForCausalLM, which is priced, not computed: its recurrent/,
    ],
  ];
  for (const [name, spoil, message] of cases)
    it(`are told and never simulated: ${name}`, async () => {
      spoil();
      const model = await loadModel(folder);
      expect(model.unread).toMatch(message);
      expect(() => deviceFor(model)).toThrow(message);
    });
});

describe("models of which nothing is known", () => {
  it.each([
    [{ vision_config: {} }, /config\.json: "vision_config" describes a vision tower; .*text-only/],
    [{ state_size: 16 }, /config\.json: "state_size" describes recurrent layers/],
    [{}, /config\.json: unknown architecture StrangeLM; known: /],
  ])("%j", async (extra, message) => {
    config({ architectures: ["StrangeLM"], ...extra });
    await expect(loadModel(folder)).rejects.toThrow(message);
  });
});

describe("files that stand for others", () => {
  it.each(["config.json", "tokenizer.json", "generation_config.json"])("%s", async (name) => {
    writeFileSync(at(name), LFS);
    await expect(loadModel(folder)).rejects.toThrow(`${name}: a Git LFS pointer, not the file`);
    rmSync(at(name));
    symlinkSync("/nowhere", at(name));
    await expect(loadModel(folder)).rejects.toThrow(`${name}: a link to nothing`);
  });
});

describe("the format that a config declares", () => {
  const group = (weights: object) => ({
    quant_method: "compressed-tensors",
    config_groups: { group_0: { weights } },
  });
  it.each([
    [group({ num_bits: 4, type: "int" }), "int4"],
    [group({ num_bits: 8, type: "int" }), "int8"],
    [group({ num_bits: 8, type: "float" }), "fp8"],
    [{ quant_method: "gptq", bits: 8 }, "int8"],
    [{ quant_method: "auto-round", bits: 4 }, "int4"],
    [{ quant_method: "bitsandbytes", load_in_4bit: true }, "int4"],
    [{ quant_method: "modelopt", quant_algo: "FP8" }, "fp8"],
    [{ quant_method: "mxfp4" }, "bf16"],
  ])("%j: %s", async (quantization_config, format) => {
    config({ quantization_config });
    expect((await loadModel(at("config.json"))).format).toBe(format);
  });
});

const CONFIG = {
  architectures: ["LlamaForCausalLM"],
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 256,
  vocab_size: 320,
  torch_dtype: "bfloat16",
};
