/** Tokenizers that can end a process: hostile patterns and texts, each in a process of its own. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EncoderProcess, EncoderStartError } from "../../models/tokenizer/encoder-process.ts";
import { TextRefusedError } from "../../models/tokenizer/text-limits.ts";
import { readTokenizer } from "../../models/tokenizer/tokenizer.ts";

const base = JSON.parse(readFileSync("models/tiny/llama/tokenizer.json", "utf8")) as Record<
  string,
  unknown
>;
const ours = readTokenizer(JSON.stringify(base), "base");

function withPattern(Regex: string, change: object = {}): string {
  const [, byteLevel] = (base["pre_tokenizer"] as { pretokenizers: unknown[] }).pretokenizers;
  const splitter = { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false };
  return JSON.stringify({
    ...base,
    pre_tokenizer: { type: "Sequence", pretokenizers: [splitter, byteLevel] },
    ...change,
  });
}

/** Unknown, and as good as any. */
const OWN = "[A-Za-z]+|[^A-Za-z]";

describe("a pattern that is not published", () => {
  it("gives the ids of the package, in a process of its own", async () => {
    const tokenizer = readTokenizer(withPattern(OWN), "own");
    await tokenizer.probe?.();
    const texts = ["Hello, world!", "", "é🙂\u0000", "x ".repeat(40_000)];
    for (const text of texts) {
      const ids = await tokenizer.encode(text, { addSpecialTokens: false });
      expect(tokenizer.decode(ids)).toBe(text);
    }
  });

  it.each([
    "(a+)+$",
    "(x+x+)+y",
    "(\\w|\\w\\w|\\w\\w\\w)*!",
    "([^\\s]+[^\\s]+)+%%",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
  ])("%s is refused at the start, by the file's name", async (pattern) => {
    const tokenizer = readTokenizer(withPattern(pattern), "hostile/tokenizer.json");
    await expect(tokenizer.probe?.()).rejects.toThrow(/^hostile\/tokenizer.json: /);
  });

  it("a file that the package cannot read is refused by its name", async () => {
    const deep = readTokenizer(withPattern("(".repeat(50_000)), "deep/tokenizer.json");
    await expect(deep.probe?.()).rejects.toThrow(/^deep\/tokenizer.json: not a tokenizer/);
  });
});

describe("a text that ends the process", () => {
  it("is refused; the process is replaced and the others are answered", async () => {
    // Within the probes' alphabet nothing happens.
    const process = new EncoderProcess({ json: withPattern("(ж+ж+)+я|[^ж]+|ж") });
    const ids = (text: string) => process.encode(text, false, 2_000);
    const answers = await Promise.allSettled([ids("a"), ids("ж".repeat(80)), ids("b")]);
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    const [, refused] = answers;
    expect(refused?.status === "rejected" && refused.reason).toBeInstanceOf(TextRefusedError);
    expect(process.started).toBe(2);
    process.stop();
  });

  it("is refused when its processor time is spent", async () => {
    const process = new EncoderProcess({ json: JSON.stringify(base) });
    await process.encode("warm", false, 2_000);
    await expect(process.encode("ab ".repeat(1_000_000), false, 60)).rejects.toMatchObject({
      slow: true,
    });
    expect(await process.encode("again", false, 2_000)).toEqual(
      await ours.encode("again", { addSpecialTokens: false }),
    );
    expect(process.started).toBe(2);
    process.stop();
  });

  it("what is no tokenizer says so", async () => {
    const process = new EncoderProcess({ json: '{"model":{"type":"BPE"}}' });
    await expect(process.encode("a", false, 1_000)).rejects.toBeInstanceOf(EncoderStartError);
  });
});

describe("a published pattern", () => {
  it("reads large texts apart, with the same ids", async () => {
    const piece = "The quick brown fox 123!\n";
    const tokenizer = readTokenizer(JSON.stringify(base), "base");
    const ids = await tokenizer.encode(piece.repeat(20_000), { addSpecialTokens: false });
    const one = await tokenizer.encode(piece, { addSpecialTokens: false });
    expect(ids.length).toBe(20_000 * one.length);
  });

  it.each([" ", "\n", "\u3000", "\t \n"])(
    "survives as much of %j as a text may hold",
    async (unit) => {
      const text = `a${unit.repeat(100_000 / unit.length)}b`;
      expect(ours.decode(await ours.encode(text, { addSpecialTokens: false }))).toBe(text);
    },
  );
});
