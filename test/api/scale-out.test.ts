/** Rendering, generating and derendering apart give what the whole server gives. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer([
    ...["--device", "cpu", "--served-model-name", "m", "--enable-auto-tool-choice"],
    ...["--tool-call-parser", "hermes", "--enable-scale-out", "--enable-trace-replay"],
  ]);
});
afterAll(() => server.stop(0));

const GENERATE = "/inference/v1/generate";
const chat = {
  model: "m",
  messages: [{ role: "user", content: "What is the weather in Paris?" }],
  tools: [{ type: "function", function: { name: "get_weather", parameters: { type: "object" } } }],
  max_tokens: 40,
  temperature: 0,
};

describe("a chat in three pieces", () => {
  it("is the chat in one", async () => {
    const rendered = (await server.post("/v1/chat/completions/render", chat)).json;
    const generated = (await server.post(GENERATE, rendered)).json;
    const prompt = {
      prompt_tokens: rendered.token_ids.length,
      prompt_token_ids: rendered.token_ids,
    };
    const derendered = await server.post("/v1/chat/completions/derender", {
      ...{ model: "m", generate_response: generated, chat_request: chat },
      ...prompt,
    });
    const whole = (await server.post("/v1/chat/completions", chat)).json;
    const bare = (text: string) => text.replaceAll(/chatcmpl-tool-[0-9a-f]+/g, "ID");
    const [one, all] = [derendered.json, whole].map(({ choices, usage }) =>
      bare(JSON.stringify([choices[0].message, choices[0].finish_reason, usage])),
    );
    expect(one).toBe(all);
  });

  it("tells how many answers are asked for where it is more than one", async () => {
    const params = async (more: object) =>
      (await server.post("/v1/chat/completions/render", { ...chat, ...more })).json.sampling_params;
    expect((await params({ n: 2, temperature: 1 })).n).toBe(2);
    expect(await params({})).not.toHaveProperty("n");
  });

  it("passes on what the generator says of the prompt and of moved caches", async () => {
    const response = { request_id: "r", choices: [{ index: 0, token_ids: [300, 301] }] };
    const more = { kv_transfer_params: { node: "a" }, prompt_logprobs: [null, {}] };
    const chats = await server.post("/v1/chat/completions/derender", {
      ...{ model: "m", generate_response: { ...response, ...more }, chat_request: chat },
    });
    expect(chats.json).toMatchObject(more);
    const texts = async (...responses: object[]) => {
      const body = { model: "m", generate_responses: responses };
      return (await server.post("/v1/completions/derender", body)).json.kv_transfer_params;
    };
    expect(await texts({ ...response, ...more }, { ...response, ...more })).toEqual({ node: "a" });
    expect(await texts({ ...response, ...more }, response)).toBeNull();
    const long = { ...response, prompt_logprobs: new Array(1025).fill(null) };
    const refused = await server.post("/v1/chat/completions/derender", {
      ...{ model: "m", generate_response: long, chat_request: chat },
    });
    expect(refused.json.error.message).toBe(
      "prompt_logprobs length (1025) in response 'r' exceeds max_model_len (1024).",
    );
  });

  it("looks for no stop string where no text is made", async () => {
    const { status, json } = await server.post(GENERATE, {
      ...{ model: "m", token_ids: [5], sampling_params: { detokenize: false, stop: ["a"] } },
    });
    expect([status, json.error.message]).toEqual([
      400,
      "stop strings are only supported when detokenize is True. Set detokenize=True to use stop.",
    ]);
  });

  it("streams through a state that the client carries", async () => {
    const rendered = (await server.post("/v1/chat/completions/render", { ...chat, stream: true }))
      .json;
    const events = await server.stream(GENERATE, rendered);
    const deltas: { content?: string; tool_calls?: { function: { arguments: string } }[] }[] = [];
    let state: unknown;
    for (const event of events.slice(0, -1)) {
      const { json } = await server.post("/v1/chat/completions/derender", {
        ...{ model: "m", stream: true, generate_chunk: JSON.parse(event), chat_request: chat },
        ...{ stream_state: state, prompt_token_ids: rendered.token_ids },
      });
      deltas.push(json.chunk.choices[0].delta);
      state = json.stream_state;
    }
    const whole = (await server.post("/v1/chat/completions", chat)).json.choices[0].message;
    expect(deltas[0]).toMatchObject({ role: "assistant" });
    expect(deltas.map(({ content }) => content ?? "").join("")).toBe(whole.content ?? "");
    const called = deltas.flatMap(({ tool_calls: calls }) => calls ?? []);
    expect(called.map((call) => call.function.arguments).join("")).toBe(
      (whole.tool_calls ?? []).map((call: (typeof called)[0]) => call.function.arguments).join(""),
    );
  });
});

describe("what is to be derendered", () => {
  const response = { request_id: "r", choices: [{ index: 0, token_ids: [300, 301] }] };
  const chats = (more: object) =>
    server.post("/v1/chat/completions/derender", { model: "m", chat_request: chat, ...more });
  const texts = (more: object) => server.post("/v1/completions/derender", { model: "m", ...more });
  const chunk = (...choices: object[]) => ({ request_id: "r", choices });

  it.each<[string, object, string, string | null]>([
    ["chat", {}, "Field required", "generate_response"],
    ["chat", { stream: true }, "Field required", "generate_chunk"],
    ["text", {}, "Field required", "generate_responses"],
    ["text", { stream: true }, "Field required", "generate_chunk"],
    ["text", { generate_responses: [] }, "generate_responses must not be empty", null],
    [
      "chat",
      { generate_response: chunk({ index: 3, token_ids: null }) },
      "choice 3 has empty or null token_ids",
      null,
    ],
    [
      "text",
      { generate_responses: [response, chunk({ index: 1, token_ids: [] })] },
      "choice 1 in response r has empty or null token_ids",
      null,
    ],
    [
      "text",
      { generate_responses: [response], prompt_tokens: [1, 2] },
      "prompt_tokens length (2) must equal generate_responses length (1)",
      "prompt_tokens",
    ],
    [
      "text",
      { generate_responses: [response], prompt_token_ids: [[5], [6]] },
      "prompt_token_ids length (2) must equal generate_responses length (1)",
      "prompt_token_ids",
    ],
    [
      "text",
      { generate_responses: [chunk({ index: 0, token_ids: [10 ** 8] })] },
      "Token id 100000000 is out of vocabulary",
      null,
    ],
    [
      "text",
      { generate_responses: [chunk({ index: 0, token_ids: new Array(1025).fill(300) })] },
      "More than 1024 output tokens were given.",
      null,
    ],
    [
      "chat",
      {
        ...{ stream: true, generate_chunk: chunk({ index: 0, token_ids: [300] }) },
        stream_state: { output_token_ids: [300, 301], output_chunk_lens: [1] },
      },
      "output_chunk_lens must sum to len(output_token_ids)",
      "stream_state",
    ],
    [
      "chat",
      { generate_response: response, chat_request: null },
      "chat_request is required when a tool or reasoning parser is configured because plain detokenization would leak raw parser markup into content.",
      null,
    ],
  ])("is refused: a %s of %j", async (kind, body, message, param) => {
    const { status, json } = await (kind === "chat" ? chats(body) : texts(body));
    const told = param === null ? message : `${message} (parameter=${param})`;
    expect([status, json.error.message, json.error.param]).toEqual([400, told, param]);
  });

  it("is counted prompt by prompt, and ends as it is told, else by itself", async () => {
    const two = { ...response, choices: [{ index: 0, token_ids: [302], finish_reason: "length" }] };
    const { json } = await texts({ generate_responses: [response, two], prompt_tokens: [3, 4] });
    expect(json.usage).toMatchObject({ prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 });
    expect(json.choices).toMatchObject([
      { index: 0, finish_reason: "stop", stop_reason: null },
      { index: 1, finish_reason: "length", stop_reason: null },
    ]);
    const stop = { index: 0, token_ids: [300], finish_reason: "stop", stop_reason: 7 };
    const stopped = await texts({ generate_responses: [chunk(stop)] });
    expect(stopped.json.choices[0]).toMatchObject({ finish_reason: "stop", stop_reason: 7 });
    expect(stopped.json.usage.prompt_tokens).toBe(0);
  });

  it("streams a text by its pieces, and answers what has none with the state as it was", async () => {
    const ids = [300, 301, 302];
    const whole = await texts({ generate_responses: [chunk({ index: 0, token_ids: ids })] });
    let state: unknown;
    let text = "";
    for (const [at, id] of ids.entries()) {
      const last = at === ids.length - 1;
      const one = { index: 0, token_ids: [id], finish_reason: last ? "stop" : null };
      const { json } = await texts({
        ...{ stream: true, generate_chunk: chunk(one), stream_state: state },
      });
      expect(json.chunk.choices[0].finish_reason).toBe(last ? "stop" : null);
      text += json.chunk.choices[0].text;
      state = json.stream_state;
    }
    expect(text).toBe(whole.json.choices[0].text);
    expect(state).toEqual({
      ...{ role_sent: false, output_token_ids: ids, output_chunk_lens: [1, 1, 1] },
    });
    for (const ask of [chats, texts]) {
      const { json } = await ask({ stream: true, generate_chunk: chunk(), stream_state: state });
      expect(json).toMatchObject({ chunk: { id: "r", choices: [] }, stream_state: state });
    }
    const none = await texts({ stream: true, generate_chunk: chunk({ index: 0 }) });
    expect(none.json.chunk.choices[0]).toMatchObject({ text: "", finish_reason: null });
    expect(none.json.stream_state.output_token_ids).toEqual([]);
  });
});

describe("/inference/v1/generate", () => {
  it("follows a recording, whatever the model would say", async () => {
    const ids = [300, 301, 302, 2, 303];
    const replay = (more: object, body: object = {}) =>
      server.post(GENERATE, {
        ...{ token_ids: [5, 6, 7], ...body },
        sampling_params: { temperature: 0, trace_decode_token_ids: ids, ...more },
      });
    const whole = (await replay({ stop: ["a"], stop_token_ids: [301], logprobs: 0 })).json;
    expect(whole.choices[0]).toMatchObject({ token_ids: ids, finish_reason: "length" });
    expect((await replay({ max_tokens: 2 })).json.choices[0].token_ids).toEqual(ids.slice(0, 2));
    for (const wrong of [{ n: 2, temperature: 1 }, { prompt_logprobs: 1 }, { bad_words: ["a"] }]) {
      expect((await replay(wrong)).status).toBe(400);
    }
    expect((await replay({ trace_decode_token_ids: [] })).status).toBe(400);
    expect((await replay({ trace_decode_token_ids: [10 ** 8] })).json.error.param).toBe(
      "trace_decode_token_ids",
    );
  });

  it("ends where it is told to, by its id", async () => {
    const long = { token_ids: [5, 6, 7], sampling_params: { max_tokens: 900, ignore_eos: true } };
    const answer = server.post(GENERATE, { ...long, request_id: "mine" });
    await expect.poll(() => server.world.serving.engines.running).toBe(1);
    const told = await server.post("/inference/v1/abort_requests", {
      request_ids: ["generate-tokens-mine"],
    });
    expect([told.status, (await answer).json.choices[0].finish_reason]).toEqual([200, "abort"]);
    const others = { request_ids: [{ toString: 1 }, 7, null] };
    expect((await server.post("/inference/v1/abort_requests", others)).status).toBe(200);
    expect((await server.post("/inference/v1/abort_requests", {})).status).toBe(400);
  });

  it("ends all that run under one id, also when one of them has left", async () => {
    const ask = (max_tokens: number) =>
      server.post(GENERATE, {
        ...{ request_id: "shared", token_ids: [5, 6, 7] },
        sampling_params: { max_tokens, ignore_eos: true },
      });
    const [first, second] = [ask(900), ask(900)];
    await expect.poll(() => server.world.serving.engines.running).toBe(2);
    expect((await ask(1)).json.choices[0].finish_reason).toBe("length");
    const request_ids = "generate-tokens-shared";
    await server.post("/inference/v1/abort_requests", { request_ids });
    for (const answer of await Promise.all([first, second])) {
      expect(answer.json.choices[0].finish_reason).toBe("abort");
    }
  });

  it.each([
    [{ token_ids: [] }, "body.token_ids"],
    [{ token_ids: [5], sampling_params: null }, "body.sampling_params"],
    [{ token_ids: [5], kv_transfer_params: { a: 1 } }, "kv_transfer_params"],
    [{ token_ids: [5], sampling_params: { temperature: 9 } }, "temperature"],
  ])("refuses %j", async (body, param) => {
    const { status, json } = await server.post(GENERATE, { sampling_params: {}, ...body });
    expect([status, json.error.param]).toEqual([400, param]);
  });
});

it("is not there unless asked for, and tells where KV events are", async () => {
  const events = JSON.stringify({ enable_kv_cache_events: true, endpoint: "inproc://here" });
  const plain = await startServer([
    ...["models/tiny/llama", "--device", "null", "--kv-events-config", events],
    ...["--data-parallel-size", "2"],
  ]);
  expect((await plain.post(GENERATE, {})).status).toBe(403);
  const sources = (await plain.get("/kv_event_sources")).json;
  expect(Object.values(sources)).toMatchObject([
    { publisher: "zmq", endpoint: "inproc://here", replay_endpoint: null, topic: "" },
    { endpoint: "inproc://here_dp1", encoding: "msgpack", schema_version: 1 },
  ]);
  // What a router asks besides.
  const { blockSize } = plain.world.device.limits;
  expect((await plain.get("/get_server_info")).json).toEqual({
    ...{ model_id: "models/tiny/llama", model_path: "models/tiny/llama" },
    ...{ kv_block_size: blockSize, effective_attention_block_size: blockSize },
  });
  await plain.stop(0);
  expect((await server.get("/kv_event_sources")).json).toEqual({});
});
