import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { Automaton } from "../../../server/grammar/automaton.ts";
import { GrammarBuilder } from "../../../server/grammar/builder.ts";
import { CompiledGrammar, GrammarConstraint } from "../../../server/grammar/constraint.ts";
import { parseEbnf } from "../../../server/grammar/ebnf.ts";
import type { Node } from "../../../server/grammar/grammar.ts";
import { intersect } from "../../../server/grammar/intersect.ts";
import { parseRegex } from "../../../server/grammar/regex.ts";
import { buildGrammar } from "../../../server/grammar/spec.ts";
import { layOutGrammar } from "../../../server/grammar/table.ts";
import { ThinkingConstraint } from "../../../server/grammar/thinking.ts";
import { Vocabulary } from "../../../server/grammar/vocabulary.ts";

const encoder = new TextEncoder();
/** Ids 0 to 255 are bytes, then some longer tokens; the last ends an output. */
const WORDS = ["ab", "abc", "abcd", '{"', '":', "true", "  ", "é", "🙂", "aaaaaaaa", '"}', "x-y"];
const VOCABULARY = Vocabulary.of([
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...WORDS.map((word) => encoder.encode(word)),
  new Uint8Array(0),
]);
const END = VOCABULARY.size - 1;

const constrain = (node: Node) =>
  new GrammarConstraint(new CompiledGrammar(node, VOCABULARY), [END]);

function allowed(constraint: { mask(mask: Int32Array): boolean }): number[] | undefined {
  const mask = new Int32Array(Math.ceil(VOCABULARY.size / 32));
  if (!constraint.mask(mask)) return undefined;
  return Array.from({ length: VOCABULARY.size }, (_, id) => id).filter(
    (id) => (((mask[id >> 5] ?? 0) >>> (id & 31)) & 1) === 1,
  );
}

const GRAMMARS: readonly Node[] = [
  parseEbnf('root ::= "a" root? "b" | "x-y"'),
  parseEbnf('root ::= [^"\\\\]{0,3} ("ab" | "abc")* # tail'),
  parseRegex("(a|ab|abc)*d?"),
  parseRegex(".{2,400}"),
  buildGrammar({
    kind: "json",
    schema: { properties: { a: { type: "string", maxLength: 5 }, b: { enum: [true, "é🙂"] } } },
    compact: false,
  }),
  buildGrammar({ kind: "choice", options: ["abcd", "abc", "", "é"] }),
];

describe("a mask", () => {
  it.each(GRAMMARS.map((grammar, i) => [i, grammar] as const))(
    "allows exactly the ids that are then accepted (grammar %i)",
    (_, grammar) => {
      fc.assert(
        fc.property(fc.array(fc.nat(), { maxLength: 12 }), (choices) => {
          const constraint = constrain(grammar);
          for (const choice of choices) {
            const ids = allowed(constraint) ?? [];
            const id = ids[choice % Math.max(1, ids.length)];
            if (id === undefined) throw new Error("Nothing is allowed.");
            // Each id, tried and taken back.
            for (let other = 0; other < VOCABULARY.size; other += 7) {
              expect(constraint.accept(other)).toBe(ids.includes(other));
              constraint.rollback(1);
            }
            expect(allowed(constraint)).toEqual(ids);
            expect(constraint.accept(id)).toBe(true);
            if (id === END) return;
          }
        }),
        { numRuns: 25, seed: 5 },
      );
    },
  );

  it("leaves only the end when the text is complete", () => {
    const constraint = constrain(parseEbnf('root ::= "ab"'));
    expect(allowed(constraint)).toEqual([97, 256]);
    constraint.accept(256);
    expect(constraint.complete).toBe(true);
    expect(allowed(constraint)).toEqual([END]);
    constraint.accept(END);
    expect(allowed(constraint)).toEqual([END]);
    constraint.rollback(2);
    expect(allowed(constraint)).toEqual([97, 256]);
  });

  it("allows nothing after an id that was refused, until it is taken back", () => {
    const constraint = constrain(parseEbnf('root ::= "ab"'));
    expect(constraint.accept(120)).toBe(false);
    expect(allowed(constraint)).toEqual([]);
    constraint.rollback(1);
    expect(allowed(constraint)).toEqual([97, 256]);
  });
});

describe("EBNF", () => {
  const run = (source: string) => new Automaton(parseEbnf(source));

  it("knows repeats, classes, escapes, comments and rules over several lines", () => {
    const date = run('root ::= year "-" [0-9]{2} # day\nyear ::= [12]\n  [0-9]{3}\n  | "x"+');
    expect(date.accepts("2026-11")).toBe(true);
    expect(date.accepts("xxx-11")).toBe(true);
    expect(date.accepts("3026-11")).toBe(false);
    expect(run('root ::= "\\x41\\u00e9\\n" [\\]\\-a]').accepts("Aé\n]")).toBe(true);
    expect(run("root ::= [^a-z]").accepts("é")).toBe(true);
    expect(run("root ::= [ぁ-ん]+").accepts("ねこ")).toBe(true);
  });

  it.each([
    ["root ::= root", "no finite text"],
    ['root ::= other "a" | "b"\nother ::= root', "refers to itself"],
    ['root ::= "a" root', "no finite text"],
    ["root ::= nothing", '"nothing" is not defined'],
    ['root ::= "a', "never closed"],
    ['start ::= "a"', 'no rule "root"'],
    ['root ::= ("a"', "never closed"],
    ["root ::= [z-a]", "reversed"],
    ['root ::= "a"{3,1}', "out of range"],
    ["[a-z]: b", 'unexpected ":"'],
  ])("refuses %j", (source, reason) => {
    expect(() => run(source)).toThrow(reason);
  });
});

describe("regular expressions", () => {
  const SAMPLES = [
    "^a|b$",
    "(?:ab){2}",
    "[^\\d\\s]+",
    "a{2,}b?",
    "\\w+@\\w+\\.com",
    "x|",
    "[a\\-z]",
    "\\u00e9+",
    "a.c",
    "colou?r",
    "[]]x",
    "(?<y>[0-9]{1,3})-\\k",
  ];
  const TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "abab",
    "aab",
    "aaa",
    "x",
    "é",
    "éé",
    "a.c",
    "a\nc",
    "abc",
    "color",
    "colour",
    "me@x.com",
    "-",
    "z",
    "ax",
    "7",
    "a b",
  ];

  it.each(SAMPLES.slice(0, 10))("%s accepts what JavaScript accepts", (pattern) => {
    const automaton = new Automaton(parseRegex(pattern, { search: true }));
    const expected = new RegExp(pattern, "u".replace("u", pattern.includes("\\-") ? "" : "u"));
    for (const text of TEXTS)
      expect([text, automaton.accepts(text)]).toEqual([text, expected.test(text)]);
  });

  it("intersects", () => {
    const automaton = new Automaton(intersect(parseRegex("[ab]*a"), parseRegex("a{0,2}b?a?")));
    const accepted = ["", "a", "aa", "ba", "aba", "b", "aaa", "aaba", "abab"].filter((text) =>
      automaton.accepts(text),
    );
    expect(accepted).toEqual(["a", "aa", "ba", "aba", "aaa", "aaba"]);
  });
});

describe("structural tags", () => {
  const tag = {
    begin: "<f=",
    content: { type: "json_schema", json_schema: { type: "integer" } },
    end: ">",
  };

  it("leave text free and hold tags", () => {
    const root = buildGrammar({
      kind: "tag",
      tag: {
        type: "structural_tag",
        format: { type: "triggered_tags", triggers: ["<f"], tags: [tag] },
      },
      compact: true,
    });
    const automaton = new Automaton(root);
    for (const text of ["", "hello", "a <f=7> b", "<<f=7><f=8>", "1 < 2"])
      expect([text, automaton.accepts(text)]).toEqual([text, true]);
    for (const text of ["<f", "<f=x>", "a <f=7", "<fg"])
      expect([text, automaton.accepts(text)]).toEqual([text, false]);
  });

  it("take the older form, and say what is wrong", () => {
    const legacy = {
      structures: [{ begin: "<f=", schema: { type: "null" }, end: "/>" }],
      triggers: ["<f="],
    };
    const automaton = new Automaton(buildGrammar({ kind: "tag", tag: legacy, compact: true }));
    expect(automaton.accepts("x<f=null/>y")).toBe(true);
    expect(automaton.accepts("x<f=1/>y")).toBe(false);
    expect(() =>
      buildGrammar({ kind: "tag", tag: { format: { type: "dance" } }, compact: true }),
    ).toThrow("dance");
  });
});

describe("thinking", () => {
  const inner = () => constrain(parseEbnf('root ::= "ab"'));

  it("lets the grammar wait for the end of the reasoning, and takes it back", () => {
    const constraint = new ThinkingConstraint({ endIds: [60, 62], inner: inner() });
    expect(allowed(constraint)).toBeUndefined();
    for (const id of [1, 60, 62]) constraint.accept(id);
    expect(allowed(constraint)).toEqual([97, 256]);
    constraint.accept(97);
    constraint.rollback(2);
    expect(allowed(constraint)).toBeUndefined();
    constraint.accept(62);
    expect(allowed(constraint)).toEqual([97, 256]);
  });

  it("ends the reasoning at its budget", () => {
    const constraint = new ThinkingConstraint({ endIds: [60, 62], budget: 2 });
    for (const id of [1, 60]) constraint.accept(id);
    expect(allowed(constraint)).toEqual([62]);
    constraint.accept(62);
    expect(allowed(constraint)).toBeUndefined();
  });
});

it("crosses threads unchanged", () => {
  for (const grammar of GRAMMARS) {
    const copy = new Automaton(structuredClone(layOutGrammar(grammar)));
    const original = new Automaton(grammar);
    for (const text of ["", "ab", "aabb", "x-y", "abcd", '{"a": "ab"}', '{"b": true}', "é"])
      expect(copy.accepts(text)).toBe(original.accepts(text));
  }
});

describe("the builder", () => {
  const words = () => VOCABULARY.data.words;
  const builder = new GrammarBuilder(words, { timeLimitMs: 400, maxWaiting: 4 });
  afterAll(() => builder.close());

  it("refuses what takes too long, replaces its thread and goes on", async () => {
    const slow = {
      kind: "json",
      schema: {
        type: "string",
        allOf: Array.from({ length: 4 }, (_, i) => ({ pattern: `(a|b)*a(a|b){1${i}}c` })),
      },
      compact: false,
    } as const;
    await expect(builder.build(slow)).rejects.toThrow(/longer than|too large|ambiguous/);
    const { automaton } = await builder.build({ kind: "choice", options: ["yes", "no"] });
    expect(automaton.accepts("yes")).toBe(true);
    await expect(builder.build({ kind: "regex", pattern: "(" })).rejects.toThrow("never closed");
  });

  it("turns away more than may wait", async () => {
    const jobs = Array.from({ length: 8 }, () => builder.build({ kind: "choice", options: ["a"] }));
    const settled = await Promise.allSettled(jobs);
    expect(settled.filter((one) => one.status === "rejected").length).toBeGreaterThan(0);
    expect(settled[0]?.status).toBe("fulfilled");
  });
});
