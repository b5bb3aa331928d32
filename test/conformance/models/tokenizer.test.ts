import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { Tokenizer as Library } from "tokenizers";
import { describe, expect, it } from "vitest";
import type { Tokenizer } from "../../../models/model.ts";
import { readTokenizer } from "../../../models/tokenizer/tokenizer.ts";
import { type Replacement, Utf8Stream } from "../../../models/tokenizer/utf8.ts";
import { goldens } from "../../support/golden.ts";

const load = (folder: string): { ours: Tokenizer; library: Library } => {
  const text = readFileSync(join(folder, "tokenizer.json"), "utf8");
  return { ours: readTokenizer(text, "tokenizer.json"), library: Library.fromString(text) };
};

function stream(tokenizer: Tokenizer, ids: readonly number[], after?: readonly number[]): string {
  const decoder = tokenizer.decoder({ skipSpecial: true, ...(after && { after }) });
  return ids.map((id) => decoder.push(id)).join("") + decoder.end();
}

/** As the platform's own decoder has it; `byte`: each that is in no whole character is replaced. */
function textOf(bytes: Uint8Array, replacement: Replacement): string {
  if (replacement === "part") return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const lengths = [1, 2, 3, 4].filter((length) => at + length <= bytes.length);
    const whole = lengths.find((length) => {
      try {
        return [...strict.decode(bytes.subarray(at, at + length))].length === 1;
      } catch {
        return false;
      }
    });
    text += whole === undefined ? "\uFFFD" : strict.decode(bytes.subarray(at, at + whole));
    at += whole ?? 1;
  }
  return text;
}

describe("UTF-8 in pieces", () => {
  // Leads and their neighbours, at which the bounds of the next byte change, come often.
  const edges = fc.constantFrom(...[0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2]);
  const leads = fc.constantFrom(...[0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff]);
  const byte = fc.oneof(edges, leads, fc.integer({ min: 0, max: 255 }));
  const bytes = fc.array(byte, { maxLength: 40 }).map((list) => Uint8Array.from(list));
  const pieces = fc.array(bytes, { maxLength: 8 });

  for (const replacement of ["part", "byte"] as const)
    it(`is the text of the whole, whatever the split (${replacement})`, () => {
      fc.assert(
        fc.property(pieces, (split) => {
          const stream = new Utf8Stream(replacement);
          const text = split.map((piece) => stream.push(piece)).join("") + stream.end();
          expect(text).toBe(textOf(Buffer.concat(split), replacement));
        }),
        { seed: 3, numRuns: 2000 },
      );
    });

  it("holds a character back until it is whole", () => {
    const stream = new Utf8Stream("part");
    const given = [...Buffer.from("a🚂é")].map((byte) => stream.push(Uint8Array.of(byte)));
    expect(given).toEqual(["a", "", "", "", "🚂", "", "é"]);
  });

  it("holds back what can be no character until one follows", () => {
    const stream = new Utf8Stream("part");
    expect(stream.push(Uint8Array.of(0xc0))).toBe("");
    expect(stream.push(Uint8Array.of(0x61, 0xed, 0xa0))).toBe("");
    expect(stream.holding).toBe(true);
    expect(stream.push(Uint8Array.of(0x62))).toBe("\uFFFDa\uFFFD\uFFFDb");
    expect(stream.holding).toBe(false);
  });

  it.each([
    ["part", "\uFFFD"],
    ["byte", "\uFFFD\uFFFD\uFFFD"],
  ] as const)("replaces by %s what ends in the midst of a character", (replacement, text) => {
    const cut = new Utf8Stream(replacement);
    expect(cut.push(Uint8Array.of(0xf0, 0x9f, 0x9a)) + cut.end()).toBe(text);
  });
});

describe("tiny tokenizers", () => {
  for (const golden of goldens()) {
    const { ours, library } = load(golden.folder);

    it(`${golden.name}: ids and texts of the goldens`, async () => {
      for (const { text, ids, decoded } of golden.texts) {
        expect([...(await ours.encode(text))]).toEqual(ids);
        expect(ours.decode(ids, { skipSpecial: true })).toBe(decoded);
        expect(stream(ours, ids)).toBe(decoded);
      }
      for (const { prompt, prompt_ids } of golden.cases)
        expect([...(await ours.encode(prompt))]).toEqual(prompt_ids);
    });

    it(`${golden.name}: any text comes back as the library gives it`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: "binary", maxLength: 30 }), async (text) => {
          const ids = [...(await ours.encode(text))];
          expect(stream(ours, ids)).toBe(await library.decode(ids, true));
          expect(ours.decode(ids)).toBe(await library.decode(ids, false));
        }),
        { seed: 4, numRuns: 40 },
      );
    });

    it(`${golden.name}: goes on from a prompt as the whole text does`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
          fc.nat(),
          async (text, cut) => {
            const ids = [...(await ours.encode(text))];
            const at = cut % (ids.length + 1);
            const before = ours.decoder({ skipSpecial: true });
            const head = ids
              .slice(0, at)
              .map((id) => before.push(id))
              .join("");
            const tail = stream(ours, ids.slice(at), ids.slice(0, at));
            const whole = stream(ours, ids);
            expect([whole.slice(0, head.length), whole.slice(whole.length - tail.length)]).toEqual([
              head,
              tail,
            ]);
            // What the prompt ends in may be half a character, which then is nobody's.
            if (before.end() === "") expect(head + tail).toBe(whole);
          },
        ),
        { seed: 5, numRuns: 40 },
      );
    });
  }

  it("random ids of a byte-level vocabulary decode as the library decodes them", async () => {
    const golden = goldens().find(({ name }) => name === "qwen2");
    if (!golden) throw new Error("no qwen2");
    const { ours, library } = load(golden.folder);
    const ids = fc.array(fc.nat({ max: 330 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(ids, async (list) => {
        expect(ours.decode(list)).toBe(await library.decode(list, false));
        expect(stream(ours, list)).toBe(await library.decode(list, true));
      }),
      { seed: 6, numRuns: 500 },
    );
    for (const { output_ids, text } of golden.cases) expect(stream(ours, output_ids)).toBe(text);
  });

  it("byte fallback: a run of bytes is replaced byte by byte where it is no text", async () => {
    const golden = goldens().find(({ name }) => name === "mistral");
    if (!golden) throw new Error("no mistral");
    const { ours, library } = load(golden.folder);
    const byte = (value: number): number =>
      ours.id(`<0x${value.toString(16).toUpperCase().padStart(2, "0")}>`) ?? -1;
    const a = ours.id("a") ?? -1;
    const half = [a, byte(0xf0), byte(0x9f), byte(0x9a), a];
    expect(ours.decode(half)).toBe("a\uFFFD\uFFFD\uFFFDa");
    expect(await library.decode(half, false)).toBe("a\uFFFD\uFFFD\uFFFDa");
    // A stream has given the é away when the bad byte comes; the library takes it back.
    const mixed = [byte(0xc3), byte(0xa9), byte(0xff), a];
    expect(ours.decode(mixed)).toBe("é\uFFFDa");
    expect(await library.decode(mixed, false)).toBe("\uFFFD\uFFFD\uFFFDa");
  });

  it("a SentencePiece vocabulary keeps the space after a prompt and drops it at the beginning", async () => {
    const golden = goldens().find(({ name }) => name === "mistral");
    if (!golden) throw new Error("no mistral");
    const { ours } = load(golden.folder);
    const ids = [...(await ours.encode("the train", { addSpecialTokens: false }))];
    expect(stream(ours, ids)).toBe("the train");
    expect(stream(ours, ids, [1])).toBe("the train");
    expect(stream(ours, ids, [1, ...ids])).toBe(" the train");
  });

  it("knows tokens, ids, bytes and what is special", () => {
    const golden = goldens().find(({ name }) => name === "llama");
    if (!golden) throw new Error("no llama");
    const { ours } = load(golden.folder);
    expect(ours.id("<|end|>")).toBe(318);
    expect(ours.token(318)).toBe("<|end|>");
    expect([ours.id("nothing like it"), ours.token(99999)]).toEqual([undefined, undefined]);
    expect([...ours.specialIds]).toEqual([316, 317, 318, 319]);
    const space = ours.id("Ġ") ?? -1;
    expect([...ours.bytes(space)]).toEqual([0x20]);
    expect(ours.bytes(99999).length).toBe(0);
    expect(ours.decode([99999, -1])).toBe("");
  });

  it("refuses half a surrogate pair, which is no character", async () => {
    const golden = goldens().find(({ name }) => name === "llama");
    if (!golden) throw new Error("no llama");
    const { ours } = load(golden.folder);
    await expect(ours.encode("a\ud83db")).rejects.toThrow("has half of a surrogate pair");
    expect(ours.decode(await ours.encode("\ud83d\ude80", { addSpecialTokens: false }))).toBe("🚀");
  });

  it("encodes special tokens in the text, and adds the beginning only when asked", async () => {
    const golden = goldens().find(({ name }) => name === "llama");
    if (!golden) throw new Error("no llama");
    const { ours } = load(golden.folder);
    expect([...(await ours.encode("<|end|>"))]).toEqual([316, 318]);
    expect([...(await ours.encode("<|end|>", { addSpecialTokens: false }))]).toEqual([318]);
  });
});

/** A vocabulary of a few words under some decoder. */
function words(decoder: unknown, vocab: readonly string[]): Tokenizer & { library: Library } {
  const model = {
    type: "WordLevel",
    vocab: Object.fromEntries(vocab.map((word, id) => [word, id])),
    unk_token: vocab[0],
  };
  const text = JSON.stringify({ version: "1.0", added_tokens: [], decoder, model });
  const ours = readTokenizer(text, "t.json");
  return Object.assign(ours, { library: Library.fromString(text) });
}

describe("decoders", () => {
  const kinds: readonly (readonly [string, unknown, readonly string[]])[] = [
    ["none", null, ["a", "b", "##c"]],
    [
      "WordPiece",
      { type: "WordPiece", prefix: "##", cleanup: true },
      ["a", "##b", ".", "n't", "'"],
    ],
    ["WordPiece plain", { type: "WordPiece", prefix: "##", cleanup: false }, ["a", "##b", "."]],
    [
      "Metaspace",
      { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
      ["▁a", "b", "▁▁"],
    ],
    [
      "Metaspace never",
      { type: "Metaspace", replacement: "▁", prepend_scheme: "never", split: true },
      ["▁a", "b", "▁"],
    ],
    ["Metaspace old", { type: "Metaspace", replacement: "▁", add_prefix_space: true }, ["▁a", "b"]],
    [
      "ByteLevel",
      { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
      ["Ġa", "ð", "Ł", "日"],
    ],
    [
      "Strip in the token",
      {
        type: "Sequence",
        decoders: [{ type: "Strip", content: "_", start: 1, stop: 1 }, { type: "Fuse" }],
      },
      ["_a_", "__b", "c"],
    ],
    [
      "Strip after Fuse",
      {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: "▁" }, content: " " },
          { type: "Fuse" },
          { type: "Strip", content: " ", start: 2, stop: 0 },
        ],
      },
      ["▁", "a▁", "▁▁b"],
    ],
  ];
  for (const [name, decoder, vocab] of kinds)
    it(`${name}: as the library`, async () => {
      const tokenizer = words(decoder, vocab);
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.nat({ max: vocab.length - 1 }), { maxLength: 6 }),
          async (ids) => {
            expect(tokenizer.decode(ids)).toBe(await tokenizer.library.decode(ids, false));
          },
        ),
        { seed: 7, numRuns: 200 },
      );
    });

  it("refuses what cannot be streamed, by name", () => {
    expect(() => words({ type: "CTC" }, ["a"])).toThrow(/t\.json: decoder "CTC" is not supported/);
    const strip = { type: "Strip", content: " ", start: 0, stop: 1 };
    expect(() => words({ type: "Sequence", decoders: [{ type: "Fuse" }, strip] }, ["a"])).toThrow(
      /"decoder\.decoders\.1\.stop" must be 0 after Fuse.* found 1/,
    );
  });
});
