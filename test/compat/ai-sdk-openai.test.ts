/** Vercel's AI SDK with its default OpenAI provider, which speaks /v1/responses. */
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, type ModelMessage, Output, streamText, type ToolSet } from "ai";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type CompatServer, compatServer, PERSON, untilIdle, WEATHER } from "./support.ts";

let server: CompatServer;
beforeAll(async () => {
  server = await compatServer();
});
afterAll(() => server.stop(0));

const model = () => createOpenAI({ apiKey: "none", baseURL: `${server.url}/v1` })(server.model);
const schema = (value: object) => jsonSchema(value as Parameters<typeof jsonSchema>[0]);
const tools: ToolSet = {
  get_weather: { inputSchema: schema(WEATHER.function.parameters), description: "Weather." },
};
const prompt = "Tell me a story about a cat.";

it("streams the text that it generates", async () => {
  const ask = { model: model(), prompt, maxOutputTokens: 16, temperature: 0 };
  const whole = await generateText(ask);
  const stream = streamText(ask);
  let text = "";
  for await (const piece of stream.textStream) text += piece;
  expect(text).toBe(whole.text);
  expect(text.length).toBeGreaterThan(0);
  expect((await stream.usage).outputTokens).toBe(whole.usage.outputTokens);
});

it("goes on from its own messages, referred to by their ids", async () => {
  const first = await generateText({ model: model(), prompt, maxOutputTokens: 8 });
  const messages: ModelMessage[] = [
    { role: "user", content: prompt },
    ...first.response.messages,
    { role: "user", content: "And then?" },
  ];
  const second = await generateText({ model: model(), messages, maxOutputTokens: 8 });
  expect(second.usage.inputTokens).toBeGreaterThan(first.usage.inputTokens ?? 0);
});

it("calls a tool", async () => {
  const ask = { model: model(), prompt, maxOutputTokens: 120, temperature: 0 };
  const { toolCalls } = await generateText({ ...ask, tools, toolChoice: "required" });
  expect(toolCalls[0]).toMatchObject({
    toolName: "get_weather",
    input: { days: expect.any(Number) },
  });
});

it("makes an object", async () => {
  const { output } = await generateText({
    ...{ model: model(), prompt: "A person.", maxOutputTokens: 80 },
    output: Output.object({ schema: schema(PERSON) }),
  });
  expect(output).toMatchObject({ age: expect.any(Number) });
});

it("is left at once when the caller aborts", async () => {
  const abort = new AbortController();
  const stream = streamText({
    ...{ model: model(), prompt, maxOutputTokens: 400, abortSignal: abort.signal },
    onError: () => {},
  });
  for await (const piece of stream.textStream) if (piece !== "") abort.abort();
  await untilIdle(server);
});
