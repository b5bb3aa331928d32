/** What routes refuse and echo beside their usual way: each ends in its status and names its field. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer([
    ...["models/tiny/llama", "--device", "null", "--served-model-name", "m", "--enable-scale-out"],
    ...["--enable-auto-tool-choice", "--tool-call-parser", "hermes"],
    "--enable-tokenizer-info-endpoint",
  ]);
});
afterAll(() => server.stop(0));

/** Status, and what of the body a case names. */
async function answer(path: string, body: object) {
  const { status, json, text } = await server.post(path, body);
  return { status, text, json };
}

const schema = { type: "object", properties: {} };
const tool = (name: string, more: object = {}) => ({
  type: "function",
  name,
  parameters: schema,
  ...more,
});
const space = (name: string, ...tools: object[]) => ({ type: "namespace", name, tools });

describe("tools of /v1/responses", () => {
  const ask = (tools: readonly unknown[], choice?: unknown) =>
    answer("/v1/responses", {
      ...{ input: "hi", max_output_tokens: 1, tools },
      ...(choice !== undefined && { tool_choice: choice }),
    });

  it.each([
    [[1], undefined, "valid dictionary"],
    [[{ name: "f" }], undefined, "Field required"],
    [[{ type: "function" }], undefined, "Field required"],
    [[tool("f", { parameters: 3 })], undefined, "valid dictionary"],
    [[{ type: "oven", name: "f" }], undefined, "type of this tool is unknown"],
    [[{ type: "oven" }], undefined, "type of this tool is unknown"],
    [[{ type: "custom", name: "c", format: { type: "grammar" } }], undefined, "grammar format"],
    [[tool("f")], { type: "function", name: "g" }, "tool_choice"],
    [[space("a", tool("f"))], { type: "function", name: "g" }, "tool_choice"],
    [[tool("f")], { type: "function" }, "tool_choice"],
    [[tool("f")], "sometimes", "tool_choice"],
    [
      [space("a", tool("f")), space("b", tool("f"))],
      { type: "function", name: "f" },
      "is ambiguous",
    ],
  ])("%j with %j is refused", async (tools, choice, why) => {
    const { status, text } = await ask(tools, choice);
    expect(status).toBe(400);
    expect(text).toContain(why);
  });

  it.each([
    [
      [tool("f")],
      { type: "allowed_tools", mode: "auto", tools: [{ type: "function", name: "f" }] },
    ],
    [[tool("f")], { type: "web_search_preview" }],
    [[tool("f"), { type: "mcp", server_label: "s" }], { type: "mcp", server_label: "s" }],
    [[{ type: "code_interpreter", container: { type: "auto" } }, { type: "shell" }], "auto"],
    [[space("a", tool("f"), { type: "custom", name: "c" }), { type: "custom", name: "d" }], "none"],
  ])("%j with %j is echoed", async (tools, choice) => {
    const { status, json } = await ask(tools, choice);
    expect(status).toBe(200);
    expect(json.tools.map((one: { type: string }) => one.type)).toEqual(
      tools.map(({ type }) => type),
    );
    if (typeof choice === "string") expect(json.tool_choice).toBe(choice);
    else expect(json.tool_choice.type).toBe(choice.type);
  });
});

describe("items of /v1/responses", () => {
  const ask = (...input: readonly unknown[]) =>
    answer("/v1/responses", { input, max_output_tokens: 1 });
  const bare = { role: "assistant", content: [{ type: "output_text", text: "yes" }] };
  const said = { ...bare, type: "message" };
  const call = { type: "function_call", call_id: "1", name: "f", arguments: "{}" };

  it.each([
    [[{ type: "function_call", call_id: "1", name: "f" }]],
    [[{ type: "function_call_output", output: "x" }]],
    [[{ type: "function_call_output", call_id: "1", output: 3 }]],
    [[{ type: "item_reference", id: "gone" }]],
    [[{ type: "item_reference" }]],
    [[{ type: "poem" }]],
    [[{ type: "file_search_call", id: "x" }]],
    [[{ id: "x" }]],
    [[{ role: "king", content: "x" }]],
    [[{ role: "user", content: 3 }]],
    [[bare]],
    [[{ type: "reasoning" }]],
    [[{ type: "reasoning", encrypted_content: "x", summary: [] }]],
  ])("%j are refused", async (input) => {
    expect((await ask(...input)).status).toBe(400);
  });

  it.each([
    [[{ role: "user", content: "hi" }, said, { type: "reasoning", summary: [] }]],
    [[{ type: "reasoning", summary: [], content: [{ type: "reasoning_text", text: "hm" }] }, said]],
    [[said, call, { ...call, call_id: "2", namespace: "n" }]],
    [[call, { type: "function_call_output", call_id: "1", output: [] }]],
    [[{ type: "custom_tool_call", call_id: "1", name: "c", input: "x" }]],
    [[{ ...said, content: [{ type: "refusal", refusal: "no" }] }, said]],
    [
      [
        { role: "assistant", content: "" },
        { type: "message", role: "developer", content: "x" },
      ],
    ],
  ])("%j are read", async (input) => {
    const { status, text } = await ask(...input);
    expect(text).not.toContain('error":{');
    expect(status).toBe(200);
  });
});

describe("messages of a chat", () => {
  const ask = (message: object, more: object = {}) =>
    answer("/v1/chat/completions", { messages: [message], max_tokens: 1, ...more });

  it.each([
    [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }, {}, "multimodal"],
    [{ role: "user", content: [{ type: "smell" }] }, {}, "validation error"],
    [{ role: "user", content: "x" }, { chat_template_kwargs: { messages: [] } }, "'messages'"],
    [{ role: "user", content: "x" }, { chat_template: "{{ 1 }}" }, "untrusted chat template"],
    [{ role: "user", content: "x" }, { mm_processor_kwargs: { a: 1 } }, "mm_processor_kwargs"],
    [{ role: "user", content: "x" }, { bad_words: [""] }, "bad_words"],
    [{ role: "user", content: "x" }, { logit_bias: { x: 1 } }, "logit_bias"],
    [{ role: "user", content: "x" }, { min_tokens: -1 }, "min_tokens"],
    [{ role: "user", content: "x" }, { n: 20_000 }, "n must be at most"],
    [{ role: "user", content: "x" }, { truncate_prompt_tokens: -2 }, "truncate_prompt_tokens"],
    [{ role: "user", content: "x" }, { stop: [""] }, "stop cannot contain"],
    [{ role: "user", content: "x" }, { response_format: { type: "poem" } }, "response_format"],
    [{ role: "user", content: "x" }, { response_format: { type: "json_schema" } }, "json_schema"],
    [{ role: "user", content: "x" }, { structured_outputs: { choice: [] } }, "empty list"],
    [{ role: "user", content: "x" }, { structured_outputs: { grammar: " " } }, "empty string"],
    [{ role: "user", content: "x" }, { structured_outputs: { json: "{" } }, "JSON grammar"],
    [{ role: "user", content: "x" }, { structured_outputs: { regex: "\0" } }, "NUL"],
    [{ role: "user", content: "x" }, { structured_outputs: {} }, "none are specified"],
    [
      { role: "user", content: "x" },
      { structured_outputs: { json_object: false } },
      "must be True",
    ],
    [
      { role: "user", content: "x" },
      { structured_outputs: { structural_tag: "{" } },
      "structural_tag",
    ],
    [
      { role: "user", content: "x" },
      { guided_regex: "a", response_format: { type: "json_object" } },
      "one kind of constraint",
    ],
    [{ role: "user", content: "x" }, { guided_choice: ["a", 1] }, "guided_choice"],
  ])("%j with %j are refused", async (message, more, why) => {
    const { status, text } = await ask(message, more);
    expect(status).toBe(400);
    expect(text).toContain(why);
  });

  it.each([
    [{ role: "user", content: [{ type: "text", text: "a" }, "b", { type: "text" }] }],
    [
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: "[1" } }],
      },
    ],
    [{ role: "assistant", content: "x", reasoning: "hm", name: "n" }],
    [{ role: "tool", content: "x", tool_call_id: "1" }],
  ])("%j are read", async (message) => {
    expect((await ask(message)).status).toBe(200);
  });

  it("echo the last of them where its role is the answer's", async () => {
    const { json } = await ask(
      { role: "assistant", content: [{ type: "text", text: "so " }] },
      { echo: true, add_generation_prompt: false },
    );
    expect(json.choices[0].message.content).toMatch(/^so /);
  });
});

describe("derendering", () => {
  const choice = { index: 0, token_ids: [40, 41, 42], finish_reason: "length" };
  const generated = { request_id: "r", choices: [choice], prompt_token_ids: [7, 8] };

  it("makes completions of ids, one for each prompt", async () => {
    const { status, json } = await answer("/v1/completions/derender", {
      generate_responses: [generated, { choices: [{ index: 0, token_ids: [43] }] }],
      prompt_tokens: [2, 5],
      prompt_token_ids: [[7, 8], null],
    });
    expect(status).toBe(200);
    expect(json.choices).toHaveLength(2);
    expect(json.choices[0]).toMatchObject({ index: 0, finish_reason: "length" });
    expect(json.choices[1]).toMatchObject({ index: 1, finish_reason: "stop" });
    expect(json.usage).toMatchObject({ prompt_tokens: 7, completion_tokens: 4 });
  });

  it("makes a stream of chunks the text that the whole has", async () => {
    const whole = await answer("/v1/completions/derender", { generate_responses: [generated] });
    let state: object | undefined;
    let text = "";
    for (const ids of [[40], [41, 42], []]) {
      const last = ids.length === 0;
      const one = { index: 0, token_ids: ids, ...(last && { finish_reason: "length" }) };
      const { json } = await answer("/v1/completions/derender", {
        stream: true,
        generate_chunk: { choices: [one], prompt_token_ids: [7, 8] },
        prompt_token_ids: [7, 8],
        ...(state !== undefined && { stream_state: state }),
      });
      state = json.stream_state;
      text += json.chunk.choices[0].text;
    }
    expect(text).toBe(whole.json.choices[0].text);
    const { json } = await answer("/v1/completions/derender", {
      ...{ stream: true, generate_chunk: { choices: [] }, stream_state: state },
    });
    expect(json.chunk.choices).toEqual([]);
    expect(json.stream_state).toEqual(state);
  });

  it.each([
    ["/v1/completions/derender", {}, "generate_responses"],
    ["/v1/completions/derender", { stream: true }, "generate_chunk"],
    [
      "/v1/completions/derender",
      { generate_responses: [generated], prompt_tokens: [1, 2] },
      "prompt_tokens length (2)",
    ],
    ["/v1/chat/completions/derender", { generate_response: generated }, "chat_request is required"],
    [
      "/v1/completions/derender",
      { generate_responses: [{ choices: [{ index: 0, token_ids: [9_999_999] }] }] },
      "out of vocabulary",
    ],
    [
      "/v1/completions/derender",
      {
        ...{ stream: true, generate_chunk: { choices: [choice] } },
        stream_state: { output_token_ids: [1, 2], output_chunk_lens: [1] },
      },
      "output_chunk_lens must sum",
    ],
  ])("%s refuses %j", async (path, body, why) => {
    const { status, text } = await answer(path, body);
    expect(status).toBe(400);
    expect(text).toContain(why);
  });
});

describe("/tokenize", () => {
  it("spells ids, few or many, as it counts them", async () => {
    for (const prompt of ["a b", "a b ".repeat(9_000)]) {
      const { json } = await answer("/tokenize", { prompt, return_token_strs: true });
      const plain = await answer("/tokenize", { prompt });
      expect(json.token_strs).toHaveLength(json.count);
      expect(plain.json).toEqual({ ...json, token_strs: null });
    }
  });

  it("knows ids past the vocabulary, and those that are no ids", async () => {
    expect((await answer("/detokenize", { tokens: [999_999] })).json).toEqual({ prompt: "" });
    expect((await answer("/detokenize", { tokens: [2 ** 33] })).status).toBe(400);
    expect((await server.get("/tokenizer_info")).status).toBe(200);
  });
});

describe("events of /v1/realtime", () => {
  const session = (more: object) => ({ type: "session.update", session: more });
  const item = (more: object) => ({ type: "conversation.item.create", item: more });

  it.each([
    ["no JSON", "{", "invalid_json"],
    ["no object", 3, "invalid_value"],
    ["an unknown type", { type: "sing" }, "unknown_event"],
    ["audio", session({ output_modalities: ["audio"] }), "audio_not_supported"],
    ["audio's settings", session({ audio: {} }), "audio_not_supported"],
    ["another kind of session", session({ type: "transcription" }), "audio_not_supported"],
    ["no tokens", session({ max_output_tokens: 0 }), "invalid_value"],
    ["a warm word", session({ temperature: "warm" }), "invalid_value"],
    ["tools that are no list", session({ tools: {} }), "invalid_value"],
    ["a tool of another type", session({ tools: [{ type: "mcp" }] }), "invalid_value"],
    ["a tool without a name", session({ tools: [{ type: "function" }] }), "invalid_value"],
    ["instructions that are no text", session({ instructions: 1 }), "invalid_value"],
    ["an item that is none", item([]), "invalid_value"],
    [
      "an item's sound",
      item({ type: "message", role: "user", content: [{ type: "input_audio" }] }),
      "audio_not_supported",
    ],
    ["a lost item", { type: "conversation.item.delete", item_id: "x" }, "item_not_found"],
    ["nothing to cancel", { type: "response.cancel" }, "response_cancel_not_active"],
    ["a response that is none", { type: "response.create", response: 1 }, "invalid_value"],
    [
      "a choice of no tool",
      {
        type: "response.create",
        response: { tools: [{ type: "function", name: "f" }], tool_choice: { name: "g" } },
      },
      "bad-request",
    ],
  ])("are refused by a code and go on: %s", async (_, sent, code) => {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/v1/realtime?model=m`);
    const events: { type: string; error?: { code: string; event_id: unknown } }[] = [];
    socket.on("message", (data) => events.push(JSON.parse(String(data))));
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    socket.send(typeof sent === "string" ? sent : JSON.stringify(sent));
    socket.send(
      JSON.stringify(session({ instructions: "Go on.", tool_choice: "none", temperature: 1 })),
    );
    await expect.poll(() => events.some(({ type }) => type === "session.updated")).toBe(true);
    expect(events.find(({ type }) => type === "error")?.error?.code).toBe(code);
    socket.close();
  });

  it("close for a model that is not served", async () => {
    const socket = new WebSocket(`${server.url.replace("http", "ws")}/v1/realtime?model=other`);
    const first = new Promise((resolve) =>
      socket.once("message", (data) => resolve(JSON.parse(String(data)))),
    );
    const closed = new Promise((resolve) => socket.once("close", resolve));
    expect(await first).toMatchObject({ type: "error", error: { code: "model_not_found" } });
    expect(await closed).toBe(1008);
  });
});
