/** Streams and whole answers of the same requests: deltas, ends, usage, tools, structure. */
import { chat, completion, story, type VllmCase } from "./case.ts";

const usage = { stream_options: { include_usage: true } };
const continuous = { stream_options: { include_usage: true, continuous_usage_stats: true } };

const user = (content: string) => [{ role: "user", content }];

const tool = (name: string, properties: object, required: readonly string[]) => ({
  type: "function",
  function: {
    name,
    description: `Gets ${name}`,
    parameters: { type: "object", properties, required },
  },
});
const tools = [
  tool("get_weather", { city: { type: "string" } }, ["city"]),
  tool("get_time", { zone: { type: "string" } }, ["zone"]),
];
const ask = user("What is the weather in Rome?");
const called = [
  ...ask,
  {
    role: "assistant",
    content: null,
    tool_calls: [
      {
        id: "call_1",
        type: "function",
        function: { name: "get_weather", arguments: '{"city": "Rome"}' },
      },
    ],
  },
  { role: "tool", tool_call_id: "call_1", content: "Sunny" },
];
const schema = {
  type: "object",
  properties: { n: { type: "integer", minimum: 0, maximum: 9 }, ok: { type: "boolean" } },
  required: ["n", "ok"],
  additionalProperties: false,
};

/** Name, fields, messages. */
const chats: readonly (readonly [string, object, unknown?])[] = [
  ["plain", {}],
  ["one token", { max_tokens: 1 }],
  ["to its own end", { max_tokens: 150 }, user("Bye")],
  [
    "two system messages",
    {},
    [{ role: "system", content: "Be kind." }, { role: "system", content: "Be brief." }, ...story],
  ],
  ["a developer's message", {}, [{ role: "developer", content: "Be kind." }, ...story]],
  [
    "text parts",
    {},
    [
      {
        role: "user",
        content: [
          { type: "text", text: "A story" },
          { type: "text", text: "of a cat" },
        ],
      },
    ],
  ],
  ["no content", {}, [{ role: "user" }]],
  ["an assistant last", {}, [...story, { role: "assistant", content: "Once" }]],
  [
    "a continued message",
    { add_generation_prompt: false, continue_final_message: true },
    [...story, { role: "assistant", content: "Once upon" }],
  ],
  ["a continued user's message", { add_generation_prompt: false, continue_final_message: true }],
  [
    "echo of an assistant",
    { echo: true, add_generation_prompt: false, continue_final_message: true },
    [...story, { role: "assistant", content: "Once" }],
  ],
  ["an unknown role", {}, [{ role: "critic", content: "Well." }]],
  ["a name", {}, [{ role: "user", name: "Ann", content: "Hi" }]],
  [
    "reasoning_content",
    {},
    [...story, { role: "assistant", content: "x", reasoning_content: "y" }, ...story],
  ],
  ["logprobs", { logprobs: true, top_logprobs: 1, max_tokens: 2 }],
  ["ids", { return_token_ids: true, max_tokens: 2 }],
  ["the prompt's text", { return_prompt_text: true, max_tokens: 2 }],
  ["stop of one word", { stop: " girl", max_tokens: 30 }],
  ["stop of one character", { stop: "w", max_tokens: 30 }],
  ["stop of three", { stop: ["never", " named", "zzz"], max_tokens: 30 }],
  ["stop kept", { stop: ["was"], include_stop_str_in_output: true, max_tokens: 30 }],
  ["stop after min_tokens", { stop: ["a"], min_tokens: 8, max_tokens: 30 }],
  ["stop that never comes", { stop: ["xyzzyx"], max_tokens: 8 }],
  ["stop that is the whole output", { stop: ["O", "T"], max_tokens: 8 }],
  ["a stop token", { stop_token_ids: [261, 263, 270], max_tokens: 30 }],
  [
    "a stop token kept",
    { stop_token_ids: [261, 263, 270], include_stop_str_in_output: true, max_tokens: 30 },
  ],
  ["ignore_eos", { ignore_eos: true, max_tokens: 60 }, user("Bye")],
  ["special tokens shown", { skip_special_tokens: false, max_tokens: 120 }, user("Bye")],
  ["tools", { tools, max_tokens: 50 }, ask],
  ["tools auto", { tools, tool_choice: "auto", max_tokens: 50 }, ask],
  ["tools none", { tools, tool_choice: "none", max_tokens: 12 }, ask],
  ["tools cut off in the name", { tools, max_tokens: 4 }, ask],
  ["tools cut off in the arguments", { tools, max_tokens: 14 }, ask],
  ["tools with logprobs", { tools, logprobs: true, max_tokens: 50 }, ask],
  ["tools with ids", { tools, return_token_ids: true, max_tokens: 50 }, ask],
  ["tools, one at a time", { tools, parallel_tool_calls: false, max_tokens: 50 }, ask],
  ["tools that are not needed", { tools, max_tokens: 10 }],
  ["a tool's result", { tools, max_tokens: 20 }, called],
  [
    "a tool's result in parts",
    { tools, max_tokens: 20 },
    [
      ...called.slice(0, 2),
      { role: "tool", tool_call_id: "call_1", content: [{ type: "text", text: "Rain" }] },
    ],
  ],
  ["a choice", { structured_outputs: { choice: ["yes", "no"] }, max_tokens: 10 }],
  ["a regex", { structured_outputs: { regex: "[a-c]{4}" }, max_tokens: 10 }],
  ["a grammar", { structured_outputs: { grammar: 'root ::= "left" | "right"' }, max_tokens: 10 }],
  ["a schema", { structured_outputs: { json: schema }, max_tokens: 40 }],
  ["a schema as text", { structured_outputs: { json: JSON.stringify(schema) }, max_tokens: 40 }],
  [
    "response_format json_schema",
    {
      response_format: { type: "json_schema", json_schema: { name: "a", schema } },
      max_tokens: 40,
    },
  ],
  [
    "response_format json_schema, strict",
    {
      response_format: { type: "json_schema", json_schema: { name: "a", strict: true, schema } },
      max_tokens: 40,
    },
  ],
  ["response_format text", { response_format: { type: "text" } }],
];

const texts: readonly (readonly [string, object])[] = [
  ["plain", {}],
  ["one token", { max_tokens: 1 }],
  ["nothing said of max_tokens", { max_tokens: undefined }],
  ["to its own end", { prompt: "The end.", max_tokens: 40 }],
  ["logprobs", { logprobs: 2, max_tokens: 2 }],
  ["echo", { echo: true, max_tokens: 2 }],
  ["echo with logprobs", { echo: true, logprobs: 1, max_tokens: 2 }],
  ["echo with nothing generated", { echo: true, max_tokens: 0 }],
  ["echo with ids", { echo: true, return_token_ids: true, max_tokens: 2 }],
  ["ids", { return_token_ids: true, max_tokens: 2 }],
  ["ids of two prompts", { prompt: ["Once", "A dog"], return_token_ids: true, max_tokens: 1 }],
  ["stop of one word", { stop: " there", max_tokens: 20 }],
  ["stop kept", { stop: ",", include_stop_str_in_output: true, max_tokens: 20 }],
  ["stop after min_tokens", { stop: ["a", "e"], min_tokens: 6, max_tokens: 20 }],
  ["stop that never comes", { stop: ["xyzzy"], max_tokens: 6 }],
  ["a stop token", { stop_token_ids: [261, 263], max_tokens: 20 }],
  ["a choice", { structured_outputs: { choice: ["yes", "no"] }, max_tokens: 10 }],
  ["a regex", { structured_outputs: { regex: "[0-9]+" }, max_tokens: 5 }],
  [
    "a schema",
    {
      response_format: { type: "json_schema", json_schema: { name: "a", schema } },
      max_tokens: 40,
    },
  ],
  ["characters of many bytes", { prompt: "猫 🐕 ñ", max_tokens: 6 }],
];

function eachWay(
  rows: readonly (readonly [string, object, unknown?])[],
  make: (name: string, fields: object, messages?: unknown) => VllmCase,
): VllmCase[] {
  return rows.flatMap(([name, fields, messages]) => [
    make(`answer: ${name}`, fields, messages),
    make(`stream: ${name}`, { ...fields, stream: true }, messages),
  ]);
}

const ends = (make: (name: string, fields: object) => VllmCase) => [
  make("stream: usage", { stream: true, ...usage }),
  make("stream: usage all along", { stream: true, ...continuous }),
  make("stream: usage of one token", { stream: true, ...usage, max_tokens: 1 }),
  make("stream: usage with a stop string", { stream: true, ...usage, stop: "a", max_tokens: 20 }),
  make("stream: usage all along with a stop string", {
    stream: true,
    ...continuous,
    stop: " was",
    max_tokens: 20,
  }),
  make("stream: usage with ids", { stream: true, ...usage, return_token_ids: true, max_tokens: 2 }),
  make("stream: options empty", { stream: true, stream_options: {} }),
  make("stream: options null", { stream: true, stream_options: null }),
  make("stream: usage false", { stream: true, stream_options: { include_usage: false } }),
  make("stream: continuous alone", {
    stream: true,
    stream_options: { continuous_usage_stats: true },
  }),
];

export const streamCases: readonly VllmCase[] = [
  ...eachWay(chats, chat),
  ...eachWay(texts, completion),
  ...ends(chat),
  ...ends(completion),
  chat("stream: tools with usage", { stream: true, ...usage, tools, max_tokens: 50 }, ask),
  chat(
    "stream: tools with usage all along",
    { stream: true, ...continuous, tools, max_tokens: 50 },
    ask,
  ),
];
