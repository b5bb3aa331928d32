/** The fields that ask for structured output, to one specification or to a refusal that names one of them. */
import { describe, expect, it } from "vitest";
import type { OutputFields } from "../../../server/generation/planner.ts";
import { structuredSpec } from "../../../server/grammar/fields.ts";

const spec = (fields: object) => structuredSpec(fields as OutputFields);
const schema = { type: "object" };

describe("structured output", () => {
  it.each([
    [{}, undefined],
    [{ response_format: null, structured_outputs: null, guided_json: null }, undefined],
    [{ response_format: { type: "text" } }, undefined],
    [{ response_format: { type: "json_object" } }, { kind: "object", compact: false }],
    [{ guided_json_object: true }, { kind: "object", compact: false }],
    [{ guided_json_object: false }, undefined],
    [
      { response_format: { type: "json_schema", json_schema: { schema } } },
      { kind: "json", schema, compact: false },
    ],
    [
      { structured_outputs: { json: schema, disable_any_whitespace: true } },
      { kind: "json", schema, compact: true },
    ],
    [{ structured_outputs: { json: JSON.stringify(schema) } }, { kind: "json", schema }],
    [{ structured_outputs: { json_object: true } }, { kind: "object" }],
    [{ structured_outputs: { regex: "a+" } }, { kind: "regex" }],
    [{ guided_choice: ["a", "b"] }, { kind: "choice" }],
    [{ structured_outputs: { grammar: 'root ::= "a"' } }, { kind: "grammar" }],
  ])("%j", (fields, wanted) => {
    const found = spec(fields);
    if (wanted === undefined) expect(found).toBeUndefined();
    else expect(found?.spec).toMatchObject(wanted);
  });

  it.each([
    [{ response_format: "json" }, "`response_format` must be an object"],
    [{ response_format: { type: "yaml" } }, 'Invalid value for `response_format.type`: "yaml"'],
    [{ response_format: { type: "json_schema" } }, "must be an object with a `schema`"],
    [{ response_format: { type: "json_schema", json_schema: {} } }, "constraint"],
    [{ structured_outputs: [] }, "`structured_outputs` must be an object"],
    [{ structured_outputs: { choice: [] } }, "cannot be an empty list"],
    [
      { structured_outputs: { grammar: " " } },
      "structured_outputs.grammar cannot be an empty string",
    ],
    [{ structured_outputs: { json: "" } }, "structured_outputs.json cannot be an empty string"],
    [{ structured_outputs: { json_object: false } }, "json_object must be True if set"],
    [{ structured_outputs: { structural_tag: "" } }, "structural_tag specification"],
    [{ structured_outputs: { regex: "a\u0000" } }, "must not contain a NUL character"],
    [{ guided_regex: "a", guided_choice: ["a"] }, "`guided_regex` and `guided_choice` were given"],
    [
      { response_format: { type: "json_object" }, structured_outputs: { regex: "a" } },
      "but multiple are specified: {'json': None, 'regex': 'a'",
    ],
    [
      {
        response_format: { type: "json_schema", json_schema: { schema } },
        structured_outputs: { regex: "a" },
      },
      "but multiple are specified: {'json': {'type': 'object'}, 'regex': 'a'",
    ],
  ])("refuses %j", (fields, why) => {
    expect(() => spec(fields)).toThrow(why);
  });
});
