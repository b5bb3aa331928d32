import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadModel } from "../../../models/load.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "trainyard-hostile-"));
  for (const file of ["config.json", "tokenizer.json"])
    cpSync(join("models/tiny/llama", file), join(folder, file));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function change(file: string, edit: (value: Record<string, object>) => object): void {
  const path = join(folder, file);
  writeFileSync(path, JSON.stringify(edit(JSON.parse(readFileSync(path, "utf8")))));
}

it.each([
  ["num_hidden_layers", 1e9],
  ["num_hidden_layers", 5_000],
  ["vocab_size", 4e9],
  ["max_position_embeddings", 2 ** 40],
  ["num_attention_heads", 1e8],
  ["intermediate_size", 1e12],
])("%s of %d is refused by its name, at once", async (key, value) => {
  change("config.json", (config) => ({ ...config, [key]: value }));
  await expect(loadModel(folder)).rejects.toThrow(`config.json: "${key}" must be an integer ≤`);
});

it.each([4e9, 2 ** 24, -1, 0.5])("an id of %d in the vocabulary is refused", async (id) => {
  change("tokenizer.json", ({ model, ...rest }) => {
    const { vocab, ...others } = model as { vocab: object }; // a BPE file
    return { ...rest, model: { ...others, vocab: { ...vocab, strange: id } } };
  });
  await expect(loadModel(folder)).rejects.toThrow(`not ${id}`);
});

it("an added token of such an id is refused", async () => {
  change("tokenizer.json", (file) => ({ ...file, added_tokens: [{ id: 4e9, content: "x" }] }));
  await expect(loadModel(folder)).rejects.toThrow('"added_tokens.0.id" must be an integer ≤');
});
