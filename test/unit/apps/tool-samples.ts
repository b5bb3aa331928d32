/** Outputs of models that call tools, and what they say. */
export interface ToolSample {
  readonly format: string;
  readonly what: string;
  readonly text: string;
  readonly content?: string;
  readonly calls: readonly (readonly [name: string, args: unknown])[];
}

export const WEATHER =
  '{"name": "get_weather", "arguments": {"city": "Paris, \\"FR\\"", "days": 3}}';

export const TOOL_SAMPLES: readonly ToolSample[] = [
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
    what: "no arguments at all, after a field of another name",
    text: '<tool_call>{"n": 1, "name": "f", "arguments": null}</tool_call><tool_call>{"name": "g", "n": 1}</tool_call>',
    calls: [
      ["f", {}],
      ["g", {}],
    ],
  },
  {
    format: "hermes",
    what: "arguments as text that is no JSON",
    text: '<tool_call>{"name": "f", "arguments": "a, b"}</tool_call>',
    calls: [["f", "a, b"]],
  },
  ...[
    "{}",
    "{name: 1}",
    '{"name" 1}',
    '{"name": }',
    '{"name": 3}',
    '{"name": ""}',
    "[1]",
    '{"\\q": 1}',
  ].map((inner) => ({
    format: "hermes",
    what: `${inner}, which is no call`,
    text: `<tool_call>${inner}</tool_call> and on`,
    content: `<tool_call>${inner}</tool_call> and on`,
    calls: [],
  })),
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
