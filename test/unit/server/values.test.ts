/** Values that come written otherwise than as JSON: arguments of calls, Python literals, defaults of a folder. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { soon } from "../../../models/soon.ts";
import { parseSettings } from "../../../server/config.ts";
import { jsonArgument, parameterTypes } from "../../../server/generation/tools/arguments.ts";
import { PythonReader } from "../../../server/generation/tools/python-literal.ts";
import { hexId, uuidDigits } from "../../../server/hex-id.ts";
import { samplingDefaults } from "../../../server/world/generation-defaults.ts";
import { speculativeConfig } from "../../../server/world/speculation.ts";

describe("types of a tool's parameters", () => {
  const typesOf = (properties: object, more: object = {}) => {
    const parameters = { type: "object", properties, ...more };
    const types = parameterTypes([{ type: "function", function: { name: "f", parameters } }]);
    return Object.fromEntries(types.get("f") ?? []);
  };

  it.each([
    [{ type: "integer" }, ["integer"]],
    [{ type: ["string", "null", 3] }, ["string", "null"]],
    [{ anyOf: [{ type: "string" }, { type: "number" }] }, ["string", "number"]],
    [{ oneOf: [{ const: 1 }, { const: null }] }, ["number", "null"]],
    [{ allOf: [{ type: "array" }] }, ["array"]],
    [{ enum: ["a", 1, null, true, "b"] }, ["string", "number", "null", "boolean"]],
    [{ const: "x" }, ["string"]],
    [{ properties: {} }, ["object"]],
    [{ items: {} }, ["array"]],
    [{}, []],
    [true, []],
    [{ $ref: "#/$defs/City" }, ["string"]],
    [{ $ref: "#/$defs/Gone" }, []],
    [{ $ref: "other.json#/City" }, []],
    [{ $ref: "#/$defs/Loop" }, []],
    [{ $ref: "#/$defs/a~1b" }, ["boolean"]],
  ])("%j are %j", (schema, types) => {
    const $defs = {
      City: { type: "string" },
      Loop: { $ref: "#/$defs/Loop" },
      "a/b": { type: "boolean" },
    };
    expect(typesOf({ p: schema }, { $defs })).toEqual({ p: types });
  });

  it("are read of flat tools too, and of none without a name", () => {
    const parameters = { properties: { p: { type: "string" } } };
    expect(parameterTypes([{ name: "g", parameters }, {}, 3, { name: "h" }])).toEqual(
      new Map([
        ["g", new Map([["p", ["string"]]])],
        ["h", new Map()],
      ]),
    );
  });
});

describe("an argument written plain", () => {
  it.each([
    ["3", ["integer"], "3"],
    ["3.5", ["integer"], "3.5"],
    ["3.5", ["number"], "3.5"],
    ["3", ["string"], '"3"'],
    [" Null ", ["null"], "null"],
    ["TRUE", ["bool"], "true"],
    ["0", ["boolean"], "false"],
    ["false", ["boolean"], "false"],
    ["maybe", ["boolean"], '"maybe"'],
    ["[1]", ["list"], "[1]"],
    ["[1]", ["object"], "[1]"],
    ['{"a":1}', ["dict"], '{"a":1}'],
    ['{"a":1}', ["string"], '"{\\"a\\":1}"'],
    ["text", [], '"text"'],
    ["3", [], '"3"'],
  ])("%s as %j is %s", (text, types, json) => {
    expect(jsonArgument(text, types)).toBe(json);
  });
});

describe("a Python literal", () => {
  const read = (text: string): string | undefined => {
    const reader = new PythonReader();
    for (const char of `${text} `) {
      const turn = reader.push(char);
      if (turn === "failed") return undefined;
      if (turn !== "more") return reader.json;
    }
    return undefined;
  };

  it.each([
    ["'a'", '"a"'],
    ['"\\x41\\u00e9\\U0001f642"', '"Aé🙂"'],
    ["'\\n\\q'", '"\\n\\\\q"'],
    ["'''it's'''", '"it\'s"'],
    ["''", '""'],
    ["True", "true"],
    ["None", "null"],
    ["-1.5e3", "-1.5e3"],
    ["+7", "7"],
    [".5", "0.5"],
    ["1_000", "1000"],
    ["007", "7"],
    ["-0x1f", "-31"],
    ["0x20000000000001", "9007199254740993"],
    [`0b1${"0".repeat(1_100)}`, String(2n ** 1_100n)],
    ["[1, (2, 'b'), []]", '[1, [2, "b"], []]'],
    ["{'a': {'b': None}, }", '{"a": {"b": null}}'],
    ["()", "[]"],
  ])("%s is %s", (text, json) => {
    const found = read(text);
    expect(found === undefined ? undefined : JSON.parse(found)).toEqual(JSON.parse(json));
  });

  it.each([
    "'\\xZZ'",
    "'\\U00110000'",
    "Maybe",
    "1.2.3",
    "{1 2}",
    "[1 2]",
    "{:}",
    "]",
    "1e999",
    "{'a'}",
    "@",
  ])("%s is none", (text) => {
    expect(read(text)).toBeUndefined();
  });
});

describe("sampling defaults", () => {
  const model = { eosTokenIds: [2], temperature: 0.6, topK: 20 };
  const of = (source: string, over: object = {}) =>
    samplingDefaults(model, {
      "generation-config": source,
      "override-generation-config": over as never, // checked key by key
    });
  const folder = (text: string): string => {
    const path = mkdtempSync(join(tmpdir(), "defaults-"));
    writeFileSync(join(path, "generation_config.json"), text);
    return path;
  };

  it("are the model's, none, a folder's, and above all those given", () => {
    expect(of("auto")).toEqual(model);
    expect(of("vllm")).toEqual({ eosTokenIds: [2] });
    expect(of("auto", { top_p: 0.5, top_k: null })).toEqual({ ...model, topP: 0.5 });
    const given = folder('{"temperature": 0.1, "max_new_tokens": 9, "top_k": null}');
    expect(of(given)).toMatchObject({ temperature: 0.1, maxNewTokens: 9, newTokensCap: 9 });
    expect(of("auto", { max_new_tokens: 5 })).toMatchObject({ newTokensCap: 5 });
  });

  it("are refused with the file or the flag", () => {
    expect(() => of("auto", { top_p: "warm" })).toThrow(/--override-generation-config: top_p/);
    const broken = folder("{");
    expect(() => of(broken)).toThrow(`--generation-config: cannot read ${broken}`);
    expect(() => of(folder('{"top_k": "many"}'))).toThrow("top_k must be a number");
  });

  it("of drafting name the key that is wrong", () => {
    const config = (text: string) =>
      speculativeConfig(parseSettings(["--speculative-config", text]).settings);
    expect(config('{"method": "ngram", "num_speculative_tokens": 2}')?.maxTokens).toBe(2);
    expect(() => config('{"method": "tea leaves"}')).toThrow(/^--speculative-config: /);
    expect(speculativeConfig(parseSettings([]).settings)).toBeUndefined();
  });
});

it.each([
  ["64 random bits", hexId, /^[0-9a-f]{16}$/],
  ["a random UUID", uuidDigits, /^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/],
])("ids are the digits of %s, none of them twice", (_bits, make, digits) => {
  const ids = Array.from({ length: 600 }, make); // more than are drawn at once
  expect(new Set(ids).size).toBe(600);
  for (const id of ids) expect(id).toMatch(digits);
});

describe("what is there soon", () => {
  it("goes on at once where the value is there, and when it comes where it is not", async () => {
    const twice = (value: number): number => {
      if (value < 0) throw new RangeError("less than nothing");
      return 2 * value;
    };
    expect(soon(2, twice)).toBe(4);
    expect(() => soon(-1, twice)).toThrow(RangeError);
    expect(await soon(Promise.resolve(3), twice)).toBe(6);
    await expect(soon(Promise.resolve(-1), twice)).rejects.toThrow(RangeError);
    expect(soon(1, (value) => soon(twice(value), twice))).toBe(4);
  });
});
