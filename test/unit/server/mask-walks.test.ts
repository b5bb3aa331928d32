/**
 * Masks over a vocabulary of twenty thousand texts in many scripts: each is held to a reading of all
 * its texts one by one, and what finding it looks at is counted.
 */
import { describe, expect, it } from "vitest";
import { Automaton } from "../../../server/grammar/automaton.ts";
import { MASK_WORK, SequenceBudget } from "../../../server/grammar/budget.ts";
import { CompiledGrammar } from "../../../server/grammar/constraint.ts";
import { KindWalks, SLICE_WORK } from "../../../server/grammar/kind-walks.ts";
import { PLAIN } from "../../../server/grammar/kinds.ts";
import { parseRegex } from "../../../server/grammar/regex.ts";
import { ALT, BYTES, SEQ } from "../../../server/grammar/shape.ts";
import { buildGrammar, type GrammarSpec } from "../../../server/grammar/spec.ts";
import { switchesOf } from "../../../server/grammar/switches.ts";
import { layOutGrammar } from "../../../server/grammar/table.ts";
import { Vocabulary } from "../../../server/grammar/vocabulary.ts";

function randomOf(start: number): (limit: number) => number {
  let seed = start;
  return (limit) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % limit;
  };
}

/** Syllables of each script: words are made of them, as in vocabularies that were learnt. */
const SCRIPTS: readonly string[] = [
  "the ing an er re on st con ent ity al pro com a o i s un it qu ß é ün ção",
  "пре ов ст но ра ли я ение ко по",
  "στο και τη ος λό γ ά",
  "של ים ה ו את",
  "ال من في ة ون",
  "日 本 語 中 国 的 一 是 人 有 我 他 大",
  "です ます の に カ タ ー ン",
  "한 국 어 는 이 다 을",
  "ก า ร เ ที่ ์",
];

function texts(): readonly Uint8Array[] {
  const random = randomOf(3);
  const encoder = new TextEncoder();
  const found = new Set<string>();
  const word = (syllables: readonly string[], most: number): string => {
    let text = "";
    for (let left = 1 + random(most); left > 0; left--)
      text += syllables[random(syllables.length)] ?? "";
    return text;
  };
  const opened = ["", "", "", " ", " ", "_", ".", "(", '"', "-", "\n"];
  for (const [at, script] of SCRIPTS.entries()) {
    const syllables = script.split(" ");
    for (let k = 0; k < (at === 0 ? 16_000 : 700); k++) {
      const text = word(syllables, 5);
      const cased = random(5) === 0 ? (text[0] ?? "").toUpperCase() + text.slice(1) : text;
      found.add((opened[random(opened.length)] ?? "") + cased);
    }
  }
  const marks = [..." !#$%&()*+,-./:;<=>?@[]^_`{|}~0123456789\t\n\r\"\\'"];
  for (let k = 0; k < 1_500; k++) found.add(word(marks, 4));
  for (let k = 1; k < 60; k++)
    for (const one of [" ", "-", "=", "\n", "a"]) found.add(one.repeat(k));
  const parts = [...found].slice(0, 400).map((text) => encoder.encode(text).slice(1));
  return [
    ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
    ...[...found].map((text) => encoder.encode(text)),
    ...parts,
  ];
}

const VOCABULARY = Vocabulary.of(texts());
const NODES = VOCABULARY.data.trie.byte.length;

const regex = (pattern: string): GrammarSpec => ({ kind: "regex", pattern });
const grammar = (text: string): GrammarSpec => ({ kind: "grammar", text });
const json = (schema: object, compact = true): GrammarSpec => ({
  kind: "json",
  schema: schema as never, // a schema
  compact,
});

/** Words are taken whole, and few are looked into. */
const OPEN: readonly GrammarSpec[] = [
  ...[
    "(?:\\p{L}+[ ,.]?){1,200}",
    "(?:\\p{Lu}\\p{Ll}+ ){2,5}(?:\\p{L}+\\p{M}*[\\s\\p{P}]?){0,300}",
    "(?:\\p{Script=Han}|\\p{Script=Hiragana}|\\p{Script=Katakana}){1,400}",
    "(?:\\p{Script=Cyrillic}+|\\p{Script=Greek}+|\\p{Script=Latin}+)(?: \\p{L}+){0,99}",
    "[^\\p{L}]{0,60}(?:\\p{L}[^\\p{L}]{0,8}){1,200}",
    "(?:[\\w\\s]{1,40}[.!?]){3,60}",
    "(?:(?:[a-z]{1,9} ){0,9}[a-z]{1,9}\\. ){1,30}",
    "(?:\\S+ ){40}\\S+",
    "[\\s\\S]{0,200}?<b>[\\s\\S]{0,200}?</b>[\\s\\S]{0,200}",
    "[a-z]{3}|[a-z]{7,9}|[A-Z][a-z]{0,5}|\\d{1,3}",
    "(?:con|pro|the|st){1,30}",
    "[a-z]".repeat(40),
  ].map(regex),
  grammar('root ::= item+\nitem ::= "- " text "\\n" ("  " item)*\ntext ::= [^\\n]{1,120}\n'),
  json({ type: "string", pattern: "^[A-Z][\\w .-]{2,60}$", minLength: 10, maxLength: 40 }),
  json({ type: "string", format: "email" }),
  json({ type: "object" }, false),
  json(
    {
      properties: {
        the: {
          type: "object",
          properties: { con: { type: "string", minLength: 3 } },
          required: ["con"],
        },
        ing: { enum: ["prost", "constant", 7, null] },
      },
      additionalProperties: { type: "array", items: { type: ["string", "number"] } },
    },
    false,
  ),
  { kind: "choice", options: ["the", "then", "the ing", "日本語です", "я"] },
  {
    kind: "tag",
    tag: {
      format: {
        type: "triggered_tags",
        triggers: ["<call"],
        tags: [
          {
            begin: "<call>",
            content: { type: "json_schema", json_schema: { type: "object" } },
            end: "</call>",
          },
        ],
      },
    },
    compact: true,
  },
];

/** Counts end inside words, or which letters come is counted: most words are walked. */
const CLOSE: readonly GrammarSpec[] = [
  ...[
    "(?:(?:\\p{L}{1,12}[ -]){1,8}\\p{N}{1,4}[.,;] ?){1,40}",
    "(?:[^,\\n]{0,30},){9}[^,\\n]{0,30}\\n",
    "(?:[^aeiou]{1,20}[aeiou]{1,3}){1,150}",
    "[a-zA-Zß]{0,4}|.{6}|日.{0,9}",
    ".{1,7}\\n",
  ].map(regex),
  grammar('start: "the"i /(con|ing)+[a-zß]*/i (" " /\\p{L}{2,6}/i)*\n'),
  json({ type: "string", pattern: "^(?:\\p{L}+[ ,.]?){1,200}$", maxLength: 180 }),
  json({ type: "string", maxLength: 11 }),
  grammar(
    "start: (WORD | NUMBER | /[^\\w\\s]+/ | WS)+\n%import common.WORD\n%import common.NUMBER\n%import common.WS",
  ),
];

/** What a grammar's masks took: bits that are wrong, and the dearest looks. */
function follow(spec: GrammarSpec): {
  wrong: string[];
  masks: number;
  nodes: number;
  ways: number;
} {
  const table = layOutGrammar(buildGrammar(spec));
  const held = new CompiledGrammar(table, VOCABULARY);
  const plain = new Automaton(table);
  const random = randomOf(11);
  const cost = { wrong: [] as string[], masks: 0, nodes: 0, ways: 0 };
  for (let walk = 0; walk < 2; walk++) {
    let [state, same] = [held.automaton.start, plain.start];
    for (let step = 0; step < 5; step++) {
      const [nodes, ways] = [held.scanned + held.walked, held.automaton.work];
      const mask = held.mask(state, new SequenceBudget());
      cost.masks++;
      cost.nodes = Math.max(cost.nodes, held.scanned + held.walked - nodes);
      cost.ways = Math.max(cost.ways, held.automaton.work - ways);
      const taken: number[] = [];
      for (let id = 0; id < VOCABULARY.size; id++) {
        const text = VOCABULARY.bytes(id);
        const takes = text.length > 0 && plain.run(same, text) !== undefined;
        if (takes) taken.push(id);
        if ((((mask[id >> 5] ?? 0) >>> (id & 31)) & 1) !== (takes ? 1 : 0))
          cost.wrong.push(`${step}: ${id}`);
      }
      const id = taken[random(Math.max(1, taken.length))];
      const next = id === undefined ? undefined : held.after(state, id, new SequenceBudget());
      const then = id === undefined ? undefined : plain.run(same, VOCABULARY.bytes(id));
      if (next === undefined || then === undefined) break;
      [state, same] = [next, then];
    }
  }
  return cost;
}

const named = (specs: readonly GrammarSpec[]) =>
  specs.map((spec) => [JSON.stringify(spec).slice(0, 90), spec] as const);

describe("a mask allows just what its grammar takes", () => {
  it.each(named(OPEN))("and looks at a part of the vocabulary: %s", (_, spec) => {
    const cost = follow(spec);
    expect(cost.wrong).toEqual([]);
    expect(cost.nodes).toBeLessThan(NODES / 4);
    expect(cost.ways).toBeLessThan(MASK_WORK / 4);
  });

  it.each(named(CLOSE))("and at no more than all of it: %s", (_, spec) => {
    const cost = follow(spec);
    expect(cost.wrong).toEqual([]);
    expect(cost.nodes).toBeLessThan(NODES);
    expect(cost.ways).toBeLessThan(MASK_WORK / 2);
  });
});

describe("a walk along one kind of text", () => {
  const walksOf = (pattern: string) => {
    const automaton = new Automaton(parseRegex(pattern));
    const walks = new KindWalks(automaton);
    walks.begin();
    return { start: automaton.indexOf(automaton.start), walks };
  };

  it("goes further when longer text is asked for", () => {
    const { start, walks } = walksOf(`${"[a-z]".repeat(12)}\\n`);
    expect([8, 12, 13].map((bytes) => walks.takes(start, 0, bytes))).toEqual([true, true, false]);
  });

  it("that its work cut short is not the answer where more is allowed, and is where not", () => {
    const { start, walks } = walksOf(`${"[^\\n]".repeat(8)}[^\\n]*`);
    expect(walks.takes(start, PLAIN, 100)).toBe(false);
    const { steps } = walks;
    expect(walks.takes(start, PLAIN, 100)).toBe(false);
    expect(walks.steps).toBe(steps);
    expect(walks.takes(start, PLAIN, 100, SLICE_WORK)).toBe(true);
    expect(walks.takes(start, PLAIN, 100)).toBe(true);
  });
});

it("what sequences in one another begin with is found once, however many alternatives ask", () => {
  const [depth, alternatives] = [400, 400];
  // Each sequence has the next for its one part; the last has the first of four sets.
  const kind = [...Array(depth).fill(SEQ), ...Array(4).fill(BYTES)];
  const partsOf: number[][] = [...Array(depth).keys()].map((node) => [node + 1]);
  partsOf.push([0], [1], [2], [3]);
  for (let i = 0; i < alternatives; i++) {
    kind.push(ALT);
    partsOf.push([0, depth + 1, depth + 2, depth + 3]);
  }
  let reads = 0;
  const counted = new Proxy(Int32Array.from(partsOf.flat()), {
    get: (target, name) => {
      reads++;
      return Reflect.get(target, name) as unknown;
    },
  });
  const first = new Int32Array(kind.length + 1);
  for (const [node, { length }] of partsOf.entries()) first[node + 1] = (first[node] ?? 0) + length;
  const shape = { kind: Uint8Array.from(kind), first, parts: counted };
  const sets = [1, 2, 4, 8].map((bits) => Uint32Array.of(bits, 0, 0, 0, 0, 0, 0, 0));
  const productive = new Uint8Array(kind.length).fill(1);
  const { switchAt, switches } = switchesOf(shape, productive, sets, () => 9);
  const from = switchAt[kind.length - 1] ?? 0;
  const found = [...switches.subarray(from, from + 10)];
  expect(found).toEqual([9, 0, 0, 0, 1, depth + 1, 2, depth + 2, 3, depth + 3]);
  expect(switchAt.filter((at) => at > 0)).toHaveLength(alternatives);
  expect(reads).toBeLessThan(3 * depth + 10 * alternatives);
});
