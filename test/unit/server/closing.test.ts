import { describe, expect, it } from "vitest";
import { ClosingConstraint, waysOut } from "../../../server/grammar/closing.ts";
import { CompiledGrammar, GrammarConstraint } from "../../../server/grammar/constraint.ts";
import { buildGrammar, type GrammarSpec } from "../../../server/grammar/spec.ts";
import { Vocabulary } from "../../../server/grammar/vocabulary.ts";

/** Ids 0 to 255 are bytes, then some longer tokens; the last ends an output. */
const WORDS = ['"}', "}}", '": ', "ab", '",', "\n\n"];
const VOCABULARY = Vocabulary.of([
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...WORDS.map((word) => new TextEncoder().encode(word)),
  new Uint8Array(0),
]);
const END = VOCABULARY.size - 1;
const WAYS = waysOut(VOCABULARY, [END]);

/** A writer that never ends by itself: of what is allowed it takes a letter, else what comes last. */
function chatter(
  spec: GrammarSpec,
  after: number,
): { readonly text: string; readonly ids: number } {
  const grammar = new CompiledGrammar(buildGrammar(spec), VOCABULARY);
  const constraint = new ClosingConstraint(new GrammarConstraint(grammar, [END]), WAYS, after);
  const mask = new Int32Array((VOCABULARY.size + 31) >> 5);
  const bytes: number[] = [];
  for (let count = 0; count < 400; count++) {
    constraint.mask(mask);
    const allowed = Array.from({ length: VOCABULARY.size }, (_, id) => id).filter(
      (id) => ((mask[id >> 5] ?? 0) >>> (id & 31)) & 1,
    );
    const id =
      ["a", '"', "{", "[", ","]
        .map((one) => one.charCodeAt(0))
        .find((one) => allowed.includes(one)) ??
      allowed.at(-1) ??
      END;
    if (id === END) return { text: Buffer.from(bytes).toString(), ids: count };
    bytes.push(...VOCABULARY.bytes(id));
    expect(constraint.accept(id)).toBe(true);
  }
  throw new Error("It never ended.");
}

describe("after so many ids a grammar takes the shortest way out", () => {
  const text = { type: "string" };
  const cases: readonly GrammarSpec[] = [
    { kind: "object", compact: false },
    { kind: "json", schema: { type: "object" }, compact: false },
    {
      kind: "json",
      schema: {
        type: "object",
        properties: { a: text, b: { type: "array", items: text }, n: { type: "number" } },
        required: ["a", "b", "n"],
      },
      compact: false,
    },
    {
      kind: "json",
      schema: { type: "array", items: { type: "array" }, minItems: 3 },
      compact: false,
    },
    { kind: "json", schema: { type: "string", minLength: 40 }, compact: false },
    { kind: "json", schema: {}, compact: true },
    { kind: "regex", pattern: "(a|b)*" },
    {
      kind: "tools",
      tools: [
        { name: "f", parameters: { type: "object", properties: { q: text }, required: ["q"] } },
      ],
      format: "hermes",
      required: true,
    },
    {
      kind: "tools",
      tools: [{ name: "f", parameters: { type: "object" } }],
      format: "list",
      required: true,
    },
  ];
  for (const spec of cases)
    it(JSON.stringify(spec).slice(0, 100), () => {
      const { text: written, ids } = chatter(spec, 30);
      expect(ids).toBeLessThan(200);
      if (spec.kind === "json" || spec.kind === "object") JSON.parse(written);
    });

  it("and not before", () => {
    expect(chatter({ kind: "json", schema: text, compact: true }, 100).ids).toBe(101);
  });
});
