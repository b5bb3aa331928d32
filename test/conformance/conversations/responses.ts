/** Conversations over /v1/responses. */
import type { Conversation, Said, Turn, World } from "./play.ts";

const PATH = "/v1/responses";
const STORY = "Tell me a story about a fox.";
const ASK = "What is the weather in Rome?";

const weather = {
  type: "function",
  name: "get_weather",
  description: "Weather of a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const tools = [weather];

const say = (input: unknown, fields: object = {}): Turn => ({
  path: PATH,
  body: { input, max_output_tokens: 12, ...fields },
});
/** Goes on from the answer before. */
const goOn = (input: unknown, fields: object = {}): Turn => ({
  path: PATH,
  body: (said) => ({
    ...{ input, max_output_tokens: 12, previous_response_id: said.at(-1)?.id },
    ...fields,
  }),
});
const of =
  (at: number, more = ""): Turn["path"] =>
  (said) =>
    `${PATH}/${said[at]?.id}${more}`;

/** The calls of the last answer, and what came of them. */
const results =
  (
    question: string,
    outputs: readonly unknown[],
    fields: object,
  ): ((said: readonly Said[]) => object) =>
  (said) => {
    const items = (said.at(-1)?.output ?? []) as readonly Said[];
    const made = items.filter(({ type }) => type === "function_call");
    return {
      input: [
        { role: "user", content: question },
        ...items,
        ...made.map((call, at) => ({
          ...{ type: "function_call_output", call_id: call.call_id, output: outputs[at] ?? "" },
        })),
      ],
      ...{ tools, max_output_tokens: 20 },
      ...fields,
    };
  };

function eachWay(world: World, name: string, turns: (fields: object) => readonly Turn[]) {
  return [
    { name: `${name}`, world, turns: turns({}) },
    { name: `${name}, streamed`, world, turns: turns({ stream: true }) },
  ];
}

const two = "What is the weather in Rome and in Oslo?";

const plain: readonly Conversation[] = [
  ...eachWay("plain", "a story in three turns", (f) => [
    say(STORY, f),
    goOn("Go on.", f),
    goOn("And then?", f),
  ]),
  ...eachWay("plain", "instructions of each turn's own", (f) => [
    say(STORY, { instructions: "Be kind.", ...f }),
    goOn("More", { instructions: "Be brief.", ...f }),
    goOn("More", f),
  ]),
  ...eachWay("plain", "a call and its result", (f) => [
    say(ASK, { tools, max_output_tokens: 60, ...f }),
    { path: PATH, body: results(ASK, ["sunny"], f) },
  ]),
  ...eachWay("plain", "two cities, one result empty", (f) => [
    say(two, { tools, max_output_tokens: 90, ...f }),
    { path: PATH, body: results(two, ["sunny"], f) },
  ]),
  ...eachWay("plain", "a required call", (f) => [
    say(ASK, { tools, tool_choice: "required", max_output_tokens: 60, ...f }),
    {
      path: PATH,
      body: results(ASK, [[{ type: "input_text", text: "rain" }]], { tool_choice: "none", ...f }),
    },
  ]),
  ...eachWay("plain", "a named call, and one cut off", (f) => [
    say(ASK, {
      ...{ tools, tool_choice: { type: "function", name: "get_weather" } },
      ...{ max_output_tokens: 60, ...f },
    }),
    say(ASK, { tools, max_output_tokens: 9, ...f }),
    say(ASK, { tools, max_output_tokens: 18, ...f }),
  ]),
  ...eachWay("plain", "faults between turns", (f) => [
    say(STORY, f),
    say(STORY, { model: "other", ...f }),
    say(STORY, { temperature: 9, ...f }),
    say("More", { previous_response_id: "resp_none", ...f }),
    say("word ".repeat(1200), f),
    say(STORY, f),
  ]),
  ...eachWay("plain", "log-probabilities, then a choice", (f) => [
    say(STORY, {
      ...{ include: ["message.output_text.logprobs"], top_logprobs: 2, max_output_tokens: 3, ...f },
    }),
    goOn("Pick", { structured_outputs: { choice: ["red", "blue"] }, ...f }),
  ]),
  {
    name: "left in the middle, and asked again",
    world: "plain",
    turns: [
      { ...say(STORY, { stream: true, ignore_eos: true, max_output_tokens: 900 }), leaves: 4 },
      { ...say(STORY, { stream: true, ignore_eos: true, max_output_tokens: 900 }), leaves: 1 },
      say(STORY),
    ],
  },
  {
    name: "kept, and read again",
    world: "plain",
    turns: [say(STORY), { path: of(0) }, { path: of(0, "/cancel"), method: "POST" }],
  },
  {
    name: "not kept",
    world: "plain",
    turns: [say(STORY, { store: false }), { path: of(0) }],
  },
  {
    name: "in the background",
    world: "plain",
    turns: [
      { ...say(STORY, { background: true }) },
      { path: of(0), waits: true },
      { path: of(0, "/cancel"), method: "POST" },
      {
        path: PATH,
        body: (said) => ({
          ...{ input: "More", previous_response_id: said[0]?.id, max_output_tokens: 6 },
        }),
      },
    ],
  },
  {
    name: "in the background, cancelled",
    world: "plain",
    turns: [
      say(STORY, { background: true, ignore_eos: true, max_output_tokens: 900 }),
      { path: of(0, "/cancel"), method: "POST" },
      { path: of(0) },
      { path: of(0, "/cancel"), method: "POST" },
    ],
  },
  {
    name: "in the background, streamed, and watched again",
    world: "plain",
    turns: [
      say(STORY, { background: true, stream: true, max_output_tokens: 4 }),
      { path: of(0) },
      { path: of(0, "?stream=true&starting_after=3") },
    ],
  },
];

const thinks: readonly Conversation[] = [
  ...eachWay("thinks", "a thought and a story", (f) => [
    say(STORY, f),
    goOn("Go on.", f),
    say(STORY, { max_output_tokens: 3, ...f }),
  ]),
  ...eachWay("thinks", "a thought that never ends", (f) => [say("Hi", f), goOn("Hi", f)]),
  ...eachWay("thinks", "a thought that is not shown", (f) => [
    say(STORY, { include_reasoning: false, ...f }),
  ]),
  ...eachWay("thinks", "no thought asked for", (f) => [
    say(STORY, { reasoning: { effort: "none" }, ...f }),
    say(STORY, { chat_template_kwargs: { enable_thinking: false }, ...f }),
    say(STORY, { reasoning: { effort: "high", summary: "auto" }, ...f }),
  ]),
  ...eachWay("thinks", "a thought handed back", (f) => [
    say(STORY, f),
    {
      path: PATH,
      body: (said) => ({
        input: [
          { role: "user", content: STORY },
          ...(said.at(-1)?.output ?? []),
          { role: "user", content: "More" },
        ],
        ...{ max_output_tokens: 12, ...f },
      }),
    },
  ]),
  ...eachWay("thinks", "a call instead of a thought", (f) => [
    say(ASK, { tools, max_output_tokens: 60, ...f }),
    { path: PATH, body: results(ASK, ["sunny"], f) },
  ]),
  ...eachWay("thinks", "a choice after the thought", (f) => [
    say(STORY, { structured_outputs: { choice: ["red", "blue"] }, max_output_tokens: 30, ...f }),
  ]),
  {
    name: "left in a thought",
    world: "thinks",
    turns: [
      { ...say("Hi", { stream: true, ignore_eos: true, max_output_tokens: 900 }), leaves: 5 },
      say("Hi"),
    ],
  },
];

const named = (one: Conversation): Conversation => ({
  ...one,
  name: `responses, ${one.world}: ${one.name}`,
});

export const responsesConversations: readonly Conversation[] = [...plain, ...thinks].map(named);
