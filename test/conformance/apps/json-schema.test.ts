import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Automaton } from "../../../server/grammar/automaton.ts";
import { MASK_WORK } from "../../../server/grammar/budget.ts";
import { GrammarError } from "../../../server/grammar/grammar.ts";
import { compileSchema } from "../../../server/grammar/schema/compile.ts";

const accepts = (schema: object | boolean, compact = false) => {
  const automaton = new Automaton(
    compileSchema(schema as Parameters<typeof compileSchema>[0], { compact }),
  );
  return (value: unknown) =>
    automaton.accepts(
      typeof value === "string" && value.startsWith("raw:")
        ? value.slice(4)
        : JSON.stringify(value),
    );
};

interface Case {
  readonly name: string;
  readonly schema: object | boolean;
  readonly yes: readonly unknown[];
  readonly no: readonly unknown[];
}

const CASES: readonly Case[] = [
  {
    name: "objects with properties are closed",
    schema: { properties: { a: { type: "string" } } },
    yes: [{}, { a: "x" }],
    no: [{ b: 1 }, { a: 1 }, 3],
  },
  {
    name: "objects without are open",
    schema: { type: "object" },
    yes: [{}, { x: [1, { y: null }] }],
    no: [[], 1],
  },
  {
    name: "required, in order",
    schema: { properties: { a: { type: "integer" }, b: { type: "integer" } }, required: ["b"] },
    yes: [{ b: 1 }, { a: 1, b: 2 }],
    no: [{ a: 1 }, {}, 'raw:{"b":1,"a":2}'],
  },
  {
    name: "further properties do not repeat declared ones",
    schema: { properties: { ab: { type: "string" } }, additionalProperties: { type: "integer" } },
    yes: [
      { ab: "x", c: 1 },
      { a: 1, abc: 2 },
    ],
    no: ['raw:{"ab":"x","ab":1}', { c: "x" }, 'raw:{"\\u0061b":1}'],
  },
  {
    name: "a required name that is not declared",
    schema: { properties: { a: { type: "string" } }, required: ["z"] },
    yes: [{ z: 1 }, { a: "x", z: [] }],
    no: [{ a: "x" }],
  },
  {
    name: "minProperties and maxProperties",
    schema: { properties: { a: true, b: true, c: true }, minProperties: 1, maxProperties: 2 },
    yes: [{ a: 1 }, { b: 1, c: 1 }],
    no: [{}, { a: 1, b: 1, c: 1 }],
  },
  {
    name: "more members allowed than anybody writes",
    schema: {
      type: "object",
      properties: { a: { type: "integer" } },
      additionalProperties: true,
      maxProperties: 40_000,
    },
    yes: [{}, { a: 1, b: 2 }],
    no: [{ a: "x" }],
  },
  {
    name: "the same, none declared",
    schema: { type: "object", maxProperties: 1e9 },
    yes: [{}, { a: 1 }],
    no: [[]],
  },
  {
    name: "patternProperties",
    schema: {
      type: "object",
      patternProperties: { "^x-": { type: "integer" } },
      additionalProperties: false,
    },
    yes: [{}, { "x-a": 1 }],
    no: [{ "x-a": "1" }, { y: 1 }],
  },
  {
    name: "propertyNames",
    schema: { type: "object", propertyNames: { pattern: "^[a-c]+$" } },
    yes: [{ abc: 1 }, {}],
    no: [{ d: 1 }],
  },
  {
    name: "integers within bounds",
    schema: { type: "integer", minimum: -17, exclusiveMaximum: 205 },
    yes: [-17, -9, 0, 7, 99, 100, 204],
    no: [-18, 205, 1000, 1.5, "raw:007", "raw:-0"],
  },
  {
    name: "numbers within bounds",
    schema: { type: "number", minimum: 0.25, exclusiveMaximum: 3 },
    yes: [0.25, 0.3, 1, 2.99, "raw:2.50", "raw:0.2500"],
    no: [0.2, 0.249, 3, "raw:3.0", 10, -1],
  },
  {
    name: "numbers with an open lower bound",
    schema: { type: "number", exclusiveMinimum: -1.5, maximum: -0.5 },
    yes: [-1, -1.4999, -0.5, "raw:-0.50"],
    no: [-1.5, "raw:-1.500", -0.49, 0, 1],
  },
  {
    name: "multipleOf",
    schema: { type: "integer", multipleOf: 7, minimum: 0, maximum: 100 },
    yes: [0, 7, 14, 98],
    no: [1, 13, 105, -7],
  },
  {
    name: "multiples of a hundredth",
    schema: { type: "number", multipleOf: 0.01 },
    yes: [0, 0.07, 1.5, -3.25, 12, "raw:1.50"],
    no: [0.001, 3.333, "raw:1e3", "raw:1."],
  },
  {
    name: "multiples of a quarter within bounds",
    schema: { type: "number", multipleOf: 0.25, minimum: -1, exclusiveMaximum: 2 },
    yes: [-1, -0.75, 0, 0.25, "raw:1.50", 1.75],
    no: [-1.25, 0.3, 2, "raw:2.00", 1.9],
  },
  {
    name: "multiples of two and a half",
    schema: { type: "number", multipleOf: 2.5 },
    yes: [0, 2.5, 5, 7.5, "raw:10.0", -12.5],
    no: [1, 7, 2, "raw:12.50"],
  },
  {
    name: "integers that are multiples of a fraction",
    schema: { type: "integer", multipleOf: 2.5 },
    yes: [0, 5, 10, -15],
    no: [1, 7, 2.5],
  },
  {
    name: "not of patterned names",
    schema: {
      type: "object",
      not: { patternProperties: { "^ab": { type: "string" }, "c.*d": true } },
    },
    yes: [{ ab: 1 }, { ab: null }],
    no: [{}, { ab: "x" }, { c: 1 }],
  },
  {
    name: "bounds beyond what doubles keep",
    schema: { type: "number", minimum: -1e300, maximum: 1e22 },
    yes: [-3.5, 0, 999_999_999_999],
    no: ["raw:1e+22", "raw:1e+22.0", "raw:1e23"],
  },
  {
    name: "a pattern beside a length that no product of states could count",
    schema: { type: "string", pattern: "^https?://[^/]+/.+$", maxLength: 900, minLength: 300 },
    yes: [`http://a/${"x".repeat(320)}`, `https://é.de/${'"'.repeat(320)}`],
    no: [`http://a/${"x".repeat(250)}`, `http://a/${"x".repeat(900)}`, "x".repeat(320)],
  },
  {
    name: "a list of ten thousand, which asks for none of them twice",
    schema: {
      type: "string",
      enum: Array.from({ length: 10_000 }, (_, at) => `value ${at}`),
      not: { pattern: "7$" },
    },
    yes: ["value 0", "value 9999"],
    no: ["value 7", "value 10000"],
  },
  {
    name: "a repeated group of a great least length",
    schema: { type: "string", pattern: "^([a-z][0-9])+$", minLength: 999 },
    yes: ["a1".repeat(500)],
    no: ["a1".repeat(499)],
  },
  {
    name: "multiples of 1",
    schema: { type: "integer", multipleOf: 1, minimum: 3, maximum: 12 },
    yes: [3, 7, 12],
    no: [2, 13, 3.5],
  },
  {
    name: "string lengths count characters",
    schema: { type: "string", minLength: 2, maxLength: 3 },
    yes: ["ab", "é🙂x", 'raw:"\\u0041b"'],
    no: ["a", "abcd", ""],
  },
  {
    name: "patterns search, unless anchored",
    schema: { type: "string", pattern: "a[0-9]+" },
    yes: ["a1", "xa22y"],
    no: ["a", "b1"],
  },
  {
    name: "patterns are written as JSON",
    schema: { type: "string", pattern: '^[^a]"\\\\$' },
    yes: ['b"\\', '\n"\\'],
    no: ['a"\\', 'raw:"b"\\\\"'],
  },
  {
    name: "pattern and length together",
    schema: { type: "string", pattern: "^[a-z]+(-[a-z]+)*$", maxLength: 5 },
    yes: ["a", "ab-cd"],
    no: ["ab-cde", "-a", ""],
  },
  {
    name: "formats",
    schema: { type: "string", format: "date" },
    yes: ["2026-11-23"],
    no: ["2026-13-01", "2026-02-30", "x"],
  },
  {
    name: "an email and a length",
    schema: { type: "string", format: "email", minLength: 9, maxLength: 64 },
    yes: ["a.b@c-d.org", `${"a".repeat(59)}@b.de`],
    no: ["a@bc.org", `${"a".repeat(60)}@b.de`, `a@${"b".repeat(60)}.de`, "a@b", "a.@bcd.org"],
  },
  {
    name: "a uri and a length that it never reaches",
    schema: { type: "string", format: "uri", minLength: 1, maxLength: 2083 },
    yes: ["https://example.org/a?b=c#d", `http://a.b/${"c".repeat(64)}`],
    no: ["example.org", "https://", ""],
  },
  {
    name: "a uri and a length in its midst",
    schema: { type: "string", format: "uri", maxLength: 300 },
    yes: ["https://example.org:80/a/b?c", `ftp://a/${"b".repeat(111)}`],
    no: [`ftp://a/${"b".repeat(293)}`, `ftp://${"a".repeat(64)}`, "x"],
  },
  {
    name: "a format, a pattern and a length",
    schema: { type: "string", format: "email", pattern: "@x\\.org$", maxLength: 60 },
    yes: ["a@x.org"],
    no: ["a@y.org", `${"a".repeat(55)}@x.org`],
  },
  {
    name: "a time of a length with its offset",
    schema: { type: "string", format: "date-time", minLength: 25, maxLength: 29 },
    yes: ["2026-11-30T09:30:00+01:00", "2026-11-30T09:30:00.123+01:00"],
    no: ["2026-11-30T09:30:00Z", "2026-11-30T09:30:00.1234+01:00"],
  },
  {
    name: "enum, held to its type",
    schema: { type: "integer", enum: [1, "a", 2.5, 300] },
    yes: [1, 300],
    no: ["a", 2.5, 3, 30],
  },
  { name: "const", schema: { const: { a: [1, "é"] } }, yes: [{ a: [1, "é"] }], no: [{ a: [1] }] },
  {
    name: "arrays",
    schema: { type: "array", items: { type: "integer" }, minItems: 1, maxItems: 2 },
    yes: [[1], [1, 2]],
    no: [[], [1, 2, 3], ["a"]],
  },
  {
    name: "tuples",
    schema: {
      prefixItems: [{ type: "integer" }, { type: "string" }],
      items: { type: "null" },
      minItems: 1,
    },
    yes: [[1], [1, "a"], [1, "a", null]],
    no: [[], ["a"], [1, "a", 2]],
  },
  {
    name: "allOf merges",
    schema: {
      allOf: [
        { properties: { a: { minimum: 3 } }, required: ["a"] },
        { properties: { a: { type: "integer", maximum: 5 } } },
      ],
    },
    yes: [{ a: 3 }, { a: 5 }],
    no: [{}, { a: 6 }, { a: 2 }],
  },
  {
    name: "anyOf with siblings",
    schema: {
      type: "object",
      properties: { k: { type: "string" } },
      anyOf: [{ required: ["k"] }, { properties: { n: { type: "null" } }, required: ["n"] }],
    },
    yes: [{ k: "x" }, { n: null }, { k: "x", n: null }],
    no: [{}],
  },
  {
    name: "oneOf with a discriminator",
    schema: {
      oneOf: [
        { properties: { t: { const: "a" }, x: { type: "integer" } }, required: ["t"] },
        { properties: { t: { const: "b" } }, required: ["t"] },
      ],
    },
    yes: [{ t: "a", x: 1 }, { t: "b" }],
    no: [{ t: "c" }, { x: 1 }],
  },
  {
    name: "recursion",
    schema: {
      $defs: {
        node: {
          properties: { next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } },
          required: ["next"],
        },
      },
      $ref: "#/$defs/node",
    },
    yes: [{ next: null }, { next: { next: null } }],
    no: [{ next: {} }, {}],
  },
  { name: "nullable types", schema: { type: ["string", "null"] }, yes: ["a", null], no: [1] },
  {
    name: "anything",
    schema: true,
    yes: [1, "a", null, [], { a: { b: [] } }, 1e-7],
    no: ["raw:{", "raw:01", 'raw:"\n"'],
  },
];

describe.each(CASES)("$name", ({ schema, yes, no }) => {
  it("takes what is valid and refuses what is not", () => {
    const test = accepts(schema);
    for (const value of yes) expect([value, test(value)]).toEqual([value, true]);
    for (const value of no) expect([value, test(value)]).toEqual([value, false]);
  });
});

it.each([
  [{ type: "integer", not: { multipleOf: 1009 } }, "multipleOf"],
  [{ type: "array", uniqueItems: true }, "uniqueItems"],
  [{ multipleOf: 0.123456789 }, "multipleOf"],
  [{ multipleOf: 1e-12 }, "multipleOf"],
  [{ type: "number", minimum: 1e-30 }, "more digits than are exact"],
  [
    { if: { additionalProperties: { type: "null" } }, else: { required: ["a"] }, then: false },
    '"if"',
  ],
  [{ allOf: [1, 2, 3, 4, 5].map((one) => ({ contains: { const: one } })) }, '"contains".* 5 times'],
  [{ enum: [2 ** 53 + 2] }, '"enum" is not supported for integers beyond 2\\^53'],
  [
    { properties: { a: { anyOf: [{}, { items: { type: "array", uniqueItems: true } }] } } },
    '"uniqueItems" is not supported \\(at #/properties/a/anyOf/1/items\\)',
  ],
  [{ $ref: "#nowhere" }, "points to nothing"],
  [{ pattern: "\\p{Nowhere}" }, "Unicode property"],
  [{ $ref: "https://example.com/schema" }, "\\$ref"],
  [{ oneOf: [{ type: "integer" }, { type: "number" }] }, "oneOf"],
  [{ pattern: "(?=a)b" }, "look-around"],
  [{ pattern: "(a)\\1" }, "back-reference"],
  [{ type: "strange" }, "strange"],
  [false, "no finite text"],
  [{ $ref: "#" }, "no finite text"],
  [{ required: ["a"], properties: { a: { $ref: "#" } } }, "no finite text"],
  [{ $ref: "#/$defs/none" }, "points to nothing"],
  [{ $ref: 3 }, '"\\$ref" must be a string'],
  [{ $ref: "#/$defs", $defs: [3] }, "does not point to a schema"],
  [{ $ref: "#/$defs/1", $defs: [true, 3] }, "does not point to a schema"],
  [{ type: "string", pattern: 3 }, '"pattern" must be a string'],
  [{ type: [] }, '"type" must be a type or a list of types'],
  [{ enum: [] }, '"enum" must be a list that is not empty'],
  [{ anyOf: [] }, '"anyOf" must be a list of schemas that is not empty'],
  [{ allOf: {} }, '"allOf" must be a list of schemas'],
  [{ items: 3 }, '"items" must be a schema: an object or a boolean'],
  [{ required: [1] }, '"required" must be a list of names'],
  [{ properties: [] }, '"properties" must be an object'],
  [{ minimum: "1" }, '"minimum" must be a number'],
  [{ minLength: -1 }, '"minLength" must be a whole number that is not negative'],
  [{ maxItems: 1.5 }, '"maxItems" must be a whole number that is not negative'],
  [{ contentMediaType: "application/json" }, '"contentMediaType" is not supported'],
  [{ type: "number", minimum: 0.1234567890123, maximum: 12345678 }, "more digits than are exact"],
  [{ type: "object", minProperties: 3 }, '"minProperties" is not supported beyond'],
  [
    {
      $dynamicRef: "#a",
      $defs: { a: { $dynamicAnchor: "a" }, b: { $id: "https://b.c/d", $dynamicAnchor: "a" } },
    },
    '"\\$dynamicRef" is not supported where several schemas bear its name',
  ],
])("refuses %j and says why", (schema, reason) => {
  expect(() => accepts(schema)).toThrow(new RegExp(reason));
});

it("allows no endless white space", () => {
  const test = accepts({ properties: { a: { type: "integer" } }, required: ["a"] });
  expect(test('raw:{\n  "a": 1\n}')).toBe(true);
  expect(test('raw:{"a":  1}')).toBe(false);
  expect(test(`raw:{${"\n".repeat(3)}"a":1}`)).toBe(false);
  const compact = accepts({ properties: { a: { type: "integer" } } }, true);
  expect(compact('raw:{"a":1}')).toBe(true);
  expect(compact('raw:{"a": 1}')).toBe(false);
});

/** Texts of so many characters. */
const GROWING: Readonly<Record<string, (length: number) => string>> = {
  email: (length) => `${"a".repeat(length - 5)}@b.de`,
  hostname: (length) => "a".repeat(length),
  uri: (length) => `https://a.b/${"c".repeat(length - 12)}`,
  "iri-reference": (length) => `/${"a".repeat(length - 1)}`,
  "json-pointer": (length) => `/${"a".repeat(length - 1)}`,
  regex: (length) => "a".repeat(length),
};

describe.each(["email", "hostname", "uri", "iri-reference", "json-pointer", "regex"])(
  "%s of any length",
  (format) => {
    it.each([20, 21, 37, 62])("is held to %i characters", (maxLength) => {
      const allows = accepts({ type: "string", format, maxLength });
      const text = GROWING[format] ?? String;
      expect(allows(text(maxLength))).toBe(true);
      expect(allows(text(maxLength + 1))).toBe(false);
    });

    it.each([64, 65, 69, 100, 150, 207, 320, 1_024, 65_536])(
      "can be written under %i characters",
      (maxLength) => {
        const allows = accepts({ type: "string", format, minLength: 1, maxLength });
        expect(allows((GROWING[format] ?? String)(12))).toBe(true);
        expect(allows("\u0000")).toBe(false);
      },
    );
  },
);

describe("properties whose names begin alike", () => {
  const NAMES = ["a", "ab", "abc", "b", "bé", "bè", '"q'];

  it("may be there in every number and choice that the schema allows, in their order", () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(NAMES, { minLength: 1, maxLength: 5 }),
        fc.record({ required: fc.nat(31), least: fc.nat(3), most: fc.nat(5), open: fc.boolean() }),
        (names, { required, least, most, open }) => {
          const must = names.filter((_, i) => (required >> i) & 1);
          const schema = {
            properties: Object.fromEntries(names.map((name) => [name, { type: "integer" }])),
            ...{ required: must, minProperties: least, maxProperties: most },
            additionalProperties: open ? { type: "null" } : false,
          };
          let fits: ReturnType<typeof accepts>;
          try {
            fits = accepts(schema, true);
          } catch (error) {
            if (error instanceof GrammarError) return; // nothing satisfies it, or it is not supported
            throw error;
          }
          for (let choice = 0; choice < 2 ** names.length; choice++) {
            const chosen = names.filter((_, i) => (choice >> i) & 1);
            for (const more of open ? [[], ["z"]] : [[]]) {
              const value = Object.fromEntries([
                ...chosen.map((name) => [name, 1] as const),
                ...more.map((name) => [name, null] as const),
              ]);
              const size = chosen.length + more.length;
              const right =
                size >= least && size <= most && must.every((name) => chosen.includes(name));
              expect([value, fits(value)]).toEqual([value, right]);
            }
            const turned = chosen.toReversed().map((name) => `${JSON.stringify(name)}:1`);
            if (chosen.length > 1) expect(fits(`raw:{${turned}}`)).toBe(false);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("are as little work by thousands", () => {
    const names = Array.from({ length: 5_000 }, (_, i) => `${(i * 7919).toString(36)}_name`);
    const properties = Object.fromEntries(names.map((name) => [name, { type: "integer" }]));
    const automaton = new Automaton(compileSchema({ properties } as never, { compact: true })); // a schema
    const chosen = names.filter((_, i) => i % 611 === 7);
    automaton.workLimit = MASK_WORK;
    const text = JSON.stringify(Object.fromEntries(chosen.map((name) => [name, 1])));
    expect(automaton.accepts(text)).toBe(true);
    const turned = JSON.stringify(Object.fromEntries(chosen.toReversed().map((name) => [name, 1])));
    expect(automaton.accepts(turned)).toBe(false);
  });
});
