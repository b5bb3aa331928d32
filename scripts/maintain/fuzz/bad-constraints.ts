/** Structured-output fields that are broken, hostile or merely odd. */
import { below, pick, type Random, randomValue } from "./values.ts";

const REGEXES = [
  "(",
  "[z-a]",
  "a{9,1}",
  "(?=a)",
  "\\p{L}",
  "(a*)*b",
  "((a{1,900}){1,900}){1,900}",
  "(a|a)*(a|aa)*c",
  "x".repeat(5_000),
  ".*".repeat(200),
  "\\1",
  "[^\\s\\S]",
  "",
  "^$",
  "(?i)a",
  "[a-c]{2,50}|d",
];
const GRAMMARS = [
  "",
  "root",
  "root ::= root",
  'root ::= "a" root',
  'root ::= (((("a"',
  "root ::= undefined_rule",
  'root ::= "a"{1,99999}',
  `root ::= ${'("a" | '.repeat(300)}"b"${")".repeat(300)}`,
  'root ::= x x x x x x\nx ::= "a"* x? "b"?',
  "?start: /a/",
  "root ::= [a-z]{1,5}",
  "\u0000",
];

/** Stands for a schema too deep for JSON.stringify; `writeBody` puts it in. */
const DEEP = "@@deep@@";

export function writeBody(body: unknown): string {
  const depth = 4_000;
  const deep = `${'{"type":"object","properties":{"a":'.repeat(depth)}{}${"}}".repeat(depth)}`;
  return JSON.stringify(body).replaceAll(`"${DEEP}"`, deep);
}

function nested(depth: number): unknown {
  let schema: unknown = { type: "string" };
  for (let i = 0; i < depth; i++) {
    schema = { type: "object", properties: { a: schema }, required: ["a"] };
  }
  return schema;
}

function schemas(random: Random): unknown {
  return pick<() => unknown>(random, [
    () => false,
    () => ({ type: "strange" }),
    () => ({ $ref: "#" }),
    () => ({ $ref: "#/definitions/none" }),
    () => ({ $ref: "https://example.com/x" }),
    () => ({
      allOf: Array.from({ length: 30 }, () => ({
        anyOf: [{ type: "string" }, { type: "null" }, { minimum: 1 }],
      })),
    }),
    () => DEEP,
    () => nested(20),
    () => ({ type: "string", pattern: pick(random, REGEXES), maxLength: pick(random, [3, 500]) }),
    () => ({ enum: [] }),
    () => ({ enum: Array.from({ length: 3_000 }, (_, i) => `value ${i}`) }),
    () => ({
      properties: Object.fromEntries(Array.from({ length: 1_500 }, (_, i) => [`p${i}`, {}])),
    }),
    () => ({ type: "object", properties: { a: { $ref: "#" } }, required: ["a"] }),
    () => ({ type: "array", minItems: 10, maxItems: 2 }),
    () => ({ type: "integer", minimum: 5, maximum: 4 }),
    () => ({ type: "integer", multipleOf: pick(random, [0, 7, 299, 0.1, 1e9]) }),
    () => ({
      type: "number",
      minimum: pick(random, [1e300, 0.1, -5]),
      maximum: pick(random, [2, 1e-7]),
    }),
    () => ({ type: "string", minLength: 1e6, maxLength: 1e6 }),
    () => ({ not: {}, uniqueItems: true }),
    () => ({ patternProperties: { "(": {}, a: { type: "integer" } } }),
    () => ({ minLength: "x", required: 7, properties: [] }),
    () => ({ type: "object", properties: { ok: { type: "boolean" } } }),
    () => randomValue(random),
  ])();
}

/** Fields to put over a request. */
export function badConstraint(random: Random): Readonly<Record<string, unknown>> {
  switch (below(random, 8)) {
    case 0:
      return {
        response_format: {
          type: "json_schema",
          json_schema: { name: "x", schema: schemas(random) },
        },
      };
    case 1:
      return { structured_outputs: { json: schemas(random) } };
    case 2:
      return { guided_json: schemas(random) };
    case 3:
      return { structured_outputs: { regex: pick(random, REGEXES) } };
    case 4:
      return { structured_outputs: { grammar: pick(random, GRAMMARS) } };
    case 5:
      return { guided_choice: pick<unknown>(random, [[], [""], ["a", "b"], "a", [1]]) };
    case 6: {
      const tools = [{ type: "function", function: { name: "f", parameters: schemas(random) } }];
      return {
        tools,
        tool_choice: pick<unknown>(random, [
          "required",
          "auto",
          "none",
          { type: "function", function: { name: "f" } },
          "x",
        ]),
      };
    }
    default:
      return {
        response_format: pick<unknown>(random, [
          { type: "json_object" },
          { type: "structural_tag", structures: [], triggers: [] },
          { type: "structural_tag", format: { type: "regex", pattern: "a+" } },
          { type: "x" },
          {},
        ]),
      };
  }
}
