/** Grammars that grow out of hand: refused by what they count, never by the clock. */
import { describe, expect, it } from "vitest";
import { Automaton } from "../../../server/grammar/automaton.ts";
import {
  ALL_BYTES,
  CROWDED_MASK_WORK,
  GRAMMAR_BYTES,
  MASK_WORK,
  SequenceBudget,
  ThreadBudget,
  TURN_WORK,
} from "../../../server/grammar/budget.ts";
import { CompiledGrammar, GrammarConstraint } from "../../../server/grammar/constraint.ts";
import { GrammarError, type Node } from "../../../server/grammar/grammar.ts";
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

/** The same count of ways on every machine. */
const blowUp = (places: number, tail = 60): string =>
  `(.|\\n)*(${LETTERS.slice(0, places)
    .map((letter) => `${letter}(.|\\n){${tail}}`)
    .join("|")})Q`;

describe("a grammar that grows out of hand", () => {
  it.each([regex(blowUp(8, 200)), regex(blowUp(20, 90))])("is not let in: %s", (_, root) => {
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
const late = (letters: number): Node => parseRegex(`x{${letters}}${blowUp(20, 90)}`);
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
      for (let i = 0; i < 100; i++) {
        budget.earn();
        budget.spend(MASK_WORK / 2);
      }
    };
    expect(masks).toThrow("too much work for one answer");
  });
});

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

  it("is about what the tables weigh", () => {
    const automaton = new Automaton(parseRegex("(.{0,30}a.{0,30}){4}"));
    const before = process.memoryUsage().heapUsed;
    let state = automaton.start;
    const rows: unknown[] = [];
    for (let i = 0; i < 1_500; i++) {
      for (const byte of [A, A + 1]) rows.push(automaton.step(state, byte));
      state = automaton.step(state, i % 7 === 0 ? A : A + 1) ?? automaton.start;
    }
    const grown = process.memoryUsage().heapUsed - before;
    expect(automaton.bytes).toBeGreaterThan(0.2 * grown);
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
