/** The trie of a vocabulary, whose walk visits what begins with a text and nothing else; and the masks that are read off it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Automaton } from "../../../server/grammar/automaton.ts";
import { SequenceBudget } from "../../../server/grammar/budget.ts";
import { CompiledGrammar } from "../../../server/grammar/constraint.ts";
import { parseRegex } from "../../../server/grammar/regex.ts";
import { layOut, tokenTexts, Vocabulary } from "../../../server/grammar/vocabulary.ts";

const bytes = new TextEncoder();

it("a node's subtree ends where its depth comes again, and every text has its node", () => {
  const texts = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c", "é"), maxLength: 6 }), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(texts, (words) => {
      const all = words.map((word) => bytes.encode(word));
      const { longest, trie: data } = layOut(
        tokenTexts(all.length, (id) => all[id] ?? new Uint8Array()),
      );
      const nodes = data.byte.length;
      const path: number[] = [];
      const found = new Map<string, number>();
      for (let node = 0; node < nodes; node++) {
        const depth = data.depth[node] ?? 0;
        let end = node + 1;
        while (end < nodes && (data.depth[end] ?? 0) > depth) end++;
        expect(data.end[node]).toBe(end);
        const beneath = data.depth.slice(node, end);
        expect(data.below[node]).toBe(Math.max(...beneath) - depth);
        if (depth > 0) path.splice(depth - 1, path.length, data.byte[node] ?? 0);
        found.set(path.slice(0, depth).join(), data.here[node] ?? 0);
      }
      const counts = new Map<string, number>();
      for (const text of all) {
        if (text.length > 0) counts.set(text.join(), (counts.get(text.join()) ?? 0) + 1);
      }
      // As many tokens end at a node as have its text; those of prefixes alone have none.
      for (const [text, here] of found) expect(here).toBe(counts.get(text) ?? 0);
      for (const text of counts.keys()) expect(found.has(text)).toBe(true);
      expect(longest).toBe(Math.max(0, ...all.map(({ length }) => length)));
    }),
  );
});

describe("a mask", () => {
  const words = [
    ...[
      "a",
      "ab",
      "abc",
      "a b",
      "é",
      "日本語",
      "🙂",
      '"',
      'a"',
      '"a',
      "\\",
      "\n",
      "a\nb",
      ",",
      '",',
    ],
    ...[
      "x".repeat(7),
      "x".repeat(15),
      "é".repeat(12),
      "y".repeat(31),
      "z".repeat(40),
      " ",
      "  ",
      "0",
      "12",
    ],
  ].map((word) => bytes.encode(word));
  const parts = [[0xc3], [0xa9], [0xe6, 0x97], [0xe2, 0x80, 0xa8], [0xf0, 0x9f]].map((part) =>
    Uint8Array.from(part),
  );
  const vocabulary = Vocabulary.of([...words, ...parts]);

  it.each([
    ...["[\\s\\S]*", ".*", "[^\\n]{0,20}", "[a-z]{3,9}", "(?:.|\\n){8}", "x{0,33}", "(?:é|x)+,"],
    ...['[^"]{0,12}"', "\\d{1,2}", "(?:a|ab|abc)+", "(?:[a-z]+ ?){1,200}"],
  ])("allows just the tokens that the grammar takes: %s", (source) => {
    const grammar = new CompiledGrammar(parseRegex(source), vocabulary);
    const { automaton } = grammar;
    for (const begun of ["", "a", "xx", "é"]) {
      const state = automaton.run(automaton.start, bytes.encode(begun));
      if (state === undefined) continue;
      const mask = grammar.mask(state, new SequenceBudget());
      for (let id = 0; id < vocabulary.size; id++) {
        const taken = automaton.run(state, vocabulary.bytes(id)) !== undefined;
        const allowed = (((mask[id >> 5] ?? 0) >>> (id & 31)) & 1) === 1;
        expect([begun, id, allowed]).toEqual([begun, id, taken]);
      }
    }
  });

  it("of open text looks at the tokens that are not plain alone", () => {
    const grammar = new CompiledGrammar(parseRegex('[^"]*'), vocabulary);
    grammar.mask(grammar.automaton.start, new SequenceBudget());
    const all = new CompiledGrammar(parseRegex("[a-zé 日本語🙂]*"), vocabulary);
    all.mask(all.automaton.start, new SequenceBudget());
    expect(grammar.scanned).toBeLessThan(all.scanned / 2);
  });

  it("of counts that others cover keeps only those", () => {
    const automaton = new Automaton(parseRegex("(?:[a-z]+ ?){1,200}"));
    const state = automaton.run(automaton.start, bytes.encode("abcdefghijklm"));
    expect(state?.leaves.length).toBeLessThan(8);
  });
});
