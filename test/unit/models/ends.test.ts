import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadModel } from "../../../models/load.ts";
import { goldens } from "../../support/golden.ts";

const llama = goldens().find(({ name }) => name === "llama")?.folder ?? "";
const BOS = 316; // <|begin|> of this vocabulary
const EOS = 318; // <|end|>

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ends-"));
  cpSync(llama, folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Ids of "a" with the flags, and with the tokenizer.json's own post-processor or none. */
async function ids(flags: object, keepProcessor = false): Promise<readonly number[]> {
  const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
  const write = (name: string, value: object) =>
    writeFileSync(join(folder, name), JSON.stringify(value));
  write("tokenizer_config.json", { ...read("tokenizer_config.json"), ...flags });
  if (!keepProcessor) write("tokenizer.json", { ...read("tokenizer.json"), post_processor: null });
  const { tokenizer } = await loadModel(folder);
  expect(
    Array.from((await tokenizer?.encode("a", { addSpecialTokens: false })) ?? []),
  ).toHaveLength(1);
  return Array.from((await tokenizer?.encode("a")) ?? []);
}

describe("tokens that tokenizer_config.json wants around a text", () => {
  it("are added where tokenizer.json adds none", async () => {
    const [a] = await ids({});
    expect(await ids({ add_bos_token: true })).toEqual([BOS, a]);
    expect(await ids({ add_bos_token: false, add_eos_token: true })).toEqual([a, EOS]);
    expect(
      await ids({ add_bos_token: true, add_eos_token: true, eos_token: { content: "<|end|>" } }),
    ).toEqual([BOS, a, EOS]);
  });

  it("are not added twice, nor taken away", async () => {
    const [first, a] = await ids({}, true);
    expect(first).toBe(BOS);
    expect(await ids({ add_bos_token: true }, true)).toEqual([BOS, a]);
    expect(await ids({ add_bos_token: false }, true)).toEqual([BOS, a]);
  });

  it("are none where the token has no name", async () => {
    expect(await ids({ add_bos_token: true, bos_token: null })).toHaveLength(1);
  });
});

describe("generation_config.json", () => {
  it("may turn top_k off by -1", async () => {
    writeFileSync(join(folder, "generation_config.json"), JSON.stringify({ top_k: -1 }));
    expect((await loadModel(folder)).generation.topK).toBe(-1);
  });
});
