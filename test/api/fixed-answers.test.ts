/** Fixed answers on every wire format: whole and streamed, with usage, calls, thought and errors. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSettings } from "../../server/config.ts";
import { startServer, type TestServer } from "../support/server.ts";

const folder = mkdtempSync(join(tmpdir(), "matches-"));
const file = join(folder, "matches.jsonl");
const WEATHER = { city: "Zürich", days: 2 };
const LINES = [
  { match: { user: "hello" }, answer: "Hello yourself, 👋🏽 friend." },
  {
    match: { user: { regex: "^WEATHER", flags: "i" }, turns: 1 },
    answer: {
      text: "Let me look.",
      calls: [
        { name: "get_weather", arguments: WEATHER },
        { name: "get_time", arguments: "{}" },
      ],
    },
  },
  { match: { tool: { regex: "rain" } }, answer: "Take an umbrella." },
  { match: { user: "think" }, answer: { reasoning: "Hm, hm.", text: "Yes." } },
  {
    match: { user: "busy" },
    answer: { error: { status: 429, message: "Slow down.", type: "rate_limit_exceeded" } },
  },
  { match: { user: "busy" }, answer: "Now then." },
  { match: { user: "cut off" }, answer: { text: "This is not the", finish: "length" } },
  { match: { user: "broken" }, answer: { text: "one two three four five", inject: "cut=2" } },
  { match: { system: "You are a pirate.", route: "/v1/messages" }, answer: "Arr." },
  { match: { headers: { "X-Case": "7" } }, answer: "Seven." },
  { match: { model: "other", stream: true }, answer: "Streamed by another." },
];
writeFileSync(file, `${LINES.map((line) => JSON.stringify(line)).join("\n")}\n\n`);

let server: TestServer;

beforeAll(async () => {
  server = await startServer([
    ...["--device", "null", "--matches", file, "--matches-only"],
    ...["--served-model-name", "mock", "other", "--enable-auto-tool-choice"],
  ]);
});

afterAll(async () => {
  await server.stop(0);
  rmSync(folder, { recursive: true });
});

const user = (content: string) => [{ role: "user", content }];
const tools = ["get_weather", "get_time"].map((name) => ({
  type: "function",
  function: { name, parameters: { type: "object" } },
}));
const chat = (body: object, headers?: Readonly<Record<string, string>>) =>
  server.post("/v1/chat/completions", { model: "mock", ...body }, headers);

describe("a fixed answer", () => {
  it("is the same whole and streamed, and its tokens are counted", async () => {
    const whole = await chat({ messages: user("hello") });
    const [choice] = whole.json.choices;
    expect(choice.message.content).toBe("Hello yourself, 👋🏽 friend.");
    expect(choice.finish_reason).toBe("stop");
    expect(whole.headers.get("x-trainyard-match")).toBe("1");
    const { count } = (
      await server.post("/tokenize", { prompt: choice.message.content, add_special_tokens: false })
    ).json;
    expect(whole.json.usage.completion_tokens).toBe(count + 1); // with the end
    const prompt = (await server.post("/tokenize", { messages: user("hello") })).json.count;
    expect(whole.json.usage.prompt_tokens).toBe(prompt);
    const events = await server.stream("/v1/chat/completions", {
      messages: user("hello"),
      stream_options: { include_usage: true },
    });
    expect(events.at(-1)).toBe("[DONE]");
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event));
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe(
      choice.message.content,
    );
    expect(chunks.length).toBeGreaterThan(5);
    expect(whole.json.usage).toMatchObject(chunks.at(-1).usage);
  });

  it("ends where the request says: by length, by a stop string", async () => {
    const short = await chat({ messages: user("hello"), max_tokens: 2 });
    expect(short.json.choices[0].finish_reason).toBe("length");
    expect("Hello yourself, 👋🏽 friend.").toContain(short.json.choices[0].message.content);
    const stopped = await chat({ messages: user("hello"), stop: ["your"] });
    expect(stopped.json.choices[0]).toMatchObject({
      message: { content: "Hello " },
      finish_reason: "stop",
      stop_reason: "your",
    });
    const cut = await chat({ messages: user("cut off") });
    expect(cut.json.choices[0]).toMatchObject({
      message: { content: "This is not the" },
      finish_reason: "length",
    });
  });

  it("minds nothing that narrows what is drawn", async () => {
    const narrowed = await chat({
      messages: user("hello"),
      allowed_token_ids: [5],
      n: 2,
      temperature: 1,
      response_format: { type: "json_object" },
      min_tokens: 9,
    });
    expect(
      narrowed.json.choices.map(({ message }: { message: { content: string } }) => message.content),
    ).toEqual(Array(2).fill("Hello yourself, 👋🏽 friend."));
  });

  it("calls tools, whole and streamed, on chat, responses and messages", async () => {
    const whole = await chat({ messages: user("weather?"), tools });
    const [choice] = whole.json.choices;
    expect(choice.finish_reason).toBe("tool_calls");
    expect(choice.message.content).toBe("Let me look.");
    const called = choice.message.tool_calls.map(
      ({ function: its }: { function: { name: string; arguments: string } }) => [
        its.name,
        JSON.parse(its.arguments),
      ],
    );
    expect(called).toEqual([
      ["get_weather", WEATHER],
      ["get_time", {}],
    ]);
    const events = await server.stream("/v1/chat/completions", {
      messages: user("weather?"),
      tools,
    });
    const deltas = events
      .slice(0, -1)
      .flatMap((event) => JSON.parse(event).choices[0].delta.tool_calls ?? []);
    const text = (index: number) =>
      deltas
        .filter((its) => its.index === index)
        .map((its) => its.function.arguments ?? "")
        .join("");
    expect(JSON.parse(text(0))).toEqual(WEATHER);
    expect(JSON.parse(text(1))).toEqual({});
    const flat = tools.map(({ type, function: its }) => ({ type, ...its }));
    const response = await server.post("/v1/responses", { input: "weather?", tools: flat });
    const items = response.json.output.filter(
      ({ type }: { type: string }) => type === "function_call",
    );
    expect(items.map(({ name }: { name: string }) => name)).toEqual(["get_weather", "get_time"]);
    const anthropic = tools.map(({ function: { name, parameters } }) => ({
      name,
      input_schema: parameters,
    }));
    const message = await server.post("/v1/messages", {
      model: "mock",
      max_tokens: 99,
      messages: user("weather?"),
      tools: anthropic,
    });
    expect(message.json.stop_reason).toBe("tool_use");
    expect(message.json.content.map(({ type }: { type: string }) => type)).toEqual([
      "text",
      "tool_use",
      "tool_use",
    ]);
    expect(message.json.content[1].input).toEqual(WEATHER);
  });

  it("answers what a tool gave back", async () => {
    const messages = [
      ...user("weather?"),
      {
        role: "assistant",
        content: null,
        tool_calls: [
          { id: "a", type: "function", function: { name: "get_weather", arguments: "{}" } },
        ],
      },
      { role: "tool", tool_call_id: "a", content: "rain, 9 °C" },
    ];
    expect((await chat({ messages, tools })).json.choices[0].message.content).toBe(
      "Take an umbrella.",
    );
    const content = [
      { type: "tool_result", tool_use_id: "a", content: [{ type: "text", text: "rain" }] },
    ];
    const blocks = [
      ...user("weather?"),
      {
        role: "assistant",
        content: [{ type: "tool_use", id: "a", name: "get_weather", input: {} }],
      },
      { role: "user", content },
    ];
    const message = await server.post("/v1/messages", {
      model: "mock",
      max_tokens: 99,
      messages: blocks,
    });
    expect(message.json.content[0].text).toBe("Take an umbrella.");
  });

  it("thinks, unless the request wants none of it", async () => {
    const { json } = await chat({ messages: user("think") });
    expect(json.choices[0].message).toMatchObject({ reasoning: "Hm, hm.", content: "Yes." });
    const without = await chat({ messages: user("think"), include_reasoning: false });
    expect(without.json.choices[0].message).toMatchObject({ reasoning: null, content: "Yes." });
  });

  it("takes turns where a match stands twice, and the last stays", async () => {
    const first = await chat({ messages: user("busy") });
    expect(first.status).toBe(429);
    expect(first.json.error).toEqual({
      message: "Slow down.",
      type: "rate_limit_exceeded",
      param: null,
      code: 429,
    });
    for (let i = 0; i < 2; i++) {
      expect((await chat({ messages: user("busy") })).json.choices[0].message.content).toBe(
        "Now then.",
      );
    }
  });

  it("fails as its line says", async () => {
    await expect(chat({ messages: user("broken"), stream: true })).rejects.toThrow();
    await expect.poll(() => server.world.serving.engines.kvUsage).toBe(0);
  });

  it("is found by prompt, system, header, model and kind of stream", async () => {
    const text = await server.post("/v1/completions", {
      model: "mock",
      prompt: "hello",
      max_tokens: 64,
    });
    expect(text.json.choices[0].text).toBe("Hello yourself, 👋🏽 friend.");
    const pirate = {
      model: "mock",
      max_tokens: 9,
      messages: user("x"),
      system: "You are a pirate.",
    };
    expect((await server.post("/v1/messages", pirate)).json.content[0].text).toBe("Arr.");
    expect(
      (await chat({ messages: user("x") }, { "x-case": "7" })).json.choices[0].message.content,
    ).toBe("Seven.");
    expect((await chat({ model: "other", messages: user("x"), stream: true })).text).toContain(
      '"content":"amed"',
    );
    const response = await server.post("/v1/responses", {
      input: [{ role: "user", content: [{ type: "input_text", text: "hello" }] }],
      background: false,
    });
    expect(response.json.output[0].content[0].text).toBe("Hello yourself, 👋🏽 friend.");
  });

  it("is missed with 404 where matches are all there is", async () => {
    const { status, json } = await chat({ model: "other", messages: user("x") });
    expect(status).toBe(404);
    expect(json.error).toMatchObject({
      type: "NotFoundError",
      message: "No line of --matches fits this request.",
    });
  });
});

describe("a file of matches", () => {
  it.each([
    ["{", "line 1: "],
    ['{"match": {}, "answer": "x"}\n{"answer": 5}', "line 2: answer must be an object"],
    ['{"match": {"usr": "x"}, "answer": "x"}', 'match has no field "usr"'],
    ['{"match": {"user": {"regex": "("}}, "answer": "x"}', "match.user.regex"],
    ['{"match": {"turns": "1"}, "answer": "x"}', "match.turns must be a whole number"],
    ['{"match": {}, "answer": {"calls": [{"arguments": {}}]}}', "answer.calls[0].name"],
    ['{"match": {}, "answer": {"error": {"status": 200}}}', "answer.error.status"],
    ['{"match": {}, "answer": {"inject": ["oops"]}}', "answer.inject[0] takes KIND"],
    ['{"match": {"headers": {"a": 1}}, "answer": "x"}', "match.headers.a"],
  ])("%s is refused with flag, line and field", (text, why) => {
    const path = join(folder, "wrong.jsonl");
    writeFileSync(path, text);
    expect(() => parseSettings(["--matches", path])).toThrow(why);
    expect(() => parseSettings(["--matches", path])).toThrow(/^--matches line \d+: /);
  });

  it("is refused where ids are not drawn from logits", async () => {
    const argv = [
      "openai/gpt-oss-120b",
      "--device",
      "trainium",
      "--instance",
      "trn2.48xlarge",
      "-tp",
      "16",
      "--values",
      "synthetic",
    ];
    await expect(startServer([...argv, "--matches", file])).rejects.toThrow(
      "--matches needs a tokenizer",
    );
  });
});
