/** Ids of short ASCII text, beside the native package's. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { AsciiEncoder } from "../../models/tokenizer/ascii-encoder.ts";
import { nativeEncode, nativeTokenizer } from "../../models/tokenizer/native.ts";
import { sharedData } from "../support/golden.ts";
import { seeded } from "../support/random-model.ts";

const WORDS = [
  ..."the don't WE'LL I'M 'tis HTTPServer foo_bar x+=1; == { } // https://a.b/c?d=e !!! . 'S".split(
    " ",
  ),
  ..."<|begin|> <|im_start|> <|endoftext|> <|eot_id|> <tool_call> <s> <| undefined".split(" "),
  ...["\n\n", "\t", "   ", "\r\n", " ", "\0", "\x1c", "\x0b", "\f", "\x7f", "123456", "3.14"],
];

/** Words, numbers and runs of any character of ASCII. */
function* texts(count: number): Generator<string> {
  const random = seeded(11);
  const below = (n: number): number => Math.floor(random() * n);
  yield* ["", "a", " ", "a".repeat(128), " ".repeat(128)];
  for (let i = 0; i < count; i++) {
    let text = "";
    for (let parts = 1 + below(20); parts > 0; parts--) {
      const kind = below(4);
      if (kind < 2) text += WORDS[below(WORDS.length)];
      else if (kind === 2) text += ` ${below(1e9).toString(36)}`;
      else text += String.fromCharCode(below(128)).repeat(1 + below(4));
    }
    yield text;
  }
}

async function expectSame(json: string, count: number): Promise<void> {
  const encoder = AsciiEncoder.read(JSON.parse(json));
  if (encoder === undefined) throw new Error("not read here");
  const native = nativeTokenizer(json);
  let left = 0;
  let read = 0;
  for (const text of texts(count)) {
    for (const special of [true, false]) {
      const ids = encoder.encode(text, special);
      if (ids === undefined) left++;
      else {
        read++;
        expect([...ids], JSON.stringify(text)).toEqual([
          ...(await nativeEncode(native, text, special)),
        ]);
      }
    }
  }
  expect(left / read).toBeLessThan(0.2);
}

const read = (folder: string): string => readFileSync(`models/${folder}/tokenizer.json`, "utf8");

describe("short ASCII text", () => {
  it.each(["tiny/llama", "bundled/trainyard-tiny"])("of %s has the package's ids", (folder) =>
    expectSame(read(folder), 1_000),
  );

  const llama = JSON.parse(read("tiny/llama"));
  const changed = (change: object) => AsciiEncoder.read({ ...llama, ...change });

  it("is left to the package where it is long, has a long piece or goes beyond ASCII", () => {
    const encoder = changed({});
    for (const text of ["a ".repeat(4_097), "a".repeat(129), "caf\u00e9"])
      expect(encoder?.encode(text, true)).toBeUndefined();
    expect(encoder?.encode("a ".repeat(4_096), true)).toBeDefined();
  });

  it.each([
    ["a normaliser that changes ASCII", { normalizer: { type: "Lowercase" } }],
    ["an added token that takes white space", added({ lstrip: true })],
    ["an added token that stands alone", added({ single_word: true })],
    ["an added token that becomes ASCII", added({ content: "\uff41\uff42" })],
    ["added tokens of both kinds", added({ normalized: true }, { normalized: false })],
    ["another model", { model: { ...llama.model, type: "WordPiece" } }],
    ["dropout", { model: { ...llama.model, dropout: 0.1 } }],
    ["suffixes of words", { model: { ...llama.model, end_of_word_suffix: "</w>" } }],
    ["a prefixed space", { pre_tokenizer: { type: "ByteLevel", add_prefix_space: true } }],
    ["words apart", { pre_tokenizer: { type: "Whitespace" } }],
    ["pieces taken out", split(" ", { behavior: "Removed" })],
    ["classes in classes", split(" ?[^(\\s|[.,!?])]+")],
    ["another post-processor", { post_processor: { type: "BertProcessing" } }],
  ])("is left to the package for %s", (_, change) => {
    expect(changed(change)).toBeUndefined();
  });
});

function added(...tokens: readonly object[]): object {
  return {
    added_tokens: tokens.map((token, i) => ({ id: i, content: `<${i}>`, special: true, ...token })),
  };
}

function split(regex: string, more: object = {}): object {
  const cut = { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", ...more };
  const bytes = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
  return { pre_tokenizer: { type: "Sequence", pretokenizers: [cut, bytes] } };
}

const data = sharedData("tokenizers");

describe.skipIf(data === undefined)("of real tokenizers (skipped without TRAINYARD_DATA)", () => {
  it.each(["gpt2", "llama3", "o200k", "qwen3", "smollm2"])("%s: the package's ids", (name) => {
    const file = join(data ?? "", `${name}.tokenizer.json.gz`);
    return expectSame(gunzipSync(readFileSync(file)).toString(), 300);
  });
});
