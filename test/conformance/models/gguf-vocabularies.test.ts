/** Vocabularies of published models as llama.cpp keeps them, against the ids beside them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ggufTokenizer } from "../../../models/tokenizer/gguf.ts";
import { readTokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { wordPieceFile } from "../../../models/tokenizer/word-piece.ts";
import { readGguf } from "../../../models/weights/gguf/file.ts";
import { ggufWords } from "../../../models/weights/gguf/model.ts";

const checkout = process.env["TRAINYARD_LLAMA_CPP"];
const folder = join(checkout ?? "", "models");
const NAMES =
  checkout === undefined
    ? []
    : readdirSync(folder).flatMap((file) =>
        file.endsWith(".gguf") && existsSync(join(folder, `${file}.out`)) ? [file] : [],
      );
/** Architectures of other models than are read. */
const OTHERS = new Set(["ggml-vocab-gemma-4.gguf"]);

describe.skipIf(checkout === undefined)(
  "published vocabularies (skipped without TRAINYARD_LLAMA_CPP, a checkout)",
  () => {
    it.each(NAMES.filter((name) => !OTHERS.has(name)))("%s", async (file) => {
      const path = join(folder, file);
      const words = ggufWords(readGguf(path));
      const described =
        words.metadata.string("tokenizer.ggml.model") === "bert"
          ? wordPiece(words.strings)
          : ggufTokenizer(words)?.file;
      const tokenizer = readTokenizer(described ?? "", path);
      const texts = readFileSync(`${path}.inp`, "utf8").split("\n__ggml_vocab_test__\n");
      const ids = readFileSync(`${path}.out`, "utf8").split("\n");
      for (const [i, text] of texts.entries()) {
        const found = await tokenizer.encode(text, { addSpecialTokens: false });
        expect([...found].join(" "), JSON.stringify(text)).toBe((ids[i] ?? "").trim());
      }
      expect(texts.length).toBeGreaterThan(40);
    });
  },
);

/** llama.cpp marks the words that begin, BERT the pieces that go on. */
function wordPiece(strings: (key: string) => readonly string[] | undefined): string {
  const tokens = (strings("tokenizer.ggml.tokens") ?? []).map((token) =>
    token.startsWith("▁") ? token.slice(1) : /^\[.+\]$/.test(token) ? token : `##${token}`,
  );
  return wordPieceFile(tokens.join("\n"), "vocab.txt", {});
}
