/** Conversations over /v1/messages. */
import type { Conversation, Said, Turn, World } from "./play.ts";

const PATH = "/v1/messages";
const STORY = "Tell me a story about a fox.";
const ASK = "What is the weather in Rome?";
const TWO = "What is the weather in Rome and in Oslo?";

const user = (content: unknown) => ({ role: "user", content });
const tools = [
  {
    name: "get_weather",
    description: "Weather of a city",
    input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
];

const say = (content: unknown, fields: object = {}): Turn => ({
  path: PATH,
  body: { messages: [user(content)], max_tokens: 12, ...fields },
});

/** The blocks of an answer, whole or streamed. */
function blocks(said: Said): readonly Said[] {
  if (!Array.isArray(said)) return said?.content ?? [];
  const made: Said[] = [];
  for (const { type, content_block: block, delta } of said) {
    if (type === "content_block_start") made.push({ ...block });
    if (type !== "content_block_delta") continue;
    const last = made.at(-1);
    for (const field of ["text", "thinking", "signature"]) {
      if (delta[field] !== undefined) last[field] = (last[field] ?? "") + delta[field];
    }
    if (delta.partial_json !== undefined) last.json = (last.json ?? "") + delta.partial_json;
  }
  return made.map(({ json, ...block }) => (json ? { ...block, input: JSON.parse(json) } : block));
}

/** The same question, its answer, and what comes next. */
const goOn =
  (
    question: string,
    next: (made: readonly Said[]) => unknown,
    fields: object,
  ): ((said: readonly Said[]) => object) =>
  (said) => {
    const made = blocks(said.at(-1));
    return {
      messages: [user(question), { role: "assistant", content: made }, user(next(made))],
      ...{ max_tokens: 12, ...fields },
    };
  };

const results = (outputs: readonly object[]) => (made: readonly Said[]) =>
  made
    .filter(({ type }) => type === "tool_use")
    .map(({ id }, at) => ({ type: "tool_result", tool_use_id: id, ...(outputs[at] ?? {}) }));

function eachWay(world: World, name: string, turns: (fields: object) => readonly Turn[]) {
  return [
    { name, world, turns: turns({}) },
    { name: `${name}, streamed`, world, turns: turns({ stream: true }) },
  ];
}

const plain: readonly Conversation[] = [
  ...eachWay("plain", "a story in two turns", (f) => [
    say(STORY, f),
    { path: PATH, body: goOn(STORY, () => "Go on.", { system: "Be kind.", ...f }) },
  ]),
  ...eachWay("plain", "a call and its result", (f) => [
    say(ASK, { tools, max_tokens: 60, ...f }),
    { path: PATH, body: goOn(ASK, results([{ content: "sunny" }]), { tools, ...f }) },
  ]),
  ...eachWay("plain", "two cities, one failed", (f) => [
    say(TWO, { tools, max_tokens: 90, ...f }),
    {
      path: PATH,
      body: goOn(TWO, results([{ content: "down", is_error: true }, { content: "sun" }]), {
        ...{ tools, ...f },
      }),
    },
  ]),
  ...eachWay("plain", "a call that must be made, then none", (f) => [
    say(ASK, { tools, tool_choice: { type: "any" }, max_tokens: 60, ...f }),
    say(ASK, { tools, tool_choice: { type: "tool", name: "get_weather" }, max_tokens: 60, ...f }),
    say(ASK, { tools, tool_choice: { type: "none" }, ...f }),
  ]),
  ...eachWay("plain", "calls that are cut off", (f) => [
    say(ASK, { tools, max_tokens: 9, ...f }),
    say(ASK, { tools, max_tokens: 18, ...f }),
    say(ASK, { tools, stop_sequences: ["Rome"], max_tokens: 60, ...f }),
  ]),
  ...eachWay("plain", "faults between turns", (f) => [
    say(STORY, f),
    say(STORY, { model: "other", ...f }),
    say(STORY, { max_tokens: 0, ...f }),
    say(5, f),
    say("word ".repeat(1200), f),
    say(STORY, f),
  ]),
  ...eachWay("plain", "how it ends", (f) => [
    say(STORY, { stop_sequences: ["fox"], max_tokens: 40, ...f }),
    say("Bye", { max_tokens: 200, ...f }),
    say(STORY, { max_tokens: 1, ...f }),
  ]),
  {
    name: "counted before it is asked",
    world: "plain",
    turns: [
      { path: `${PATH}/count_tokens`, body: { messages: [user(ASK)], tools } },
      say(ASK, { tools, max_tokens: 60 }),
    ],
  },
  {
    name: "left in the middle, and asked again",
    world: "plain",
    turns: [
      { ...say(STORY, { stream: true, max_tokens: 900 }), leaves: 2 },
      { ...say(ASK, { stream: true, tools, max_tokens: 60 }), leaves: 2 },
      say(STORY),
    ],
  },
];

const thinks: readonly Conversation[] = [
  ...eachWay("thinks", "a thought and a story", (f) => [
    say(STORY, f),
    { path: PATH, body: goOn(STORY, () => "More", f) },
  ]),
  ...eachWay("thinks", "a thought that is cut off", (f) => [
    say(STORY, { max_tokens: 3, ...f }),
    say("Hi", { max_tokens: 60, ...f }),
  ]),
  ...eachWay("thinks", "thinking on and off", (f) => [
    say(STORY, { thinking: { type: "disabled" }, ...f }),
    say(STORY, { thinking: { type: "adaptive" }, output_config: { effort: "low" }, ...f }),
    say(STORY, { chat_template_kwargs: { enable_thinking: false }, ...f }),
  ]),
  ...eachWay("thinks", "a call instead of a thought", (f) => [
    say(ASK, { tools, max_tokens: 60, ...f }),
    { path: PATH, body: goOn(ASK, results([{ content: "sunny" }]), { tools, ...f }) },
  ]),
  {
    name: "left in a thought",
    world: "thinks",
    turns: [{ ...say("Hi", { stream: true, max_tokens: 900 }), leaves: 3 }, say("Hi")],
  },
];

const named = (one: Conversation): Conversation => ({
  ...one,
  name: `messages, ${one.world}: ${one.name}`,
});

export const messagesConversations: readonly Conversation[] = [...plain, ...thinks].map(named);
