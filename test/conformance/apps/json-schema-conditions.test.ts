/** Keywords that ask for one schema where another holds: never more than a validator takes. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { Automaton } from "../../../server/grammar/automaton.ts";
import { GrammarError } from "../../../server/grammar/grammar.ts";
import { compileSchema } from "../../../server/grammar/schema/compile.ts";
import type { Schema } from "../../../server/grammar/schema/flat.ts";
import { seeded } from "../../support/random-machine.ts";

const accepts = (schema: Schema) => {
  const automaton = new Automaton(compileSchema(schema));
  return (value: unknown) => automaton.accepts(JSON.stringify(value));
};

interface Case {
  readonly name: string;
  readonly schema: Schema;
  readonly yes: readonly unknown[];
  readonly no: readonly unknown[];
}

const NUMBERS = { type: "array", items: { type: "integer" } };
const OPEN = { type: "object", properties: { a: {}, b: {}, c: {} } };

const CASES: Case[] = [
  {
    name: "if, then, else",
    schema: {
      ...OPEN,
      if: { properties: { a: { const: "x" } }, required: ["a"] },
      then: { required: ["b"] },
      else: { required: ["c"] },
    },
    yes: [{ a: "x", b: 1 }, { a: "x", b: 1, c: 2 }, { a: "y", c: 1 }, { c: 1 }],
    no: [{ a: "x", c: 1 }, { a: "y", b: 1 }, {}],
  },
  {
    name: "if without else",
    schema: { if: { type: "string" }, then: { minLength: 2 } },
    yes: ["ab", 1, null, [], {}],
    no: ["a", ""],
  },
  {
    name: "dependentRequired",
    schema: { ...OPEN, dependentRequired: { a: ["b"], b: ["c"] } },
    yes: [{}, { c: 1 }, { b: 1, c: 1 }, { a: 1, b: 1, c: 1 }],
    no: [{ a: 1 }, { a: 1, b: 1 }, { b: 1 }],
  },
  {
    name: "dependentSchemas",
    schema: { ...OPEN, dependentSchemas: { a: { properties: { b: { type: "string" } } } } },
    yes: [{ a: 1, b: "x" }, { b: 1 }, { a: 1 }],
    no: [{ a: 1, b: 1 }],
  },
  {
    name: "dependencies, of names and of schemas",
    schema: { ...OPEN, dependencies: { a: ["b"], c: { required: ["a"] } } },
    yes: [{ a: 1, b: 1 }, { a: 1, b: 1, c: 1 }, { b: 1 }],
    no: [{ a: 1 }, { c: 1 }, { a: 1, c: 1 }],
  },
  {
    name: "contains",
    schema: { ...NUMBERS, contains: { minimum: 5 } },
    yes: [[5], [1, 9, 2], [1, 2, 7], [7, 7]],
    no: [[], [1, 2], [1]],
  },
  {
    name: "minContains and maxContains",
    schema: { ...NUMBERS, contains: { minimum: 5 }, minContains: 2, maxContains: 3, maxItems: 5 },
    yes: [
      [5, 6],
      [1, 5, 2, 6, 3],
      [5, 6, 7, 1],
    ],
    no: [[5], [5, 5, 5, 5], [1, 1, 1, 5, 5, 5], []],
  },
  {
    name: "contains beside a prefix",
    schema: {
      prefixItems: [{ const: 1 }, { type: "string" }],
      items: true,
      contains: { const: 2 },
    },
    yes: [
      [1, "x", 2],
      [1, "x", 3, 2, 4],
    ],
    no: [[1, "x"], [2], [1, 2]],
  },
  {
    name: "not contains, not items",
    schema: {
      allOf: [NUMBERS, { not: { contains: { minimum: 5 } } }, { not: { items: { minimum: 2 } } }],
    },
    yes: [[1], [3, 0, 4]],
    no: [[], [3], [5, 1]],
  },
  {
    name: "oneOf whose branches overlap",
    schema: { ...OPEN, oneOf: [{ required: ["a"] }, { required: ["b"] }] },
    yes: [{ a: 1 }, { b: 1, c: 1 }],
    no: [{}, { c: 1 }, { a: 1, b: 1 }],
  },
  {
    name: "not oneOf",
    schema: { type: "integer", not: { oneOf: [{ minimum: 3 }, { maximum: 5 }] } },
    yes: [3, 4, 5],
    no: [2, 6, -1, 100],
  },
  {
    name: "not a pattern",
    schema: { type: "string", pattern: "^[a-z]+$", not: { pattern: "xy" } },
    yes: ["abc", "x", "yx", "xay"],
    no: ["xy", "axyb", "", "A"],
  },
  {
    name: "unevaluatedProperties beside a condition",
    schema: {
      type: "object",
      properties: { a: { type: "string" } },
      if: { properties: { a: { const: "x" } }, required: ["a"] },
      then: { properties: { b: { type: "string" } } },
      else: { properties: { c: { type: "string" } } },
      unevaluatedProperties: false,
    },
    yes: [{ a: "x", b: "1" }, { a: "y", c: "1" }, { c: "1" }, {}],
    no: [{ a: "x", c: "1" }, { a: "y", b: "1" }, { b: "1" }],
  },
  {
    name: "anchors, and ids inside the document",
    schema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      $id: "https://example.com/root",
      type: "array",
      prefixItems: [{ $ref: "#name" }, { $ref: "part" }, { $ref: "part#/$defs/inner" }],
      minItems: 3,
      items: false,
      $defs: {
        a: { $anchor: "name", type: "string" },
        b: { $id: "part", type: "integer", $defs: { inner: { type: "null" } } },
      },
    },
    yes: [["x", 1, null]],
    no: [
      [1, 1, null],
      ["x", "y", null],
      ["x", 1, 1],
    ],
  },
  {
    name: "Unicode properties",
    schema: { type: "string", pattern: "^\\p{Lu}\\P{L}+\\p{Script=Greek}$" },
    yes: ["Ä1ω", "A--Ω"],
    no: ["ä1ω", "AbΩ", "A1z"],
  },
];

const LISTED = [{ a: 1 }, { a: "x" }, { a: 2, b: 2 }, 5, 6, "xy"];
CASES.push(
  {
    name: "listed values under anything else that is said",
    schema: {
      allOf: [
        { enum: LISTED },
        { not: { additionalProperties: { type: "string" } } },
        { anyOf: [{ multipleOf: 2.5 }, { type: "object", uniqueItems: true }] },
        { $ref: "#/$defs/few" },
      ],
      $defs: { few: { maxProperties: 1, dependentRequired: { b: ["a"] } } },
    },
    yes: [{ a: 1 }],
    no: [{ a: "x" }, { a: 2, b: 2 }, 5, 6, "xy"],
  },
  {
    name: "what is said of other names holds of those that another schema's pattern names",
    schema: {
      allOf: [
        { patternProperties: { "^x": { type: "integer" } } },
        { properties: { xa: true, y: true }, additionalProperties: { minimum: 3 } },
      ],
    },
    yes: [{ xa: 1 }, { y: "s" }, { xb: 3 }, { xa: 1, y: null, xb: 4 }],
    no: [{ xb: 2 }, { xb: "s" }, { xa: "s" }, { z: 2 }],
  },
  {
    name: "several patterns of names, and no others",
    schema: {
      patternProperties: { "^a": { minimum: 2 }, b$: { type: "integer" } },
      additionalProperties: false,
    },
    yes: [{ a: 2.5 }, { b: 1 }, { ab: 3 }, { a: 2, b: 0, axb: 2 }, {}],
    no: [{ a: 1 }, { b: 1.5 }, { ab: 2.5 }, { ab: 1 }, { c: 1 }],
  },
  {
    name: "patterns beside propertyNames",
    schema: { patternProperties: { "^a": { type: "null" } }, propertyNames: { maxLength: 2 } },
    yes: [{ a: null }, { ab: null }],
    no: [{ abc: null }, { a: 1 }],
  },
  {
    name: "two kinds of items, each counted",
    schema: {
      type: "array",
      allOf: [
        { contains: { type: "string" }, maxContains: 1 },
        { contains: { enum: ["x", 1] }, minContains: 2 },
      ],
    },
    yes: [
      ["x", 1],
      [1, 1, "y"],
      [null, 1, "x"],
    ],
    no: [["x"], [1, 1], ["x", "x"], ["x", 1, "y"]],
  },
  {
    name: "multiples of several numbers, and of none of others",
    schema: { type: "number", multipleOf: 4, allOf: [{ multipleOf: 2.5 }], not: { multipleOf: 3 } },
    yes: [20, -40, 80],
    no: [0, 60, 10, 4, 2.5],
  },
  {
    name: "numbers that are none of a few",
    schema: { type: "number", not: { enum: [0, 2.5] } },
    yes: [-1, 1, 2.25, 3],
    no: [0, 2.5],
  },
  {
    name: "a name that must be there, by not",
    schema: { type: "object", not: { propertyNames: { not: { enum: ["k", "m"] } } } },
    yes: [{ k: 1 }, { m: 1 }],
    no: [{}, { a: 1 }],
  },
);

describe.each(CASES)("$name", ({ schema, yes, no }) => {
  it("takes what is valid and refuses what is not", () => {
    const test = accepts(schema);
    for (const value of yes) expect([value, test(value)]).toEqual([value, true]);
    for (const value of no) expect([value, test(value)]).toEqual([value, false]);
  });
});

/**
 * Schemas drawn from the keywords that condition each other, over a small world of
 * values. Not `unevaluatedItems`: this validator forgets what `contains` and what a
 * branch of `anyOf` evaluated. Nor the pairs below, where it forgets as well.
 */
function draw(random: () => number, depth: number): Record<string, unknown> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T; // not empty
  const inner = () => (depth > 0 ? draw(random, depth - 1) : pick<Record<string, unknown>>(LEAVES));
  const name = () => pick(["a", "b"]);
  const schema: Record<string, unknown> = {};
  const builders: readonly (() => void)[] = [
    () => Object.assign(schema, { if: inner(), then: inner(), else: inner() }),
    () => Object.assign(schema, { if: inner(), then: inner() }),
    () => Object.assign(schema, { not: inner() }),
    () => Object.assign(schema, { oneOf: [inner(), inner()] }),
    () => Object.assign(schema, { anyOf: [inner(), inner()] }),
    () => Object.assign(schema, { allOf: [inner(), inner()] }),
    () => Object.assign(schema, { contains: inner(), maxContains: pick([1, 2, undefined]) }),
    () => Object.assign(schema, { dependentRequired: { [name()]: [name()] } }),
    () => Object.assign(schema, { dependentSchemas: { [name()]: inner() } }),
    () => Object.assign(schema, { properties: { a: inner(), b: inner() } }),
    () => Object.assign(schema, { items: inner(), minItems: pick([0, 1]) }),
    () => Object.assign(schema, { prefixItems: [pick(LEAVES)] }),
    () => Object.assign(schema, { unevaluatedProperties: false, properties: { a: inner() } }),
    () => Object.assign(schema, { patternProperties: { "^a": inner(), b$: inner() } }),
    () =>
      Object.assign(schema, {
        ...(random() < 0.5 && { properties: { a: inner() } }),
        ...(random() < 0.5 && { patternProperties: { "^a|c": inner() } }),
        additionalProperties: pick<unknown>([false, inner()]),
      }),
    () => Object.assign(schema, { propertyNames: pick<unknown>([{ pattern: "^a" }, inner()]) }),
    () => Object.assign(schema, { enum: [1, 3, "xy", [1], { a: 1 }, { b: "x", c: [] }] }),
    () => Object.assign(schema, pick(LEAVES)),
  ];
  pick(builders)();
  if (random() < 0.5) pick(builders)();
  return JSON.parse(JSON.stringify(schema)) as Record<string, unknown>; // no undefined keywords
}

const LEAVES: readonly Record<string, unknown>[] = [
  ...[{ type: "string" }, { type: "integer" }, { type: "array" }, { type: "object" }],
  ...[
    { minimum: 2 },
    { maximum: 2 },
    { minLength: 2 },
    { maxItems: 1 },
    { const: "x" },
    { enum: [1, "x", null] },
  ],
  ...[
    { multipleOf: 2 },
    { multipleOf: 1.5 },
    { const: 3 },
    { maxLength: 1 },
    { uniqueItems: true },
  ],
  ...[{ required: ["a"] }, { required: ["b"] }, { minProperties: 1 }, { pattern: "^x" }, {}],
];

const SCALARS: readonly unknown[] = [null, true, 1, 3, "", "x", "xy", "ab"];
const VALUES: readonly unknown[] = [
  ...SCALARS,
  ...[[], {}],
  ...SCALARS.flatMap((one) => [[one], { a: one }, { b: one }]),
  ...SCALARS.slice(2, 6).flatMap((one) => SCALARS.map((two) => [one, two])),
  ...SCALARS.slice(2, 6).flatMap((one) => SCALARS.map((two) => ({ a: one, b: two }))),
  ...SCALARS.slice(1, 6).flatMap((one) => [{ ab: one }, { c: one }, { a: 1, ac: one }]),
  ...[-3, 4, 6, 1.5, { b: "x", c: [] }, { aa: 1, ab: 2, ac: 3 }],
  ...[{ a: [1] }, { a: { b: 1 } }, [["x"]], [{ a: 1 }], { a: ["x", 3], b: {} }],
];

/** It takes one of two nested `contains` for the other, and what a branch not taken would evaluate for all there is. */
const MISREAD: readonly (readonly [string, string])[] = [
  ["prefixItems", "contains"],
  ["dependentSchemas", "unevaluatedProperties"],
];

/** Undefined: the validator's own code breaks, as it does where names that match a pattern are left unevaluated. */
function judged(validate: () => unknown): boolean | undefined {
  try {
    return validate() === true;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

it("writes nothing that a validator refuses, over schemas drawn at random", () => {
  let enforced = 0;
  let taken = 0;
  for (let seed = 0; seed < 160; seed++) {
    const schema = draw(seeded(seed), 2);
    const text = JSON.stringify(schema);
    if (MISREAD.some((pair) => pair.every((keyword) => text.includes(`"${keyword}"`)))) continue;
    const validate = new Ajv2020({ strict: false, validateSchema: false }).compile(schema);
    let test: (value: unknown) => boolean;
    try {
      test = accepts(schema);
    } catch (error) {
      if (error instanceof GrammarError) continue;
      throw error;
    }
    enforced++;
    for (const value of VALUES) {
      if (!test(value)) continue;
      const verdict = judged(() => validate(value));
      if (verdict === undefined) continue;
      taken++;
      expect([seed, schema, value, verdict]).toEqual([seed, schema, value, true]);
    }
  }
  expect(enforced).toBeGreaterThan(70);
  expect(taken).toBeGreaterThan(1_000);
});
