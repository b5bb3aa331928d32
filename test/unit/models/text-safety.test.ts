import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { distrusted } from "../../../models/tokenizer/published.ts";
import {
  checkText,
  MAX_CHARACTERS,
  MAX_WHITE_SPACE,
} from "../../../models/tokenizer/text-limits.ts";

const read = (folder: string) =>
  JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8")) as Record<string, unknown>;

const base = read("models/tiny/llama");
const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated" });

describe("which files are read in this process", () => {
  it.each([
    "models/bundled/trainyard-tiny",
    "models/tiny/llama",
    "models/tiny/mistral",
    "models/tiny/qwen2",
    "models/tiny/qwen3",
  ])("%s", (folder) => {
    expect(distrusted(read(folder))).toBeUndefined();
  });

  it.each([
    ["a hostile pattern", { pre_tokenizer: split("(a+)+$") }],
    ["a published pattern with one sign more", { pre_tokenizer: split("'s|'t|\\s+(?!\\S)|\\s+ ") }],
    [
      "one in a sequence",
      { pre_tokenizer: { type: "Sequence", pretokenizers: [split("(x|x)*y")] } },
    ],
    [
      "one as a normalizer",
      { normalizer: { type: "Replace", pattern: { Regex: "(\\s*)*$" }, content: "" } },
    ],
    [
      "a replacement that multiplies the text",
      { normalizer: { type: "Replace", pattern: { String: " " }, content: "x".repeat(1000) } },
    ],
    ["an empty pattern", { pre_tokenizer: { type: "Split", pattern: { String: "" } } }],
    ["a part that is not known", { pre_tokenizer: { type: "UnicodeScripts" } }],
    ["a part named like a method", { pre_tokenizer: { type: "toString" } }],
    ["a sequence in a sequence", { normalizer: nested(3) }],
    ["a model that is not known", { model: { type: "Unigram", vocab: [] } }],
    ["a token that looks back", { added_tokens: [{ id: 0, content: "<m>", lstrip: true }] }],
    ["a post-processor of many tokens", { post_processor: template(5000) }],
  ])("not %s", (_, change) => {
    expect(distrusted({ ...base, ...change })).toBeTypeOf("string");
  });
});

function nested(depth: number): unknown {
  return depth === 0 ? { type: "NFC" } : { type: "Sequence", normalizers: [nested(depth - 1)] };
}

function template(tokens: number): unknown {
  return {
    type: "TemplateProcessing",
    single: Array.from({ length: tokens }, () => ({ SpecialToken: { id: "<s>", type_id: 0 } })),
  };
}

describe("which texts are tokenized", () => {
  const spaces: readonly (readonly [string, string])[] = [
    ["spaces", " "],
    ["line ends", "\n"],
    ["ideographic spaces", "\u3000"],
    ["next lines", "\u0085"],
    ["kinds in turn", " \t\r\n\u00a0\u2003"],
    ["byte order marks", "\ufeff"],
  ];

  for (const [name, unit] of spaces) {
    const run = (length: number) => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);

    it.each([0, 1, 99_999, 100_001, 250_000])(
      `a long run of ${name} is refused after %i letters`,
      (before) => {
        const head = "a".repeat(before);
        expect(() => checkText(`${head}${run(MAX_WHITE_SPACE)}b`)).not.toThrow();
        expect(() => checkText(`${head}${run(MAX_WHITE_SPACE + 1)}b`)).toThrow("white space");
        expect(() => checkText(`${head}${run(MAX_WHITE_SPACE + 1)}`)).toThrow("100000");
      },
    );
  }

  it("many runs, each within the limit, are one text within it", () => {
    expect(() => checkText(`${" ".repeat(MAX_WHITE_SPACE)}.`.repeat(20))).not.toThrow();
  });

  it("the length has its own limit, which is named", () => {
    expect(() => checkText("é".repeat(MAX_CHARACTERS))).not.toThrow();
    expect(() => checkText("é".repeat(MAX_CHARACTERS + 1))).toThrow("4000000");
  });
});
