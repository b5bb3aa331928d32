import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { callsOf, type ParsedPart, textOf } from "../../../server/generation/parts.ts";
import { createOutputParser } from "../../../server/generation/tools/output-parser.ts";
import {
  createToolParser,
  TOOL_PARSERS,
  toolFormat,
} from "../../../server/generation/tools/registry.ts";
import { TOOL_SAMPLES, WEATHER } from "./tool-samples.ts";

interface Joined {
  readonly content: string;
  readonly reasoning: string;
  readonly calls: readonly { readonly name: string; readonly arguments: string }[];
}

const TOOLS = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: {
        type: "object",
        properties: {
          city: { type: "string" },
          days: { type: "integer" },
          exact: { type: "boolean" },
          tags: { type: "array" },
          place: { type: "object" },
          code: { type: ["string", "null"] },
        },
      },
    },
  },
];

function parse(name: string, pieces: readonly string[], reasoning?: "think" | "harmony"): Joined {
  const format = toolFormat(name);
  const parser = createOutputParser({
    reasoning,
    tools: format === undefined ? undefined : createToolParser(format, TOOLS),
    maxCalls: Number.POSITIVE_INFINITY,
    showReasoning: true,
  });
  const parts: ParsedPart[] = pieces.flatMap((piece) => [...parser.push(piece, [])]);
  parts.push(...parser.end());
  const begun = parts.flatMap((part) => (part.type === "call-start" ? [part] : []));
  // Each call begins once, in order, and says what it is.
  expect(begun.map((part) => part.call)).toEqual(begun.map((_, index) => index));
  expect(begun.every((part) => part.id !== "" && part.name !== "")).toBe(true);
  return {
    content: textOf(parts, "text-delta") ?? "",
    reasoning: textOf(parts, "reasoning-delta") ?? "",
    calls: callsOf(parts).map(({ name: called, arguments: text }) => ({
      name: called,
      arguments: text,
    })),
  };
}

describe.each(TOOL_SAMPLES)("$format: $what", (sample) => {
  const whole = parse(sample.format, [sample.text]);

  it("gives its calls and its content", () => {
    expect(whole.calls.map((call) => [call.name, JSON.parse(call.arguments)])).toEqual(
      sample.calls,
    );
    expect(whole.content).toBe(sample.content ?? "");
  });

  it("gives the same for any split", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: sample.text.length }), { maxLength: 12 }),
        (cuts) => {
          expect(parse(sample.format, split(sample.text, cuts))).toEqual(whole);
        },
      ),
      { numRuns: 60, seed: 7 },
    );
    expect(parse(sample.format, Array.from(sample.text))).toEqual(whole);
  });
});

describe("any text", () => {
  const marks = [
    "<tool_call>",
    "</tool_call>",
    '{"name": "f", "arguments": {',
    '"a": 1',
    "}}",
    "[TOOL_CALLS]",
    "f",
    "[",
    "]",
    "<function=f>",
    "<parameter=a>",
    "</parameter>",
    "</function>",
    "(",
    "a=1",
    ")",
    ",",
    " ",
    "<|python_tag|>",
    "; ",
    "é🙂",
    "\n",
    '"',
    "\\",
  ];

  it.each([...TOOL_PARSERS])("%s gives the same for any split, and never throws", (name) => {
    const text = fc
      .array(fc.constantFrom(...marks), { maxLength: 14 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, fc.array(fc.nat(120), { maxLength: 8 }), (value, cuts) => {
        expect(parse(name, split(value, cuts))).toEqual(parse(name, [value]));
      }),
      { numRuns: 300, seed: 11 },
    );
  });

  it.each([...TOOL_PARSERS])("%s passes plain text on unchanged", (name) => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom("a", "Z", "9", " ", "\n", ".", "é", "🙂"),
          maxLength: 40,
        }),
        (value) => {
          expect(parse(name, [value])).toEqual({ content: value, reasoning: "", calls: [] });
        },
      ),
      { numRuns: 100, seed: 3 },
    );
  });
});

describe("a call cut off by the length", () => {
  it.each([
    ["hermes", '<tool_call>{"name": "f", "arguments": {"a": "lon', "f", '{"a": "lon'],
    ["mistral", '[TOOL_CALLS]f{"a": [1', "f", '{"a": [1'],
    ["pythonic", "[f(a=1, b='lon", "f", '{"a": 1}'],
    ["qwen3_xml", "<tool_call><function=f><parameter=a>lon", "f", '{"a": "lon"}'],
  ])("%s keeps what came", (format, text, name, args) => {
    expect(parse(format, [text])).toEqual({
      content: "",
      reasoning: "",
      calls: [{ name, arguments: args }],
    });
  });
});

describe("reasoning", () => {
  const cases: readonly (readonly [string, "think" | "harmony", Joined])[] = [
    ["<think>\nhm\n</think>\n\nHi", "think", { reasoning: "\nhm\n", content: "\n\nHi", calls: [] }],
    [
      "hm</think>Hi </think> there",
      "think",
      { reasoning: "hm", content: "Hi </think> there", calls: [] },
    ],
    ["no end <think", "think", { reasoning: "no end <think", content: "", calls: [] }],
    [
      '<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a":1}<|call|>',
      "harmony",
      { reasoning: "hm", content: "", calls: [{ name: "f", arguments: '{"a":1}' }] },
    ],
    [
      "<|channel|>final<|message|>Hi<|return|>",
      "harmony",
      { reasoning: "", content: "Hi", calls: [] },
    ],
    ["plain", "harmony", { reasoning: "", content: "plain", calls: [] }],
  ];

  it.each(cases)("splits %j, however it is cut", (text, kind, expected) => {
    expect(parse("none", [text], kind)).toEqual(expected);
    expect(parse("none", Array.from(text), kind)).toEqual(expected);
  });

  it("goes before tools", () => {
    const text = `<think>call <tool_call>?</think>\n<tool_call>${WEATHER}</tool_call>`;
    const joined = parse("hermes", Array.from(text), "think");
    expect(joined.reasoning).toBe("call <tool_call>?");
    expect(joined.content).toBe("");
    expect(joined.calls).toHaveLength(1);
  });
});

function split(text: string, cuts: readonly number[]): string[] {
  const at = [...new Set([0, ...cuts.map((cut) => Math.min(cut, text.length)), text.length])].sort(
    (a, b) => a - b,
  );
  return at.slice(1).map((end, i) => text.slice(at[i], end));
}

describe("a call with fields of its own", () => {
  it.each([
    ['{"id": 7, "name": "f", "arguments": {"a": 1}}'],
    ['{"name": "f", "id": 7, "arguments": {"a": 1}}'],
    ['{"name": "f", "arguments": {"a": 1}, "id": 7}'],
    ['{"name": "f", "arguments": {"a": 1}, "id": 7 , "sure": true}'],
  ])("is read past numbers and words: %s", (text) => {
    for (const pieces of [
      [`<tool_call>${text}</tool_call>`],
      Array.from(`<tool_call>${text}</tool_call>`),
    ]) {
      expect(parse("hermes", pieces).calls).toEqual([{ name: "f", arguments: '{"a": 1}' }]);
    }
  });

  it("is none where a number is followed by what ends no value", () => {
    expect(parse("hermes", ['<tool_call>{"id": 7; "name": "f"}</tool_call>']).calls).toEqual([]);
  });
});
