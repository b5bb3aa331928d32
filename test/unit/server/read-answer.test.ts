/** What is made of another server's answer: each format, whole or streamed, and what is no answer at all. */
import { describe, expect, it } from "vitest";
import { readAnswer } from "../../../server/fixed/read-answer.ts";

const whole = (route: string, body: unknown) =>
  readAnswer(route, { status: 200, streamed: false, text: JSON.stringify(body) });
const streamed = (route: string, events: readonly unknown[]) => {
  const text = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  return readAnswer(route, { status: 200, streamed: true, text: `${text}data: [DONE]\n\n` });
};
const CHAT = "/v1/chat/completions";
const chat = (message: object, more: object = {}) => ({
  choices: [{ index: 0, message, finish_reason: "stop", ...more }],
});
const delta = (fields: object, finish: string | null = null) => ({
  choices: [{ index: 0, delta: fields, finish_reason: finish }],
});

describe("a chat", () => {
  it("is its first choice, its thought under either name, an empty one as none", () => {
    const other = { index: 1, message: { content: "other" }, finish_reason: "stop" };
    const { choices } = chat({ content: "mine", reasoning: "" });
    expect(whole(CHAT, { choices: [other, ...choices] })).toEqual({ text: "mine" });
    expect(whole(CHAT, chat({ content: null, reasoning_content: "Hm." }))).toEqual({
      reasoning: "Hm.",
    });
    expect(whole(CHAT, chat({ content: "cut" }, { finish_reason: "length" }))).toEqual({
      ...{ text: "cut", finish: "length" },
    });
    // Some servers number no choice.
    expect(whole(CHAT, { choices: [{ message: { content: "a" } }] })).toEqual({ text: "a" });
    expect(whole(CHAT, { choices: [] })).toBeUndefined();
    expect(whole(CHAT, "text")).toBeUndefined();
  });

  it("calls with what it gave, or with nothing", () => {
    const tool_calls = [
      { id: "c1", function: { name: "look", arguments: '{"at": 1}' } },
      { function: { name: "wait" } },
    ];
    expect(whole(CHAT, chat({ content: "", tool_calls }))).toEqual({
      calls: [
        { name: "look", arguments: '{"at": 1}', id: "c1" },
        { name: "wait", arguments: "{}" },
      ],
    });
  });

  it("that streams is joined, calls with their ids, in order where none is told", () => {
    const events = [
      delta({ role: "assistant", reasoning: "H" }),
      delta({ reasoning_content: "m." }),
      delta({ content: "One " }),
      { choices: [] },
      { choices: [{ index: 1, delta: { content: "other" }, finish_reason: "length" }] },
      delta({ content: "moment." }),
      delta({ tool_calls: [{ index: 0, id: "c1", function: { name: "look", arguments: "" } }] }),
      delta({ tool_calls: [{ index: 0, function: { arguments: '{"a": 1}' } }] }),
      delta({ tool_calls: [{ id: "c2", function: { name: "wait", arguments: "{}" } }] }),
      delta({}, "tool_calls"),
    ];
    expect(streamed(CHAT, events)).toEqual({
      ...{ reasoning: "Hm.", text: "One moment." },
      calls: [
        { name: "look", arguments: '{"a": 1}', id: "c1" },
        { name: "wait", arguments: "{}", id: "c2" },
      ],
    });
    expect(streamed(CHAT, events.slice(0, -1))).toBeUndefined();
  });
});

it("a completion is its text, and its stream all of its pieces with an end", () => {
  const piece = (text: string | undefined, finish: string | null = null) => ({
    choices: [{ index: 0, text, finish_reason: finish }],
  });
  const path = "/v1/completions";
  expect(whole(path, piece("so", "length"))).toEqual({ text: "so", finish: "length" });
  expect(whole(path, {})).toBeUndefined();
  expect(streamed(path, [piece("a "), piece(undefined), piece("b"), piece("", "stop")])).toEqual({
    text: "a b",
  });
  expect(streamed(path, [piece("a "), piece("b")])).toBeUndefined();
});

it("a response is its items, once it is over", () => {
  const response = {
    status: "incomplete",
    output: [
      { type: "reasoning", summary: [{ text: "Hm." }] },
      { type: "message", content: [{ type: "output_text", text: "One " }, { type: "refusal" }] },
      { type: "function_call", call_id: "c", name: "look", arguments: "{}" },
    ],
  };
  const read = {
    ...{ reasoning: "Hm.", text: "One ", finish: "length" },
    calls: [{ name: "look", arguments: "{}", id: "c" }],
  };
  const path = "/v1/responses";
  expect(whole(path, response)).toEqual(read);
  expect(whole(path, { ...response, status: "in_progress" })).toBeUndefined();
  const created = { type: "response.created", response: { ...response, status: "in_progress" } };
  expect(streamed(path, [created, { type: "response.incomplete", response }])).toEqual(read);
  expect(streamed(path, [created])).toBeUndefined();
  expect(streamed(path, [])).toBeUndefined();
});

it("a message is its blocks, their input given whole or piece by piece", () => {
  const path = "/v1/messages";
  const content = [
    { type: "thinking", thinking: "Hm." },
    { type: "text", text: "So." },
    { type: "tool_use", id: "t", name: "look", input: { at: 1 } },
    { type: "tool_use", name: "wait" },
  ];
  const calls = [
    { name: "look", arguments: '{"at": 1}', id: "t" },
    { name: "wait", arguments: "{}" },
  ];
  const read = { reasoning: "Hm.", text: "So.", calls };
  expect(whole(path, { content, stop_reason: "tool_use" })).toEqual(read);
  expect(whole(path, { content: [content[1]], stop_reason: "max_tokens" })).toEqual({
    ...{ text: "So.", finish: "length" },
  });
  expect(whole(path, { content })).toBeUndefined();
  const start = (index: number, content_block: object) => ({
    ...{ type: "content_block_start", index, content_block },
  });
  const grow = (index: number, fields: object) => ({
    ...{ type: "content_block_delta", index, delta: fields },
  });
  const events = [
    { type: "message_start", message: {} },
    start(0, { type: "thinking" }),
    grow(0, { thinking: "H" }),
    grow(0, { thinking: "m." }),
    start(1, { type: "text", text: "" }),
    grow(1, { text: "So." }),
    start(2, { type: "tool_use", id: "t", name: "look", input: {} }),
    grow(2, { partial_json: '{"at":' }),
    grow(2, { partial_json: " 1}" }),
    start(3, { type: "tool_use", name: "wait" }),
    grow(9, { text: "of no block" }),
    { type: "message_delta", delta: { stop_reason: "tool_use" } },
    { type: "message_delta", delta: {} },
  ];
  expect(streamed(path, events)).toEqual(read);
  expect(streamed(path, events.slice(0, -2))).toBeUndefined();
});

it("an error is its status, and what it says in any of the ways they are written", () => {
  const error = (text: string) => readAnswer(CHAT, { status: 503, streamed: false, text });
  const told = { status: 503, message: "Busy.", type: "overloaded" };
  expect(error('{"error": {"message": "Busy.", "type": "overloaded"}}')).toEqual({ error: told });
  expect(error('{"message": "Busy.", "type": "overloaded"}')).toEqual({ error: told });
  expect(error('{"type": "error", "message": "Busy."}')).toEqual({
    error: { status: 503, message: "Busy." },
  });
  expect(error('{"error": "Busy."}')).toEqual({ error: { status: 503 } });
  expect(error("<html>")).toEqual({ error: { status: 503 } });
  expect(error("null")).toEqual({ error: { status: 503 } });
});

it("what is no JSON, or of another route, is not recorded", () => {
  expect(readAnswer(CHAT, { status: 200, streamed: false, text: "<html>" })).toBeUndefined();
  expect(readAnswer(CHAT, { status: 200, streamed: true, text: "data: {oops" })).toBeUndefined();
  expect(whole("/v1/embeddings", {})).toBeUndefined();
});
