/** The bytes and the order of streams, as vLLM sends them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer([
    "models/tiny/llama",
    "--device",
    "null",
    "--served-model-name",
    "tiny",
    "--fingerprint-mode",
    "none",
  ]);
});
afterAll(() => server.stop(0));

const messages = [{ role: "user", content: "hello" }];
const ask = { messages, max_tokens: 3, ignore_eos: true, seed: 1, temperature: 0.8 };

/** Ids and times differ from run to run; nothing else may. */
function fixed(events: readonly string[]): readonly string[] {
  return events.map((event) =>
    event
      .replace(/"id":"(chatcmpl|cmpl)-[0-9a-f]{16}"/, '"id":"$1-ID"')
      .replace(/"created":\d+/, '"created":1'),
  );
}

const HEAD = '{"id":"chatcmpl-ID","object":"chat.completion.chunk","created":1,"model":"tiny"';

describe("chat streams", () => {
  it("sends role, deltas, finish, usage, [DONE]", async () => {
    const whole = await server.post("/v1/chat/completions", ask);
    const events = fixed(
      await server.stream("/v1/chat/completions", {
        ...ask,
        stream_options: { include_usage: true },
      }),
    );
    const texts = events.slice(1, 4).map((event) => JSON.parse(event).choices[0].delta.content);
    expect(texts.join("")).toBe(whole.json.choices[0].message.content);
    const text = (index: number): string => JSON.stringify(texts[index]);
    const prompt = whole.json.usage.prompt_tokens;
    expect(events).toEqual([
      `${HEAD},"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null}`,
      `${HEAD},"choices":[{"index":0,"delta":{"content":${text(0)}},"logprobs":null,"finish_reason":null,"token_ids":null}]}`,
      `${HEAD},"choices":[{"index":0,"delta":{"content":${text(1)}},"logprobs":null,"finish_reason":null,"token_ids":null}]}`,
      `${HEAD},"choices":[{"index":0,"delta":{"content":${text(2)}},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}]}`,
      `${HEAD},"choices":[],"usage":{"prompt_tokens":${prompt},"total_tokens":${prompt + 3},"completion_tokens":3}}`,
      "[DONE]",
    ]);
  });

  it("counts usage on every chunk when asked to", async () => {
    const events = await server.stream("/v1/chat/completions", {
      ...ask,
      stream_options: { include_usage: true, continuous_usage_stats: true },
    });
    const counts = events
      .slice(0, -1)
      .map((event) => JSON.parse(event).usage.completion_tokens as number);
    expect(counts).toEqual([0, 1, 2, 3, 3]);
    // Of a chat, with the details that only a reasoning parser fills.
    expect(JSON.parse(events[1] ?? "").usage.completion_tokens_details).toBeNull();
  });

  it("counts usage on every chunk where the server forces it", async () => {
    const forced = await startServer([
      ...["models/tiny/llama", "--device", "null", "--enable-force-include-usage"],
    ]);
    for (const [path, body] of [
      ["/v1/chat/completions", ask],
      ["/v1/completions", { prompt: "hello", max_tokens: 3 }],
    ] as const) {
      const events = await forced.stream(path, body);
      const counts = events.slice(0, -1).map((event) => JSON.parse(event).usage.prompt_tokens);
      expect(counts.every((count) => count > 0)).toBe(true);
    }
    await forced.stop(0);
  });

  it("has no usage key when nobody asked", async () => {
    const events = await server.stream("/v1/chat/completions", ask);
    expect(events.slice(0, -1).some((event) => "usage" in JSON.parse(event))).toBe(false);
    expect(events.at(-1)).toBe("[DONE]");
  });

  it("starts and finishes each of n choices", async () => {
    const events = await server.stream("/v1/chat/completions", { ...ask, n: 3 });
    const choices = events.slice(0, -1).map((event) => JSON.parse(event).choices[0]);
    // All roles come before the first text.
    expect(choices.slice(0, 3).map(({ index, delta }) => [index, delta.role])).toEqual([
      [0, "assistant"],
      [1, "assistant"],
      [2, "assistant"],
    ]);
    for (const index of [0, 1, 2]) {
      const own = choices.filter((choice) => choice.index === index);
      expect(own[0].delta).toEqual({ role: "assistant", content: "" });
      expect(own.slice(1).every((choice) => !("role" in choice.delta))).toBe(true);
      expect(own.map((choice) => choice.finish_reason)).toEqual([null, null, null, "length"]);
    }
  });

  it("has the event-stream content type", async () => {
    const { headers } = await server.post("/v1/chat/completions", { ...ask, stream: true });
    expect(headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  });

  it("echoes an unfinished answer before going on with it", async () => {
    const events = await server.stream("/v1/chat/completions", {
      ...ask,
      messages: [...messages, { role: "assistant", content: "I think" }],
      echo: true,
      add_generation_prompt: false,
      continue_final_message: true,
    });
    expect(JSON.parse(events[1] ?? "").choices[0].delta).toEqual({ content: "I think" });
  });

  it("joins tokens with stream_interval", async () => {
    const events = await server.stream("/v1/chat/completions", {
      ...ask,
      max_tokens: 9,
      stream_interval: 4,
      return_token_ids: true,
    });
    const sizes = events
      .slice(1, -1)
      .map((event) => JSON.parse(event).choices[0].token_ids.length as number);
    expect(sizes).toEqual([1, 4, 4]);
  });
});

describe("text streams", () => {
  it("sends choices and usage in vLLM's shape", async () => {
    const body = { prompt: "hello", max_tokens: 2, ignore_eos: true, seed: 1 };
    const events = fixed(
      await server.stream("/v1/completions", { ...body, stream_options: { include_usage: true } }),
    );
    const head = '{"id":"cmpl-ID","object":"text_completion","created":1,"model":"tiny"';
    const text = (index: number) => JSON.stringify(JSON.parse(events[index] ?? "").choices[0].text);
    expect(events).toEqual([
      `${head},"choices":[{"index":0,"text":${text(0)},"logprobs":null,"finish_reason":null,"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]}`,
      `${head},"choices":[{"index":0,"text":${text(1)},"logprobs":null,"finish_reason":"length","stop_reason":null,"prompt_token_ids":null,"token_ids":null}]}`,
      `${head},"choices":[],"usage":{"prompt_tokens":${JSON.parse(events[2] ?? "").usage.prompt_tokens},"total_tokens":${JSON.parse(events[2] ?? "").usage.total_tokens},"completion_tokens":2}}`,
      "[DONE]",
    ]);
  });

  it("echoes ids beside the text, and no text where ids are asked for", async () => {
    const body = { prompt: "hello", max_tokens: 2, ignore_eos: true, seed: 1, echo: true };
    const [first, second] = (await server.stream("/v1/completions", body)).map(
      (event) => event.startsWith("{") && JSON.parse(event).choices[0],
    );
    expect(first.text.startsWith("hello")).toBe(true);
    expect(first.prompt_token_ids.length).toBeGreaterThan(0);
    expect(second.prompt_token_ids).toBeNull();
    const { json } = await server.post("/v1/completions", { ...body, return_token_ids: true });
    const [choice] = json.choices;
    expect(choice.text.startsWith("hello")).toBe(false);
    expect(choice.token_ids).toHaveLength(2);
    expect(choice.prompt_token_ids).toEqual(first.prompt_token_ids);
  });

  it("numbers choices prompt by prompt", async () => {
    const events = await server.stream("/v1/completions", {
      prompt: ["one", "two"],
      n: 2,
      max_tokens: 1,
      ignore_eos: true,
    });
    const seen = new Set(events.slice(0, -1).map((event) => JSON.parse(event).choices[0].index));
    expect([...seen].sort()).toEqual([0, 1, 2, 3]);
  });
});
