import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bodyLimits } from "../../../server/http/body.ts";
import { type JsonLimits, JsonMeter } from "../../../server/http/json-meter.ts";

const FREE: JsonLimits = {
  depth: Number.POSITIVE_INFINITY,
  values: Number.POSITIVE_INFINITY,
  keys: Number.POSITIVE_INFINITY,
};

interface Counts {
  depth: number;
  values: number;
  keys: number;
}

/** By walking what was parsed. */
function count(value: unknown, depth = 0): Counts {
  const inside = typeof value === "object" && value !== null ? Object.values(value) : undefined;
  const counts = { depth, values: 1, keys: 0 };
  if (inside === undefined) return counts;
  counts.depth = depth + 1;
  if (!Array.isArray(value)) counts.keys += inside.length;
  for (const each of inside) {
    const its = count(each, depth + 1);
    counts.depth = Math.max(counts.depth, its.depth);
    counts.values += its.values;
    counts.keys += its.keys;
  }
  return counts;
}

/** What the meter says of a text that comes in pieces of these lengths. */
function read(
  text: string,
  limits: JsonLimits,
  lengths: readonly number[] = [],
): string | undefined {
  const meter = new JsonMeter(limits);
  const bytes = Buffer.from(text);
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const length =
      lengths.length === 0 ? bytes.length : Math.max(1, lengths[i % lengths.length] ?? 1);
    const over = meter.read(bytes.subarray(at, at + length));
    if (over !== undefined) return over;
    at += length;
  }
  return undefined;
}

describe("what a JSON text is made of", () => {
  const nasty = fc.constantFrom('"', "\\", '\\"', "[{,:}]", "é🙂", "\\\\", "\u0000", "");
  const texts = fc.oneof(
    fc.string(),
    nasty,
    fc.array(nasty).map((parts) => parts.join("")),
  );
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      texts,
      fc.integer(),
      fc.constant(null),
      fc.array(tie("value"), { maxLength: 5 }),
      fc.dictionary(texts, tie("value"), { maxKeys: 5 }),
    ),
  }));
  const splits = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

  it("is counted from its bytes, however they arrive", () => {
    fc.assert(
      fc.property(value, splits, fc.constantFrom(undefined, 1), (given, lengths, indent) => {
        const text = JSON.stringify(given, undefined, indent);
        const counts = count(given);
        // Values are counted by commas and brackets: as many, and one more for each that holds any.
        const most = { ...counts, values: 2 * counts.values };
        expect(read(text, most, lengths)).toBeUndefined();
        if (counts.depth > 0) {
          expect(read(text, { ...FREE, depth: counts.depth - 1 }, lengths)).toContain(
            "nests deeper",
          );
        }
        if (counts.keys > 0) {
          expect(read(text, { ...FREE, keys: counts.keys - 1 }, lengths)).toContain("keys");
        }
        if (counts.values > 1) {
          const few = Math.ceil(counts.values / 2) - 1;
          expect(read(text, { ...FREE, values: few }, lengths)).toContain("values");
        }
      }),
      { seed: 12, numRuns: 400 },
    );
  });

  it.each([
    ["[".repeat(5_000_000), "1000 levels"],
    [`{"a":${'{"a":'.repeat(2_000)}`, "1000 levels"],
    [`${"[".repeat(900)}${"]".repeat(900)}${'[{"a":'.repeat(700)}`, "1000 levels"],
    [`[${"1,".repeat(3_000_000)}1]`, "values"],
    [`[${"[],".repeat(700_000)}1]`, "values"],
    [`{${'"a":1,'.repeat(400_000)}"b":1}`, "keys"],
    [`{"messages":[${'{"role":"user","content":"x"},'.repeat(60_000)}{}]}`, "keys"],
  ])("stops as soon as a limit is passed (%#)", (text, says) => {
    const limits = bodyLimits(32 * 2 ** 20, { maxModelLen: 8192, vocabSize: 128_256 });
    expect(read(text, limits, [65_536])).toContain(says);
  });

  it("what a model can use passes", () => {
    const limits = bodyLimits(32 * 2 ** 20, { maxModelLen: 131_072, vocabSize: 128_256 });
    const ids = JSON.stringify({ prompt: Array.from({ length: 4 }, () => Array(100_000).fill(7)) });
    expect(read(ids, limits)).toBeUndefined();
    const said = { role: "user", content: "[{,:}]".repeat(10) };
    expect(read(JSON.stringify({ messages: Array(5_000).fill(said) }), limits)).toBeUndefined();
  });

  it("limits follow the model", () => {
    const small = bodyLimits(1, { maxModelLen: 512, vocabSize: 512 });
    const texts = bodyLimits(1, { maxModelLen: 512, vocabSize: 512, texts: 4096 });
    expect([small, texts].map(({ lists }) => lists["input"])).toEqual([512, 4096]);
    const short = bodyLimits(1, { maxModelLen: 48, vocabSize: 512, texts: 4096 });
    expect(short.values).toBeGreaterThan(4096 * 48); // all texts at their longest
    const large = bodyLimits(1, { maxModelLen: 1_000_000, vocabSize: 200_000 });
    expect(small.values).toBeLessThan(large.values);
    expect(small.keys).toBeLessThan(large.keys);
    expect(large.values).toBeLessThanOrEqual(1_000_000);
    expect(small.lists["messages"]).toBe(512);
    expect(small.lists["tools"]).toBe(64);
  });
});
