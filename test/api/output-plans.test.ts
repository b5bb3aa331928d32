/** Tools, structured output and reasoning over HTTP: refusals in vLLM's words, and what holds. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

const CHAT = "/v1/chat/completions";
const messages = [{ role: "user", content: "hi" }];
const tool = (name: string, parameters: object, more: object = {}) => ({
  type: "function",
  function: { name, parameters, ...more },
});
const TOOLS = [
  tool("add", {
    type: "object",
    properties: { a: { type: "integer", minimum: 0, maximum: 99 }, b: { type: "boolean" } },
    required: ["a", "b"],
  }),
  tool("now", {}),
];

describe("without parsers", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.stop(0));

  it.each([
    [{ tools: [] }, "must not be an empty array"],
    [{ tool_choice: "auto" }, "`tools` must be set"],
    [{ tools: TOOLS }, '"auto" tool choice requires --enable-auto-tool-choice'],
    [{ tools: TOOLS, tool_choice: "any" }, "Invalid value for `tool_choice`: any!"],
    [
      { tools: TOOLS, tool_choice: { type: "function", function: { name: "sub" } } },
      "does not match any of the specified `tools`",
    ],
    [
      { structured_outputs: { regex: "a", choice: ["a"] } },
      "You can only use one kind of constraints",
    ],
    [
      { guided_regex: "a", response_format: { type: "json_object" } },
      "You can only use one kind of constraints",
    ],
    [
      {
        tools: TOOLS,
        tool_choice: { type: "function", function: { name: "add" } },
        guided_regex: "a",
      },
      "either use constraints for structured outputs or tools",
    ],
    [
      { structured_outputs: { json: { uniqueItems: true } } },
      'the keyword "uniqueItems" is not supported',
    ],
    [{ structured_outputs: { grammar: "root ::= x" } }, 'rule "x" is not defined'],
    [{ thinking_token_budget: 5 }, "Please set --reasoning-parser"],
  ])("refuses %j", async (fields, message) => {
    const { status, json } = await server.post(CHAT, { messages, ...fields });
    expect(status).toBe(400);
    expect(json.error.message).toContain(message);
    expect(json.error.type).toBe("BadRequestError");
  });

  it("serves tools that may not be called", async () => {
    const { status, json } = await server.post(CHAT, {
      messages,
      tools: TOOLS,
      tool_choice: "none",
      max_tokens: 3,
    });
    expect(status).toBe(200);
    expect(json.choices[0].message.tool_calls).toBeUndefined();
  });
});

describe("on the CPU, with drafts", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer([
      ...["models/tiny/llama", "--device", "cpu", "--tool-call-parser", "llama3_json"],
      ...[
        "--speculative-config",
        '{"method":"ngram","num_speculative_tokens":3,"prompt_lookup_max":4}',
      ],
    ]);
  });
  afterAll(() => server.stop(0));

  it("holds n choices to a grammar while guesses are verified", async () => {
    const regex = "(ab){2,6}(cd){2,6}\\.";
    const { json } = await server.post("/v1/completions", {
      prompt: "abababababab cdcdcdcdcd",
      n: 3,
      temperature: 1,
      seed: 3,
      max_tokens: 60,
      structured_outputs: { regex },
    });
    expect(json.choices).toHaveLength(3);
    for (const { text, finish_reason: reason } of json.choices) {
      expect(reason).toBe("stop");
      expect(text).toMatch(new RegExp(`^${regex}$`));
    }
    expect(await server.metric("vllm:spec_decode_num_draft_tokens_total")).toBeGreaterThan(0);
  });

  it("gives the same greedy text as without guesses", async () => {
    const plain = await startServer(["models/tiny/llama", "--device", "cpu"]);
    const body = {
      prompt: "the same",
      temperature: 0,
      max_tokens: 48,
      structured_outputs: { regex: "([a-f]{3} ){4,8}end" },
    };
    const [one, other] = await Promise.all([
      server.post("/v1/completions", body),
      plain.post("/v1/completions", body),
    ]);
    expect(one.json.choices[0].text).toBe(other.json.choices[0].text);
    await plain.stop(0);
  });

  it("streams required calls as a list of the model's choosing", async () => {
    const body = {
      messages,
      tools: TOOLS,
      tool_choice: "required",
      parallel_tool_calls: false,
      max_tokens: 120,
      temperature: 0,
    };
    const events = await server.stream(CHAT, body);
    const chunks = events.filter((event) => event !== "[DONE]").map((event) => JSON.parse(event));
    const deltas = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
    expect(deltas[0]).toMatchObject({
      index: 0,
      type: "function",
      id: expect.stringMatching(/^chatcmpl-tool-/),
    });
    expect(deltas.slice(1).every((delta) => Object.keys(delta).join() === "index,function")).toBe(
      true,
    );
    const text = deltas.map((delta) => delta.function.arguments).join("");
    const value = JSON.parse(text);
    if (deltas[0].function.name === "add")
      expect(value).toEqual({ a: expect.any(Number), b: expect.any(Boolean) });
    else expect(value).toEqual({});
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("tool_calls");
  });

  it("calls a named tool and ends with stop", async () => {
    const choice = { type: "function", function: { name: "add" } };
    const { json } = await server.post(CHAT, {
      messages,
      tools: TOOLS,
      tool_choice: choice,
      max_tokens: 60,
    });
    const [answer] = json.choices;
    expect(answer.finish_reason).toBe("stop");
    expect(answer.message.content).toBe("");
    expect(JSON.parse(answer.message.tool_calls[0].function.arguments)).toEqual({
      a: expect.any(Number),
      b: expect.any(Boolean),
    });
  });

  it("says length of a call that was cut off, in a stream and whole", async () => {
    const long = {
      type: "object",
      properties: { text: { type: "string", minLength: 300 } },
      required: ["text"],
    };
    const tools = [tool("long", long)];
    const cut = { messages, tools, tool_choice: "required", max_tokens: 70, temperature: 0 };
    const events = await server.stream(CHAT, cut);
    expect(JSON.parse(events.at(-2) ?? "").choices[0].finish_reason).toBe("length");
    const { json } = await server.post(CHAT, cut);
    expect(json.choices[0].finish_reason).toBe("length");
  });

  it("lets a call that must be made overrule a response_format", async () => {
    const { json } = await server.post(CHAT, {
      messages,
      tools: TOOLS,
      tool_choice: { type: "function", function: { name: "add" } },
      response_format: { type: "json_object" },
      max_tokens: 60,
    });
    expect(json.choices[0].message.tool_calls[0].function.name).toBe("add");
  });

  it.each([{ min_tokens: 10 }, { allowed_token_ids: [5] }])(
    "refuses a grammar that %j leaves nothing of, and harms no other",
    async (more) => {
      const choice = { prompt: "x", max_tokens: 20, structured_outputs: { choice: ["yes"] } };
      const [bad, good] = await Promise.all([
        server.post("/v1/completions", { ...choice, ...more }),
        server.post("/v1/completions", choice),
      ]);
      expect(bad.status).toBe(400);
      expect(bad.json.error.message).toContain("No token can be sampled");
      expect(good.json.choices[0].text).toBe("yes");
    },
  );

  it("holds a text completion to one of the choices", async () => {
    const good = server.post("/v1/completions", {
      prompt: "x",
      max_tokens: 30,
      structured_outputs: { choice: ["yes", "no"] },
    });
    const { json } = await good;
    expect(["yes", "no"]).toContain(json.choices[0].text);
  });
});

describe("with a reasoning parser", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer([
      "models/tiny/llama",
      "--device",
      "cpu",
      "--reasoning-parser",
      "qwen3",
    ]);
  });
  afterAll(() => server.stop(0));

  const body = {
    messages,
    max_tokens: 80,
    temperature: 1,
    seed: 4,
    structured_outputs: { choice: ["yes", "no"] },
  };

  it("ends the reasoning at its budget and holds the answer to the grammar", async () => {
    const { json } = await server.post(CHAT, { ...body, thinking_token_budget: 6 });
    const [{ message, finish_reason: reason }] = json.choices;
    expect(reason).toBe("stop");
    expect(["yes", "no"]).toContain(message.content);
    expect(message.reasoning.length).toBeGreaterThan(0);
    expect(json.usage.completion_tokens_details.reasoning_tokens).toBeGreaterThanOrEqual(6);
  });

  it("hides reasoning, and has none where thinking is off", async () => {
    const hidden = await server.post(CHAT, {
      ...body,
      thinking_token_budget: 6,
      include_reasoning: false,
      logprobs: true,
      return_token_ids: true,
    });
    expect(hidden.json.choices[0]).toMatchObject({ logprobs: null, token_ids: null });
    expect(hidden.json.choices[0].message.reasoning).toBeNull();
    expect(["yes", "no"]).toContain(hidden.json.choices[0].message.content);
    const off = await server.post(CHAT, {
      ...body,
      chat_template_kwargs: { enable_thinking: false },
    });
    expect(["yes", "no"]).toContain(off.json.choices[0].message.content);
    const effort = await server.post(CHAT, { ...body, reasoning_effort: "none" });
    expect(["yes", "no"]).toContain(effort.json.choices[0].message.content);
  });
});
