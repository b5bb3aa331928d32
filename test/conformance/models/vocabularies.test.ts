/** WordPiece and Unigram vocabularies as transformers saves them: its ids, its texts, whole and streamed. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Tokenizer } from "../../../models/model.ts";
import { distrusted } from "../../../models/tokenizer/published.ts";
import { loadTokenizer, readTokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { sharedData } from "../../support/golden.ts";

const HERE = fileURLToPath(new URL("vocabularies/", import.meta.url));

interface Golden {
  readonly name: string;
  readonly tokenizer: Readonly<Record<string, unknown>>;
  readonly texts: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly plain: readonly number[];
    readonly decoded: string;
  }[];
  /** vocab.txt and tokenizer_config.json, where the class has such files. */
  readonly words?: readonly string[];
  readonly told?: Readonly<Record<string, unknown>>;
  /** Ids of the texts beside the project, in order. */
  readonly corpus: readonly (readonly number[])[];
}

const GOLDENS = readdirSync(HERE).map(
  (name): Golden => JSON.parse(readFileSync(join(HERE, name), "utf8")),
);

/** The texts of published tokenizers' goldens, as vocabularies.py reads them. */
function corpus(folder: string): readonly string[] {
  const lines = gunzipSync(readFileSync(join(folder, "gpt2.golden.jsonl.gz"))).toString();
  const texts = lines
    .trim()
    .split("\n")
    .map((line): string => JSON.parse(line).text);
  const inputs = readFileSync(join(folder, "llama.cpp-golden", "all-vocabs.inp"), "utf8");
  return [...texts, ...inputs.split("\n__ggml_vocab_test__\n")];
}

function stream(tokenizer: Tokenizer, ids: readonly number[]): string {
  const decoder = tokenizer.decoder({ skipSpecial: true });
  return ids.map((id) => decoder.push(id)).join("") + decoder.end();
}

/** Why a file is read in a process of its own; the others are read in this one. */
const APART: Readonly<Record<string, string>> = {
  mpnet: "an added token with lstrip",
  t5: 'the normalizer "Precompiled"',
  "xlm-roberta": 'the normalizer "Precompiled"',
  albert: 'the normalizer "Precompiled"',
  "deberta-v2": "the pattern",
};

describe.each(GOLDENS)("$name", ({ name, tokenizer: file, texts, corpus: expected, ...rest }) => {
  const tokenizer = readTokenizer(JSON.stringify(file), name);

  it("is read where it may be", () => {
    expect(distrusted(file) ?? "").toMatch(new RegExp(`^${APART[name] ?? "$"}`));
  });

  it.each(texts)("$text", async ({ text, ids, plain, decoded }) => {
    expect([...(await tokenizer.encode(text))]).toEqual(ids);
    expect([...(await tokenizer.encode(text, { addSpecialTokens: false }))]).toEqual(plain);
    expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(decoded);
    expect(stream(tokenizer, ids)).toBe(decoded);
  });

  it.skipIf(rest.words === undefined)("vocab.txt alone gives the same", async () => {
    const { words = [], told = {} } = rest;
    const folder = mkdtempSync(join(tmpdir(), "vocabulary-"));
    writeFileSync(join(folder, "vocab.txt"), `${words.join("\n")}\n`);
    const alone = loadTokenizer(folder, told);
    rmSync(folder, { recursive: true });
    for (const { text, ids, plain, decoded } of texts) {
      expect([...((await alone?.encode(text)) ?? [])], text).toEqual(ids);
      expect([...((await alone?.encode(text, { addSpecialTokens: false })) ?? [])]).toEqual(plain);
      expect(alone?.decode(ids, { skipSpecial: true })).toBe(decoded);
    }
  });

  const data = sharedData("tokenizers");
  it.skipIf(data === undefined)("published texts (skipped without TRAINYARD_DATA)", async () => {
    for (const [i, text] of corpus(data ?? "").entries())
      expect([...(await tokenizer.encode(text))], text).toEqual(expected[i]);
  });
});

it("refuses a vocab.txt that is not WordPiece, and one without the tokens of every text", () => {
  const folder = mkdtempSync(join(tmpdir(), "vocabulary-"));
  const file = join(folder, "vocab.txt");
  writeFileSync(file, "a 1\nb 2\n");
  expect(() => loadTokenizer(folder, { tokenizer_class: "PhobertTokenizer" })).toThrow(
    `${file}: tokenizer_class says PhobertTokenizer, whose vocab.txt is not read`,
  );
  expect(() => loadTokenizer(folder)).toThrow(`${file}: "[CLS]" is missing`);
  rmSync(folder, { recursive: true });
});
