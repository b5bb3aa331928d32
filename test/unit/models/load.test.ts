import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadModel } from "../../../models/load.ts";
import { catalogIds } from "../../../models/weights/folder.ts";
import { goldens } from "../../support/golden.ts";

const tiny = (name: string): string => {
  const golden = goldens().find((each) => each.name === name);
  if (!golden) throw new Error(`no ${name}`);
  return golden.folder;
};

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "model-"));
});
afterEach(() => rmSync(folder, { recursive: true }));
const put = (file: string, value: unknown): void =>
  writeFileSync(join(folder, file), typeof value === "string" ? value : JSON.stringify(value));
const copy = (name: string, left: readonly string[] = []): void =>
  cpSync(tiny(name), folder, {
    recursive: true,
    filter: (path) => !left.some((file) => path.endsWith(file)),
  });

describe("loadModel", () => {
  it("gives architecture, weights, words and template of a folder", async () => {
    const model = await loadModel(tiny("qwen3"));
    expect(model.architecture.family).toBe("qwen3");
    expect(model.format).toBe("f32");
    expect(model.checkpoint?.tensors.size).toBeGreaterThan(20);
    expect(model.tokenizer?.vocabSize).toBe(320);
    expect(model.generation.eosTokenIds).toEqual([319]);
    expect(model.tokenizerConfig).toMatchObject({ eos_token: "<|im_end|>" });
    expect(model.chatTemplate?.render({ messages: [{ role: "user", content: "Hi" }] })).toContain(
      "<|im_start|>user\nHi<|im_end|>",
    );
  });

  it("reads the format of the weights", async () => {
    expect((await loadModel(tiny("llama"))).format).toBe("bf16");
    expect((await loadModel(tiny("qwen2"))).format).toBe("f16");
  });

  it("knows the catalogue", async () => {
    const id = catalogIds().find((each) => each.includes("Llama-3.1-8B"));
    if (id === undefined) return expect(catalogIds()).toEqual([]);
    const model = await loadModel(id);
    expect(model.checkpoint).toBeUndefined();
    expect(model.tokenizer).toBeUndefined();
    expect(model.architecture.layers.length).toBe(32);
    expect(model.format).toBe("bf16");
  });

  it("reads the defaults of generation_config.json", async () => {
    copy("qwen2", ["generation_config.json"]);
    put("generation_config.json", {
      eos_token_id: [317, 318],
      temperature: 0.7,
      top_p: 0.8,
      top_k: 20,
      repetition_penalty: 1.05,
      max_new_tokens: 100,
    });
    expect((await loadModel(folder)).generation).toEqual({
      temperature: 0.7,
      topP: 0.8,
      topK: 20,
      repetitionPenalty: 1.05,
      maxNewTokens: 100,
      eosTokenIds: [319, 317, 318],
    });
  });

  it("serves token ids only where there is no tokenizer", async () => {
    copy("llama", ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]);
    const model = await loadModel(folder);
    expect([model.tokenizer, model.chatTemplate]).toEqual([undefined, undefined]);
    expect(model.generation.eosTokenIds).toEqual([318]);
    const other = await loadModel(folder, { tokenizer: tiny("llama") });
    expect(other.tokenizer?.vocabSize).toBe(320);
  });

  it("takes a chat template from a file, or as text", async () => {
    put("other.jinja", "{{ messages[0].content }}!");
    const messages = [{ role: "user", content: "Hi" }];
    for (const chatTemplate of [join(folder, "other.jinja"), "{{ messages[0].content }}!"]) {
      const model = await loadModel(tiny("llama"), { chatTemplate });
      expect(model.chatTemplate?.render({ messages })).toBe("Hi!");
    }
    await expect(loadModel(tiny("llama"), { chatTemplate: "nowhere.jinja" })).rejects.toThrow(
      /chat template: no such file: nowhere\.jinja/,
    );
  });

  const bad: readonly (readonly [string, () => void, RegExp])[] = [
    ["no config", () => put("x", ""), /config\.json: no such file/],
    [
      "an adapter alone",
      () => put("adapter_config.json", JSON.stringify({ base_model_name_or_path: "org/base" })),
      /adapter_config\.json: an adapter alone, of "base_model_name_or_path" org\/base; serve that with --enable-lora --lora-modules NAME=.*, or merge the two/,
    ],
    [
      "a folder of GGUF files",
      () => put("m.Q4_0.gguf", ""),
      /m\.Q4_0\.gguf: a GGUF file is a model by itself; give its own path/,
    ],
    ["a config that is no JSON", () => put("config.json", "{"), /config\.json: corrupt/],
    [
      "a tokenizer that is no JSON",
      () => {
        copy("llama", ["/tokenizer.json"]);
        put("tokenizer.json", "{");
      },
      /tokenizer\.json: corrupt/,
    ],
    [
      "a tokenizer the library refuses",
      () => {
        copy("llama", ["/tokenizer.json"]);
        put("tokenizer.json", { model: { type: "BPE", vocab: { a: 0 }, merges: [["a", "b"]] } });
      },
      /tokenizer\.json: not a tokenizer: /,
    ],
    [
      "a SentencePiece file alone",
      () => {
        copy("mistral", ["/tokenizer.json"]);
        put("tokenizer.model", "x");
      },
      /tokenizer\.model: only tokenizer\.json is read/,
    ],
    [
      "a config of other weights",
      () => {
        copy("llama");
        put("config.json", { ...CONFIG, intermediate_size: 256 });
      },
      /model\.safetensors: tensor "model\.layers\.0\.mlp\.gate_proj\.weight": expected shape \[256, 64\] .* found \[128, 64\]/,
    ],
  ];
  const CONFIG = {
    architectures: ["LlamaForCausalLM"],
    hidden_size: 64,
    intermediate_size: 128,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    num_key_value_heads: 1,
    max_position_embeddings: 512,
    vocab_size: 320,
  };
  for (const [name, spoil, message] of bad)
    it(`refuses ${name}`, async () => {
      spoil();
      await expect(loadModel(folder)).rejects.toThrow(message);
    });

  it("lays given keys over those of config.json", async () => {
    const rope_scaling = { rope_type: "linear", factor: 2 };
    const model = await loadModel(tiny("llama"), { config: { rope_scaling } });
    expect(model.architecture.maxContext).toBe(1024);
    await expect(loadModel(tiny("llama"), { config: { hidden_size: 3 } })).rejects.toThrow(
      /expected shape \[320, 3\] from config.json/,
    );
  });

  it("refuses an unknown model", async () => {
    await expect(loadModel("nobody/nothing")).rejects.toThrow(
      /model "nobody\/nothing": neither a folder, nor in the hub's cache .*, nor an id of the catalogue/,
    );
    await expect(loadModel("../catalog/x")).rejects.toThrow(/no such folder, and no ORG\/NAME/);
    await expect(loadModel("LICENSE")).rejects.toThrow(/expected a folder .* found another file/);
    await expect(loadModel("package.json")).rejects.toThrow(/package\.json/);
    const alone = await loadModel("models/tiny/llama/config.json");
    expect([alone.architecture.family, alone.checkpoint]).toEqual(["llama", undefined]);
  });
});
