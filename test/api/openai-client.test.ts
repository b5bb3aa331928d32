/** The official client against a listening server. */
import OpenAI, { type APIError, AuthenticationError, BadRequestError, NotFoundError } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let client: OpenAI;
beforeAll(async () => {
  server = await startServer([
    "models/tiny/qwen2",
    "--device",
    "null",
    "--served-model-name",
    "tiny",
    "also-tiny",
    "--api-key",
    "secret",
    "--enable-request-id-headers",
    "--enable-prompt-tokens-details",
  ]);
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "secret", maxRetries: 0 });
});
afterAll(() => server.stop(0));

const messages = [{ role: "user" as const, content: "hello" }];
const model = "tiny";

describe("the openai client", () => {
  it("lists models", async () => {
    const ids = [];
    for await (const card of client.models.list()) ids.push(card.id);
    expect(ids).toEqual(["tiny", "also-tiny"]);
  });

  it("chats, streamed and not, to the same text", async () => {
    const ask = { model, messages, max_tokens: 12, seed: 7 };
    const whole = await client.chat.completions.create(ask);
    const stream = await client.chat.completions.create({
      ...ask,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let finish: string | null = null;
    let tokens: number | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
      tokens = chunk.usage?.completion_tokens ?? tokens;
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(finish).toBe(whole.choices[0]?.finish_reason);
    expect(tokens).toBe(whole.usage?.completion_tokens);
    expect(whole.id).toMatch(/^chatcmpl-/);
  });

  it("completes text and token ids alike", async () => {
    const { tokens } = (await server.post("/tokenize", { prompt: "hello there" })).json;
    const ask = { model, max_tokens: 5, temperature: 0 };
    const byText = await client.completions.create({ ...ask, prompt: "hello there" });
    const byIds = await client.completions.create({ ...ask, prompt: tokens });
    expect(byIds.choices[0]?.text).toBe(byText.choices[0]?.text);
  });

  it("gives n choices, one seed each", async () => {
    const { choices } = await client.chat.completions.create({
      model,
      messages,
      n: 4,
      max_tokens: 16,
      seed: 3,
      temperature: 1.5,
    });
    expect(choices.map((choice) => choice.index)).toEqual([0, 1, 2, 3]);
    expect(new Set(choices.map((choice) => choice.message.content)).size).toBeGreaterThan(1);
  });

  it("gives logprobs of chats and of completions", async () => {
    const chat = await client.chat.completions.create({
      model,
      messages,
      max_tokens: 3,
      logprobs: true,
      top_logprobs: 2,
      temperature: 0,
    });
    const content = chat.choices[0]?.logprobs?.content ?? [];
    expect(content).toHaveLength(3);
    for (const entry of content) {
      expect(entry.top_logprobs).toHaveLength(2);
      expect(entry.token).toBe(entry.top_logprobs[0]?.token);
      expect(entry.logprob).toBeLessThanOrEqual(0);
      expect(entry.bytes?.length).toBeGreaterThan(0);
    }
    const text = await client.completions.create({
      model,
      prompt: "hello there",
      max_tokens: 2,
      logprobs: 1,
      echo: true,
      temperature: 0,
    });
    const logprobs = text.choices[0]?.logprobs;
    expect(logprobs?.token_logprobs?.[0]).toBeNull();
    expect(logprobs?.tokens).toHaveLength((text.usage?.prompt_tokens ?? 0) + 2);
    expect(text.choices[0]?.text.startsWith("hello there")).toBe(true);
  });

  it("scores a prompt with echo and no output", async () => {
    const { choices, usage } = await client.completions.create({
      model,
      prompt: "hello there",
      max_tokens: 0,
      logprobs: 0,
      echo: true,
    });
    expect(choices[0]?.text).toBe("hello there");
    expect(choices[0]?.logprobs?.tokens).toHaveLength(usage?.prompt_tokens ?? 0);
  });

  it("stops at a stop string and tells which", async () => {
    const whole = await client.completions.create({ model, prompt: "a", max_tokens: 40, seed: 5 });
    const text = whole.choices[0]?.text ?? "";
    const stop = text.slice(10, 13);
    const series = ["vllm:request_success_total", 'finished_reason="stop"'] as const;
    const before = await server.metric(...series);
    const cut = await client.completions.create({
      model,
      prompt: "a",
      max_tokens: 40,
      seed: 5,
      stop,
    });
    expect(cut.choices[0]).toMatchObject({
      text: text.slice(0, text.indexOf(stop)),
      finish_reason: "stop",
      stop_reason: stop,
    });
    expect(await server.metric(...series)).toBe(before + 1);
  });

  it("reports cached prompt tokens the second time", async () => {
    const ask = {
      model,
      prompt: "one two three four five six seven eight nine ten ".repeat(3),
      max_tokens: 1,
    };
    await client.completions.create(ask);
    const again = await client.completions.create(ask);
    expect(again.usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThanOrEqual(16);
  });

  it("raises the client's own errors", async () => {
    const strange = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "wrong", maxRetries: 0 });
    await expect(strange.models.list()).rejects.toBeInstanceOf(AuthenticationError);
    await expect(
      client.chat.completions.create({ model: "other", messages }),
    ).rejects.toBeInstanceOf(NotFoundError);
    const hot = client.chat.completions.create({ model, messages, temperature: 5 });
    await expect(hot).rejects.toBeInstanceOf(BadRequestError);
    const error = await hot.catch((thrown: APIError) => thrown);
    expect(error).toMatchObject({ status: 400, param: "temperature", type: "BadRequestError" });
  });

  it("frees everything when a stream is left", async () => {
    const stream = await client.chat.completions.create({
      model,
      messages,
      max_tokens: 400,
      stream: true,
      ignore_eos: true,
    } as OpenAI.ChatCompletionCreateParamsStreaming);
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    const { engines } = server.world.serving;
    await engines.idle();
    expect({ running: engines.running, kv: engines.kvUsage }).toEqual({ running: 0, kv: 0 });
  });

  it("takes a request id and gives it back", async () => {
    const { headers, json } = await server.post(
      "/v1/completions",
      { prompt: "a", max_tokens: 1 },
      { "x-request-id": "mine", authorization: "Bearer secret" },
    );
    expect(headers.get("x-request-id")).toBe("mine");
    expect(json.id).toBe("cmpl-mine");
  });
});
