import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OutputPart } from "../../../server/generation/parser.ts";
import { createOutputParser } from "../../../server/generation/tools/output-parser.ts";
import {
  createToolParser,
  TOOL_PARSERS,
  toolFormat,
} from "../../../server/generation/tools/registry.ts";

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
  let content = "";
  let thought = "";
  const calls: { name: string; arguments: string }[] = [];
  const take = (part: OutputPart) => {
    content += part.content ?? "";
    thought += part.reasoning ?? "";
    for (const delta of part.toolCalls ?? []) {
      const known = calls[delta.index];
      if (known === undefined) {
        // The first delta of a call says what it is.
        expect(delta.id).toBeTruthy();
        expect(delta.name).toBeTruthy();
        calls[delta.index] = { name: delta.name ?? "", arguments: delta.arguments ?? "" };
      } else {
        expect(delta.id).toBeUndefined();
        expect(delta.name).toBeUndefined();
        known.arguments += delta.arguments ?? "";
      }
    }
  };
  for (const piece of pieces) take(parser.push(piece, []));
  take(parser.end());
  return { content, reasoning: thought, calls };
}

interface Sample {
  readonly format: string;
  readonly what: string;
  readonly text: string;
  readonly content?: string;
  readonly calls: readonly (readonly [name: string, args: unknown])[];
}

const WEATHER = '{"name": "get_weather", "arguments": {"city": "Paris, \\"FR\\"", "days": 3}}';

const SAMPLES: readonly Sample[] = [
  {
    format: "hermes",
    what: "one call",
    text: `<tool_call>\n${WEATHER}\n</tool_call>`,
    calls: [["get_weather", { city: 'Paris, "FR"', days: 3 }]],
  },
  {
    format: "hermes",
    what: "text before",
    text: `I will look.\n<tool_call>\n${WEATHER}\n</tool_call>`,
    content: "I will look.\n",
    calls: [["get_weather", { city: 'Paris, "FR"', days: 3 }]],
  },
  {
    format: "hermes",
    what: "two calls, blank lines",
    text: `\n\n<tool_call>${WEATHER}</tool_call>\n<tool_call>\n{"arguments": {"a": [1, {"b": "}"}]}, "name": "other"}\n</tool_call>\n`,
    calls: [
      ["get_weather", { city: 'Paris, "FR"', days: 3 }],
      ["other", { a: [1, { b: "}" }] }],
    ],
  },
  {
    format: "hermes",
    what: "no arguments",
    text: '<tool_call>{"name": "now"}</tool_call>',
    calls: [["now", {}]],
  },
  {
    format: "hermes",
    what: "arguments as text",
    text: '<tool_call>{"name": "f", "arguments": "{\\"a\\": 1}"}</tool_call>',
    calls: [["f", { a: 1 }]],
  },
  {
    format: "hermes",
    what: "the closing tag inside a string",
    text: '<tool_call>{"name": "f", "arguments": {"html": "</tool_call>"}}</tool_call>',
    calls: [["f", { html: "</tool_call>" }]],
  },
  {
    format: "hermes",
    what: "not a call",
    text: "a <tool_call> b </tool_call> c <tool",
    content: "a <tool_call> b </tool_call> c <tool",
    calls: [],
  },
  {
    format: "hermes",
    what: "a broken one, then a call",
    text: `<tool_call>{"x": 1}</tool_call><tool_call>${WEATHER}</tool_call>`,
    content: '<tool_call>{"x": 1}</tool_call>',
    calls: [["get_weather", { city: 'Paris, "FR"', days: 3 }]],
  },
  {
    format: "hermes",
    what: "plain text",
    text: "Hello, world.\n",
    content: "Hello, world.\n",
    calls: [],
  },
  {
    format: "llama3_json",
    what: "one call",
    text: '{"name": "get_weather", "parameters": {"city": "Oslo"}}',
    calls: [["get_weather", { city: "Oslo" }]],
  },
  {
    format: "llama3_json",
    what: "tagged, two calls",
    text: '<|python_tag|>{"name": "a", "parameters": {"x": 1}}; {"name": "b", "arguments": {}}',
    calls: [
      ["a", { x: 1 }],
      ["b", {}],
    ],
  },
  {
    format: "llama3_json",
    what: "JSON that is no call",
    text: '{"answer": 42} is it',
    content: '{"answer": 42} is it',
    calls: [],
  },
  {
    format: "llama3_json",
    what: "code after the tag",
    text: "<|python_tag|>print(1)",
    content: "<|python_tag|>print(1)",
    calls: [],
  },
  {
    format: "llama3_json",
    what: "text",
    text: "Sure. {not a call}",
    content: "Sure. {not a call}",
    calls: [],
  },
  {
    format: "mistral",
    what: "a list",
    text: '[TOOL_CALLS] [{"name": "a", "arguments": {"x": [1, 2]}}, {"name": "b", "arguments": {"y": "]"}}]',
    calls: [
      ["a", { x: [1, 2] }],
      ["b", { y: "]" }],
    ],
  },
  {
    format: "mistral",
    what: "names first",
    text: 'Wait.[TOOL_CALLS]get_weather{"city": "Rome"}[TOOL_CALLS]other[ARGS]{"z": {"q": null}}',
    content: "Wait.",
    calls: [
      ["get_weather", { city: "Rome" }],
      ["other", { z: { q: null } }],
    ],
  },
  {
    format: "mistral",
    what: "with call ids",
    text: '[TOOL_CALLS]f[CALL_ID]abcdef123[ARGS]{"x": 1}',
    calls: [["f", { x: 1 }]],
  },
  {
    format: "mistral",
    what: "text with brackets",
    text: "See [TOOL] or [1].",
    content: "See [TOOL] or [1].",
    calls: [],
  },
  {
    format: "qwen3_xml",
    what: "typed values",
    text: '<tool_call>\n<function=get_weather>\n<parameter=city>\nNew\nYork\n</parameter>\n<parameter=days>\n3\n</parameter>\n<parameter=exact>\nTrue\n</parameter>\n<parameter=tags>\n["a", 1]\n</parameter>\n<parameter=code>\nnull\n</parameter>\n</function>\n</tool_call>',
    calls: [
      ["get_weather", { city: "New\nYork", days: 3, exact: true, tags: ["a", 1], code: null }],
    ],
  },
  {
    format: "qwen3_coder",
    what: "two, one without arguments",
    text: "Ok.\n<tool_call>\n<function=now>\n</function>\n</tool_call>\n<tool_call>\n<function=get_weather>\n<parameter=city>\n<b>42</b>\n</parameter>\n</function>\n</tool_call>",
    content: "Ok.\n",
    calls: [
      ["now", {}],
      ["get_weather", { city: "<b>42</b>" }],
    ],
  },
  {
    format: "qwen3_xml",
    what: "without the outer tag",
    text: "<function=get_weather><parameter=days>seven</parameter></function>",
    calls: [["get_weather", { days: "seven" }]],
  },
  {
    format: "qwen3_xml",
    what: "markup that is no call",
    text: "<tool_call>nothing</tool_call> <function>",
    content: "<tool_call>nothing</tool_call> <function>",
    calls: [],
  },
  {
    format: "pythonic",
    what: "two calls",
    text: "[get_weather(city='Paris', days=3, exact=True), other.tool(x=[1, -2.5], y={\"a\": None, 'b': (1, 2)}, z=\"it's\\n\")]",
    calls: [
      ["get_weather", { city: "Paris", days: 3, exact: true }],
      ["other.tool", { x: [1, -2.5], y: { a: null, b: [1, 2] }, z: "it's\n" }],
    ],
  },
  { format: "pythonic", what: "no arguments", text: "[now()]", calls: [["now", {}]] },
  {
    format: "pythonic",
    what: "a list that is no call",
    text: "[1, 2, 3] are numbers",
    content: "[1, 2, 3] are numbers",
    calls: [],
  },
  {
    format: "pythonic",
    what: "positional arguments",
    text: "[see(above)]",
    content: "[see(above)]",
    calls: [],
  },
  { format: "pythonic", what: "text", text: "Hello [now()]", content: "Hello [now()]", calls: [] },
];

describe.each(SAMPLES)("$format: $what", (sample) => {
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
