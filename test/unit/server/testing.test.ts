/** The matchers of trainyard/testing: what holds, what does not, and what is said of it. */
import { describe, expect, it } from "vitest";
import { MATCHERS } from "../../../server/testing/matchers.ts";
import { readOutput } from "../../../server/testing/output.ts";

const chat = (...deltas: readonly object[]) =>
  deltas.map((delta, at) => ({
    choices: [{ index: 0, delta, finish_reason: at === deltas.length - 1 ? "stop" : null }],
  }));

async function* streamOf(events: readonly unknown[], error?: Error) {
  for (const event of events) yield event;
  if (error !== undefined) throw error;
}

const WHOLE = {
  chat: {
    choices: [
      {
        index: 0,
        finish_reason: "tool_calls",
        message: {
          content: "Hi.",
          reasoning: "Hm.",
          tool_calls: [{ function: { name: "look", arguments: '{"at": 1}' } }],
        },
      },
    ],
  },
  completion: { choices: [{ index: 0, finish_reason: "length", text: "Hi." }] },
  response: {
    object: "response",
    status: "completed",
    output: [
      { type: "reasoning", content: [{ text: "Hm." }] },
      { type: "message", content: [{ text: "Hi." }] },
      { type: "function_call", name: "look", arguments: '{"at": 1}' },
    ],
  },
  message: {
    type: "message",
    stop_reason: "tool_use",
    content: [
      { type: "thinking", thinking: "Hm." },
      { type: "text", text: "Hi." },
      { type: "tool_use", name: "look", input: { at: 1 } },
    ],
  },
};
const STREAMS = {
  chat: chat(
    { role: "assistant" },
    { reasoning: "H" },
    { reasoning: "m." },
    { content: "Hi" },
    { content: "." },
    { tool_calls: [{ index: 0, function: { name: "look" } }] },
    { tool_calls: [{ index: 0, function: { arguments: '{"at"' } }] },
    { tool_calls: [{ index: 0, function: { arguments: ": 1}" } }] },
  ),
  response: [
    { type: "response.reasoning_text.delta", delta: "Hm." },
    { type: "response.output_text.delta", delta: "Hi." },
    {
      type: "response.output_item.added",
      output_index: 2,
      item: { type: "function_call", name: "look" },
    },
    { type: "response.function_call_arguments.delta", output_index: 2, delta: '{"at": 1}' },
    { type: "response.completed", response: { status: "completed" } },
  ],
  message: [
    { type: "message_start", message: {} },
    { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "Hm." } },
    { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "Hi." } },
    { type: "content_block_start", index: 2, content_block: { type: "tool_use", name: "look" } },
    {
      type: "content_block_delta",
      index: 2,
      delta: { type: "input_json_delta", partial_json: '{"at": 1}' },
    },
    { type: "message_delta", delta: { stop_reason: "tool_use" } },
  ],
};

describe("what a client got", () => {
  it.each([
    ...Object.entries(WHOLE).filter(([name]) => name !== "completion"),
    ...Object.entries(STREAMS),
  ])("is read the same of %s", async (name, received) => {
    const output = await readOutput(Array.isArray(received) ? streamOf(received) : received);
    expect(output).toMatchObject({ text: "Hi.", reasoning: "Hm.", calls: [{ name: "look" }] });
    expect(JSON.parse(output.calls[0]?.arguments ?? "")).toEqual({ at: 1 });
    expect(output.finish).toBeDefined();
    // Begins and ends of a stream are no pieces of it: they have no time.
    const pieces = { chat: 7, response: 4, message: 4 }[name] ?? 0;
    expect(output.times).toHaveLength(Array.isArray(received) ? pieces : 1);
    expect(output.times).toEqual(output.times.toSorted((a, b) => a - b));
    expect(output.times.at(-1)).toBeLessThanOrEqual(output.ms);
  });

  it("is read of a completion, of texts, of a promise and of a function, a stream once", async () => {
    expect(await readOutput(WHOLE.completion)).toMatchObject({ text: "Hi.", finish: "length" });
    expect(await readOutput(streamOf(["a", "b"]))).toMatchObject({ text: "ab" });
    expect(await readOutput(Promise.resolve(WHOLE.chat))).toMatchObject({ text: "Hi." });
    let asked = 0;
    const ask = () => {
      asked++;
      return Promise.resolve(streamOf(STREAMS.chat));
    };
    expect(await readOutput(ask)).toMatchObject({ text: "Hi." });
    expect((await readOutput(ask)).times).toHaveLength(7);
    expect(asked).toBe(1);
    expect(() => readOutput("text")).toThrow("Neither an answer nor a stream");
  });
});

describe("the matchers", () => {
  const paced = async function* (ms: number) {
    for (const text of ["a", "b", "c"]) {
      await new Promise((resolve) => setTimeout(resolve, ms));
      yield text;
    }
  };
  const json = { choices: [{ message: { content: '{"a": 1}' } }] };
  const schema = (type: string) => ({ type: "object", properties: { a: { type } } });
  it.each([
    [
      "toStreamText",
      MATCHERS.toStreamText(WHOLE.chat, "Hi."),
      MATCHERS.toStreamText(WHOLE.chat, /^i/),
      'expected the text /^i/\ngot "Hi."',
    ],
    [
      "toThink",
      MATCHERS.toThink(WHOLE.chat, /H/),
      MATCHERS.toThink(WHOLE.completion, /(?:)/),
      'got ""',
    ],
    [
      "toCallTool",
      MATCHERS.toCallTool(WHOLE.chat, "look", { at: expect.any(Number) }),
      MATCHERS.toCallTool(WHOLE.chat, "look", { at: 2 }),
      'expected a call of look with {"at":2}\ngot look({"at": 1})',
    ],
    [
      "toCallTool by name",
      MATCHERS.toCallTool(WHOLE.chat, "look"),
      MATCHERS.toCallTool(WHOLE.completion, "look"),
      "got no call",
    ],
    [
      "toMatchJsonSchema",
      MATCHERS.toMatchJsonSchema(json, schema("integer")),
      MATCHERS.toMatchJsonSchema(json, schema("string")),
      "data/a must be string",
    ],
    [
      "toMatchJsonSchema of text",
      MATCHERS.toMatchJsonSchema(json, {}),
      MATCHERS.toMatchJsonSchema(WHOLE.chat, {}),
      "no JSON",
    ],
    [
      "toFinishWith",
      MATCHERS.toFinishWith(WHOLE.message, "tool_use"),
      MATCHERS.toFinishWith(WHOLE.chat, "stop"),
      'got "tool_calls"',
    ],
    [
      "toBreakOff",
      MATCHERS.toBreakOff(streamOf([], new Error("gone")), "gone"),
      MATCHERS.toBreakOff(WHOLE.chat),
      'got all of "Hi."',
    ],
    [
      "toBreakOff otherwise",
      MATCHERS.toBreakOff(streamOf([], new Error("gone")), /^go/),
      MATCHERS.toBreakOff(streamOf([], new Error("gone")), /x/),
      'got "gone"',
    ],
    [
      "toStartWithin",
      MATCHERS.toStartWithin(() => paced(1), 60_000),
      MATCHERS.toStartWithin(() => paced(20), 10),
      "expected a first piece within 10 ms",
    ],
    [
      "toEndWithin",
      MATCHERS.toEndWithin(() => paced(1), 60_000),
      MATCHERS.toEndWithin(() => paced(20), 30),
      "expected the end within 30 ms",
    ],
    [
      "toKeepPace",
      MATCHERS.toKeepPace(() => paced(1), 0.01),
      MATCHERS.toKeepPace(() => paced(20), 100),
      "expected 100 pieces a second",
    ],
    [
      "toPauseAtMost",
      MATCHERS.toPauseAtMost(() => paced(1), 60_000),
      MATCHERS.toPauseAtMost(() => paced(20), 10),
      "expected no pause above 10 ms",
    ],
  ])("%s holds, does not hold, and says why", async (_name, holds, fails, why) => {
    expect((await holds).pass).toBe(true);
    expect((await holds).message()).toContain("expected not ");
    const failed = await fails;
    expect(failed.pass).toBe(false);
    expect(failed.message()).toContain(why);
  });

  it("tell what broke off as its error, whether they should hold or not", async () => {
    const broken = () => streamOf(STREAMS.chat, new Error("gone"));
    await expect(MATCHERS.toStreamText(broken(), "Hi.")).rejects.toThrow("gone");
    await expect(MATCHERS.toFinishWith(broken(), "stop")).rejects.toThrow("gone");
  });
});
