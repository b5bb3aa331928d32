/** LangChain.js against the whole server. */
import { HumanMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type CompatServer, compatServer, PERSON, untilIdle, WEATHER } from "./support.ts";

let server: CompatServer;

beforeAll(async () => {
  server = await compatServer();
});

afterAll(() => server.stop(0));

const chat = (fields: Partial<ConstructorParameters<typeof ChatOpenAI>[0]> = {}) =>
  new ChatOpenAI({
    model: server.model,
    apiKey: "none",
    maxRetries: 0,
    maxTokens: 16,
    configuration: { baseURL: `${server.url}/v1` },
    ...(fields as object),
  });

const messages = [new HumanMessage("Tell me a story about a bird.")];

it("invokes", async () => {
  const answer = await chat().invoke(messages);
  expect(String(answer.content).length).toBeGreaterThan(0);
  expect(answer).toHaveProperty("usage_metadata.output_tokens", expect.any(Number));
});

it("streams", async () => {
  const model = chat({ temperature: 0 });
  const whole = await model.invoke(messages);
  let text = "";
  for await (const chunk of await model.stream(messages)) text += String(chunk.content);
  expect(text).toBe(whole.content);
});

it("calls a tool, streamed or not", async () => {
  const model = chat({ maxTokens: 120 }).bindTools([WEATHER], { tool_choice: "required" });
  const answer = await model.invoke(messages);
  expect(answer.tool_calls?.[0]).toMatchObject({
    name: "get_weather",
    args: { city: expect.any(String) },
  });
  let joined: Awaited<ReturnType<typeof model.invoke>> | undefined;
  for await (const chunk of await model.stream(messages))
    joined = joined === undefined ? chunk : joined.concat(chunk as never);
  expect(joined?.tool_calls?.[0]).toMatchObject({
    name: "get_weather",
    args: { days: expect.any(Number) },
  });
});

it("gives structured output", async () => {
  const model = chat({ maxTokens: 200 }).withStructuredOutput(
    { title: "person", ...PERSON },
    { method: "jsonSchema" },
  );
  expect(await model.invoke(messages)).toMatchObject({
    name: expect.any(String),
    age: expect.any(Number),
  });
});

it("reports errors", async () => {
  await expect(chat({ model: "nobody" }).invoke(messages)).rejects.toThrow(/does not exist/);
});

it("aborts", async () => {
  const controller = new AbortController();
  const model = chat({ maxTokens: 400, modelKwargs: { ignore_eos: true } });
  const read = async () => {
    for await (const _ of await model.stream(messages, { signal: controller.signal }))
      controller.abort();
  };
  await read().catch(() => {});
  await untilIdle(server);
});
