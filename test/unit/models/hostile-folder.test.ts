import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadModel } from "../../../models/load.ts";
import { readPooling } from "../../../models/weights/pooling.ts";

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

it("modules.json that is cut, or that points out of its folder, is refused", () => {
  const path = join(folder, "modules.json");
  writeFileSync(path, '[{"type": "x.Pool');
  expect(() => readPooling(folder)).toThrow(`${path}: corrupt: its JSON does not parse`);
  for (const elsewhere of ["../1_Pooling", "..", "a/b"]) {
    writeFileSync(path, JSON.stringify([{ type: "x.Pooling", path: elsewhere }]));
    expect(() => readPooling(folder)).toThrow('"path" must name a folder of this one');
  }
});

it.each(["config.json", "tokenizer.json", "model.gguf"])(
  "a pipe as %s is not waited for",
  async (name) => {
    const path = join(folder, name);
    rmSync(path, { force: true });
    execFileSync("mkfifo", [path]);
    const source = name === "model.gguf" ? path : folder;
    await expect(loadModel(source)).rejects.toThrow(/not a file$|neither a folder nor a file$/);
  },
);
