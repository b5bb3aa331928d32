/** Grammars that grow out of hand: refused by what they count, never by the clock. */
import { describe, expect, it } from "vitest";
import { Automaton } from "../../../server/grammar/automaton.ts";
import {
  ALL_BYTES,
  CROWDED_MASK_WORK,
  GRAMMAR_BYTES,
  MASK_WORK,
  SEQUENCE_WORK,
  SequenceBudget,
  ThreadBudget,
  TURN_WORK,
} from "../../../server/grammar/budget.ts";
import { CompiledGrammar, GrammarConstraint } from "../../../server/grammar/constraint.ts";
import { GrammarError, type Node } from "../../../server/grammar/grammar.ts";
import { KeptGrammars } from "../../../server/grammar/kept.ts";
import { parseRegex } from "../../../server/grammar/regex.ts";
import { buildGrammar } from "../../../server/grammar/spec.ts";
import { layOutGrammar } from "../../../server/grammar/table.ts";
import { firstMask, walkBytes, walkTokens } from "../../../server/grammar/try-out.ts";
import { Vocabulary } from "../../../server/grammar/vocabulary.ts";

const LETTERS = [..."abcdefghijklmnopqrstuvwxyz"];
const encoder = new TextEncoder();
/** Every byte, and every word of two to four of the first eight letters. */
const FEW = LETTERS.slice(0, 8);
const longer = (words: readonly string[]) => words.flatMap((word) => FEW.map((one) => word + one));
const pairs = longer(FEW);
const triples = longer(pairs);
const VOCABULARY = Vocabulary.of([
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...[...pairs, ...triples, ...longer(triples)].map((word) => encoder.encode(word)),
  new Uint8Array(0),
]);
const END = VOCABULARY.size - 1;
const WORDS = (VOCABULARY.size + 31) >> 5;

function admit(root: Node): void {
  const grammar = layOutGrammar(root);
  walkBytes(grammar);
  firstMask(grammar, VOCABULARY);
  walkTokens(grammar, VOCABULARY);
}

const regex = (pattern: string): [string, Node] => [pattern, parseRegex(pattern)];
const json = (schema: object): [string, Node] => [
  JSON.stringify(schema),
  buildGrammar({ kind: "json", schema: schema as never, compact: false }), // a schema
];

const ebnf = (text: string): [string, Node] => [text, buildGrammar({ kind: "grammar", text })];

/** Each letter is remembered for as long as a token lasts, by so many ways: the same count on every machine. */
const blowUp = (places: number, copies = 20): string => {
  const ways = Array.from({ length: copies }, (_, i) => `[^z]{2}[${LETTERS[i]}Q]`).join("|");
  return `[^z]*(${LETTERS.slice(0, places)
    .map((letter) => `${letter}(${ways})`)
    .join("|")})Q`;
};

describe("a grammar that grows out of hand", () => {
  it.each([regex(blowUp(8)), regex(blowUp(20, 26))])("is not let in: %s", (_, root) => {
    expect(() => admit(root)).toThrow(GrammarError);
  });

  it.each([
    regex(blowUp(4)),
    regex("(.{0,60}a.{0,60}){10}"),
    regex("[\\s\\S]*(a[^b]{200}|b[^c]{200}|c[^a]{300}|[a-f][^d]{240})!"),
    regex("((a|b|c)[\\w]{0,300}(a|d)[\\w]{0,300}){20}"),
    ebnf('root ::= any* ("a" any{270} | [b-e] any{280}) "Q"\nany ::= [^Q]'),
    ebnf('root ::= (one one)*\none ::= [a-h]? [a-h]? [a-h]? ("a" | "b" [a-h]{0,200})?'),
    json({ type: "string", pattern: "^(.{0,200}a.{0,200}b.{0,200}c){9}$" }),
  ])("takes bounded work and memory at every id, or is refused: %s", (_, root) => {
    const thread = new ThreadBudget(() => {});
    const grammar = new CompiledGrammar(root, VOCABULARY, thread);
    const constraint = new GrammarConstraint(grammar, [END]);
    const mask = new Int32Array(WORDS);
    for (let step = 0; step < 60 && constraint.failure === undefined; step++) {
      const before = grammar.automaton.work;
      constraint.mask(mask);
      constraint.accept(A + (step % 8));
      expect(grammar.automaton.work - before).toBeLessThan(2 * MASK_WORK + 50_000);
      expect(thread.bytes).toBeLessThan(2 * GRAMMAR_BYTES);
    }
  });

  it.each([
    regex(".*?foo.*?bar"),
    regex("(\\w+ ){5,20}\\w+\\."),
    regex("[\\w\\s]{10,500}"),
    regex("\\+?[0-9 ()-]{7,20}"),
    json({ type: "string", maxLength: 4_000 }),
    json({ type: "string", format: "email" }),
    json({ properties: { a: { type: "array", items: { type: "string" } }, b: {} } }),
  ])("harmless ones are let in: %s", (_, root) => {
    expect(() => admit(root)).not.toThrow();
  });
});

/** Harmless for so many letters, then not at all. */
const late = (letters: number): Node => parseRegex(`x{${letters}}${blowUp(20)}`);
const X = 120;
const A = 97;

describe("a budget that is spent while an answer is generated", () => {
  const run = (root: Node, ids: number, thread = new ThreadBudget(() => {})) => {
    const grammar = new CompiledGrammar(root, VOCABULARY, thread);
    const constraint = new GrammarConstraint(
      grammar,
      [END],
      (error) => new Error(`told: ${error.message}`),
    );
    const mask = new Int32Array(WORDS);
    let taken = 0;
    for (; taken < ids && constraint.failure === undefined; taken++) {
      constraint.mask(mask);
      constraint.accept(taken < 200 ? X : A + (taken % 9));
    }
    constraint.mask(mask);
    return { grammar, constraint, mask, taken };
  };

  it("allows nothing more, and says why", () => {
    const { constraint, mask, taken } = run(late(200), 400);
    expect(taken).toBeGreaterThan(200);
    expect(constraint.failure?.message).toContain("told: it needs too much work");
    expect(mask.every((word) => word === 0)).toBe(true);
    expect(constraint.accept(A)).toBe(false);
  });

  it("is let in, since it is harmless as far as it is tried", () => {
    expect(() => admit(late(200))).not.toThrow();
  });

  it("takes no more of the thread than one mask may", () => {
    const { grammar } = run(late(0), 1);
    expect(grammar.automaton.work).toBeLessThan(2 * MASK_WORK);
  });

  it("of many at once, one turn of the event loop takes a bounded part", () => {
    let turned = 0;
    const thread = new ThreadBudget(() => turned++);
    const count = 20;
    const grammars = Array.from({ length: count }, (_, i) => run(late(i % 3), 4, thread).grammar);
    const work = grammars.reduce((sum, { automaton }) => sum + automaton.work, 0);
    expect(turned).toBe(1);
    expect(work).toBeLessThan(TURN_WORK + MASK_WORK + count * 4 * CROWDED_MASK_WORK);
  });

  it("comes back when the event loop turns", () => {
    const turns: (() => void)[] = [];
    const thread = new ThreadBudget((done) => turns.push(done));
    thread.spend(TURN_WORK + 1);
    expect(thread.mask).toBe(CROWDED_MASK_WORK);
    turns[0]?.();
    expect(thread.mask).toBe(MASK_WORK);
  });

  it("one sequence spends no more than its own, however long it runs", () => {
    const budget = new SequenceBudget();
    const masks = (): void => {
      for (let i = 0; i < (4 * SEQUENCE_WORK) / MASK_WORK; i++) {
        budget.earn();
        budget.spend(MASK_WORK / 2);
      }
    };
    expect(masks).toThrow("too much work for one answer");
  });
});

/** How many objects hang on one. */
function objectsFrom(root: object): number {
  const seen = new Set<object>([root]);
  for (const one of seen) {
    for (const value of Object.values(one))
      if (typeof value === "object" && value !== null) seen.add(value);
  }
  return seen.size;
}

describe("memory", () => {
  it("of all grammars together is bounded, and those that gave theirs back go on", () => {
    const thread = new ThreadBudget(() => {}, 2 ** 20);
    const mask = new Int32Array(WORDS);
    const constraints = Array.from({ length: 60 }, (_, i) => {
      const root = parseRegex(`(\\w{0,${i + 4}}[a-${LETTERS[i % 26]}]){2}`);
      return new GrammarConstraint(new CompiledGrammar(root, VOCABULARY, thread), [END]);
    });
    for (let step = 0; step < 3; step++) {
      for (const constraint of constraints) {
        constraint.mask(mask);
        expect(constraint.failure).toBeUndefined();
        expect(constraint.accept(A)).toBe(true);
        expect(thread.bytes).toBeLessThan(2 ** 20 + GRAMMAR_BYTES);
      }
    }
    expect(thread.bytes).toBeLessThan(2 ** 21);
    expect(ALL_BYTES).toBeLessThan(128 * 2 ** 20);
  });

  it("of a grammar counts the table it was built as, which it keeps", () => {
    const words = Array.from({ length: 3_000 }, (_, i) => (i * 7919).toString(36));
    const thread = new ThreadBudget(() => {});
    const grammar = new CompiledGrammar(
      buildGrammar({ kind: "choice", options: words }),
      VOCABULARY,
      thread,
    );
    const constraint = new GrammarConstraint(grammar, [END]);
    constraint.mask(new Int32Array(WORDS));
    expect(grammar.tableBytes).toBeGreaterThan(3_000 * 8);
    expect(thread.bytes).toBe(grammar.bytes);
    grammar.forget();
    expect(grammar.bytes).toBeGreaterThan(grammar.tableBytes);
    expect(grammar.bytes).toBeLessThan(grammar.tableBytes + 2 ** 16);
  });

  it("of states that nothing uses is let go, whatever followed a state in use", () => {
    const automaton = new Automaton(parseRegex("(.{0,3000}a.{0,3000}){4}"));
    const used = automaton.start;
    let state = used;
    for (let i = 0; i < 1_000; i++) state = automaton.step(state, A + 1) ?? used;
    const before = objectsFrom(used);
    automaton.forget();
    expect(before).toBeGreaterThan(2_000);
    expect(objectsFrom(used)).toBeLessThan(50);
    expect(automaton.run(used, encoder.encode("ba"))?.leaves.length).toBeGreaterThan(0);
  });

  it("is about what the tables weigh", () => {
    const automaton = new Automaton(parseRegex("(.{0,30000}a.{0,30000}){4}"));
    const before = process.memoryUsage().heapUsed;
    let state = automaton.start;
    for (let i = 0; i < 12_000; i++)
      state = automaton.step(state, i % 700 === 0 ? A : A + 1) ?? automaton.start;
    const grown = process.memoryUsage().heapUsed - before;
    expect(automaton.bytes).toBeGreaterThan(0.2 * grown);
  });
});

describe("grammars that are kept", () => {
  const built = (options: readonly string[]) =>
    new CompiledGrammar(buildGrammar({ kind: "choice", options }), VOCABULARY);
  const none = () => Promise.reject(new Error("built again"));

  it("are those last used, as many as may be", async () => {
    const kept = new KeptGrammars({ grammars: 2, tableBytes: 2 ** 20 });
    for (const name of ["a", "b"]) await kept.get(name, async () => built([name]));
    const first = await kept.get("a", none);
    await kept.get("c", async () => built(["c"]));
    expect(await kept.get("a", none)).toBe(first);
    await expect(kept.get("b", none)).rejects.toThrow("built again");
  });

  it("are fewer where their tables are large, but always the last", async () => {
    const words = (letter: string) =>
      Array.from({ length: 1_000 }, (_, i) => letter + (i * 7919).toString(36));
    const { tableBytes } = built(words("a"));
    const kept = new KeptGrammars({ grammars: 32, tableBytes: 2.5 * tableBytes });
    for (const name of ["a", "b", "c"]) await kept.get(name, async () => built(words(name)));
    expect(kept.size).toBe(2);
    await kept.get("d", async () => built(["a", "b", "c", "d", "e", "f"].flatMap(words)));
    expect(kept.size).toBe(1);
  });

  it("are built once for all who want them, and again where that failed", async () => {
    const kept = new KeptGrammars();
    let count = 0;
    const build = async () => {
      if (++count === 1) throw new GrammarError("not this time");
      return built(["a"]);
    };
    const both = [kept.get("a", build), kept.get("a", build)];
    for (const one of both) await expect(one).rejects.toThrow("not this time");
    const again = [kept.get("a", build), kept.get("a", build)];
    expect(await again[0]).toBe(await again[1]);
    expect(count).toBe(2);
  });
});

it("ids that are taken back far are run again", () => {
  const grammar = new CompiledGrammar(parseRegex("(ab){0,80}c"), VOCABULARY);
  const constraint = new GrammarConstraint(grammar, [END]);
  const other = new GrammarConstraint(grammar, [END]);
  const ids = Array.from({ length: 120 }, (_, i) => A + (i % 2));
  for (const id of ids) expect(constraint.accept(id)).toBe(true);
  constraint.rollback(115);
  for (const id of ids.slice(0, 5)) other.accept(id);
  const [ours, theirs] = [new Int32Array(WORDS), new Int32Array(WORDS)];
  constraint.mask(ours);
  other.mask(theirs);
  expect(ours).toEqual(theirs);
});
