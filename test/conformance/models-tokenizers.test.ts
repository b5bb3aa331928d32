/** Tokenizers of real models: ids and texts of the library's own goldens. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Tokenizer } from "../../models/model.ts";
import { readTokenizer } from "../../models/tokenizer/tokenizer.ts";
import { sharedData } from "../support/golden.ts";

function stream(tokenizer: Tokenizer, ids: readonly number[]): string {
  const decoder = tokenizer.decoder({ skipSpecial: true });
  return ids.map((id) => decoder.push(id)).join("") + decoder.end();
}

const REAL = [
  "gpt2",
  "qwen3",
  "o200k",
  "mistral-v1",
  "mistral-v3",
  "phi3",
  "smollm2",
  "deepseek-llm",
];
const data = sharedData("tokenizers");

describe.skipIf(data === undefined)("real tokenizers (skipped without TRAINYARD_DATA)", () => {
  interface Line {
    readonly text: string;
    readonly ids: readonly number[];
    readonly ids_with_special?: readonly number[];
    readonly decoded: string;
    readonly decoded_skip_special: string;
  }
  const unzip = (file: string): string =>
    gunzipSync(readFileSync(join(data ?? "", file))).toString();

  for (const name of REAL)
    it(`${name}: ids and texts of its goldens, whole and streamed`, async () => {
      const tokenizer = readTokenizer(unzip(`${name}.tokenizer.json.gz`), name);
      for (const line of unzip(`${name}.golden.jsonl.gz`).trim().split("\n")) {
        const golden: Line = JSON.parse(line);
        const ids = golden.ids_with_special ?? golden.ids;
        expect([...(await tokenizer.encode(golden.text))]).toEqual(ids);
        expect(tokenizer.decode(golden.ids)).toBe(golden.decoded);
        expect(stream(tokenizer, ids)).toBe(golden.decoded_skip_special);
      }
    });
});
