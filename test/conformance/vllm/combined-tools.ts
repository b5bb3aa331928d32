/** Tools and constraints of chats, with other options. */
import type { VllmCase } from "./case.ts";
import { eachWay, type Row } from "./each-way.ts";

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    description: "Weather of a city",
  },
};
const mood = {
  type: "function",
  function: {
    name: "set_mood",
    parameters: {
      type: "object",
      properties: { mood: { type: "string", enum: ["calm", "bright"] } },
      required: ["mood"],
      additionalProperties: false,
    },
  },
};

const user = (content: string) => [{ role: "user", content }];
const ask = user("What is the weather in Rome?");
const two = user("What is the weather in Rome and in Oslo?");
const calm = user("Be calm.");
const time = user("What time is it?");

const rows: readonly Row[] = [
  ["token ids, tools", { max_tokens: 60, return_token_ids: true, tools: [weather] }, "usage", ask],
  ["tools two calls", { max_tokens: 90, tools: [weather] }, "usage", two],
  [
    "tools one call of two",
    { max_tokens: 90, tools: [weather], parallel_tool_calls: false },
    "usage",
    two,
  ],
  [
    "tools parallel true",
    { max_tokens: 90, tools: [weather], parallel_tool_calls: true },
    "plain",
    two,
  ],
  ["tools continuous", { max_tokens: 60, tools: [weather] }, "all along", ask],
  ["tools required cut", { max_tokens: 6, tools: [mood], tool_choice: "required" }, "plain", calm],
  [
    "tools named cut",
    {
      max_tokens: 3,
      tools: [mood],
      tool_choice: { type: "function", function: { name: "set_mood" } },
    },
    "plain",
    calm,
  ],
  ["tools none asked", { max_tokens: 40, tools: [weather], tool_choice: "none" }, "usage", ask],
  ["tools stop", { max_tokens: 60, tools: [weather], stop: ["}"] }, "plain", ask],
  [
    "tools skip special",
    { max_tokens: 60, tools: [weather], skip_special_tokens: false },
    "plain",
    ask,
  ],
  [
    "tools bare",
    { max_tokens: 40, tools: [{ type: "function", function: { name: "now" } }] },
    "plain",
    time,
  ],
  [
    "tools parameters null",
    { max_tokens: 40, tools: [{ type: "function", function: { name: "now", parameters: null } }] },
    "plain",
    time,
  ],
  [
    "tools strict",
    {
      max_tokens: 60,
      tools: [
        {
          type: "function",
          function: {
            name: "get_weather",
            parameters: {
              type: "object",
              properties: { city: { type: "string" } },
              required: ["city"],
            },
            strict: true,
          },
        },
      ],
    },
    "plain",
    ask,
  ],
  [
    "tools after result",
    { max_tokens: 40, tools: [weather] },
    "usage",
    [
      ...ask,
      {
        role: "assistant",
        content: "",
        tool_calls: [
          {
            id: "call_abcdefghi",
            type: "function",
            function: { name: "get_weather", arguments: '{"city":"Rome"}' },
          },
        ],
      },
      { role: "tool", tool_call_id: "call_abcdefghi", content: [{ type: "text", text: "sunny" }] },
    ],
  ],
  [
    "tools two results",
    { max_tokens: 40, tools: [weather] },
    "plain",
    [
      ...two,
      {
        role: "assistant",
        content: null,
        tool_calls: [
          {
            id: "a1",
            type: "function",
            function: { name: "get_weather", arguments: '{"city":"Rome"}' },
          },
          {
            id: "a2",
            type: "function",
            function: { name: "get_weather", arguments: '{"city":"Oslo"}' },
          },
        ],
      },
      { role: "tool", tool_call_id: "a1", content: "sun" },
      { role: "tool", tool_call_id: "a2", content: "snow" },
    ],
  ],
  [
    "tool result json object args",
    { max_tokens: 20 },
    "plain",
    [
      ...ask,
      {
        role: "assistant",
        tool_calls: [
          { id: "a1", type: "function", function: { name: "get_weather", arguments: "" } },
        ],
      },
      { role: "tool", tool_call_id: "a1", content: "sun" },
    ],
  ],
  [
    "schema with tools auto",
    {
      max_tokens: 20,
      tools: [weather],
      response_format: {
        type: "json_schema",
        json_schema: { name: "x", schema: { enum: ["cold", "warm"] } },
      },
    },
    "plain",
    ask,
  ],
  [
    "choice logprobs",
    { structured_outputs: { choice: ["red", "green"] }, logprobs: true, top_logprobs: 2 },
    "plain",
  ],
  [
    "choice ids",
    { structured_outputs: { choice: ["red", "green"] }, return_token_ids: true },
    "usage",
  ],
  ["choice unicode", { structured_outputs: { choice: ["ja 🐈", "né"] } }, "plain"],
  [
    "regex date",
    { max_tokens: 30, structured_outputs: { regex: "(19|20)\\d\\d-(0[1-9]|1[0-2])-[0-3]\\d" } },
    "usage",
  ],
  ["regex cut", { max_tokens: 7, structured_outputs: { regex: "[a-c]{200}" } }, "usage"],
  [
    "regex with stop",
    { max_tokens: 20, structured_outputs: { regex: "(yes|no), (yes|no)" }, stop: [","] },
    "plain",
  ],
  [
    "regex ignore_eos",
    { max_tokens: 6, structured_outputs: { regex: "yes|no" }, ignore_eos: true },
    "plain",
  ],
  [
    "regex min_tokens",
    { max_tokens: 8, structured_outputs: { regex: "(yes|no)+" }, min_tokens: 4 },
    "plain",
  ],
  [
    "grammar",
    {
      max_tokens: 30,
      structured_outputs: {
        grammar: 'root ::= "SELECT " col " FROM " tab\ncol ::= "a" | "b"\ntab ::= "t" [0-9]',
      },
    },
    "usage",
  ],
  [
    "json number enum text",
    { max_tokens: 20, structured_outputs: { json: '{"enum":[1,"two",null,true]}' } },
    "plain",
  ],
  [
    "structural tag",
    {
      max_tokens: 12,
      response_format: {
        type: "structural_tag",
        structures: [{ begin: "<f>", schema: { enum: ["x"] }, end: "</f>" }],
        triggers: ["<f>"],
      },
    },
    "plain",
  ],
  ["format text", { response_format: { type: "text" } }, "usage"],
];

export const combinedToolCases: readonly VllmCase[] = eachWay(rows, "chat");
