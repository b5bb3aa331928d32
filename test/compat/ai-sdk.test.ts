/** Vercel's AI SDK against the whole server. */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  APICallError,
  generateObject,
  generateText,
  jsonSchema,
  streamText,
  type ToolSet,
} from "ai";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type CompatServer, compatServer, PERSON, untilIdle, WEATHER } from "./support.ts";

let server: CompatServer;

beforeAll(async () => {
  server = await compatServer();
});

afterAll(() => server.stop(0));

const model = (name = server.model) =>
  createOpenAICompatible({
    name: "trainyard",
    baseURL: `${server.url}/v1`,
    supportsStructuredOutputs: true,
    includeUsage: true,
  })(name);

const prompt = "Tell me a story about a cat.";
const tools: ToolSet = {
  get_weather: {
    description: WEATHER.function.description,
    inputSchema: jsonSchema(WEATHER.function.parameters as Parameters<typeof jsonSchema>[0]),
  },
};

it("generates text", async () => {
  const { text, usage, finishReason } = await generateText({
    model: model(),
    prompt,
    maxOutputTokens: 12,
  });
  expect(text.length).toBeGreaterThan(0);
  expect(usage.outputTokens).toBeLessThanOrEqual(12);
  expect(["stop", "length"]).toContain(finishReason);
});

it("streams text", async () => {
  const whole = await generateText({ model: model(), prompt, maxOutputTokens: 16, temperature: 0 });
  const stream = streamText({ model: model(), prompt, maxOutputTokens: 16, temperature: 0 });
  let text = "";
  for await (const piece of stream.textStream) text += piece;
  expect(text).toBe(whole.text);
  expect((await stream.usage).outputTokens).toBe(whole.usage.outputTokens);
});

it("calls a tool, streamed or not", async () => {
  const request = {
    model: model(),
    prompt,
    tools,
    toolChoice: "required" as const,
    maxOutputTokens: 120,
  };
  const answer = await generateText(request);
  expect(answer.finishReason).toBe("tool-calls");
  expect(answer.toolCalls[0]?.input).toMatchObject({
    city: expect.any(String),
    days: expect.any(Number),
  });
  const stream = streamText(request);
  await stream.consumeStream();
  const [call] = await stream.toolCalls;
  expect(call?.toolName).toBe("get_weather");
  expect(call?.input).toMatchObject({ city: expect.any(String), days: expect.any(Number) });
});

it("generates an object", async () => {
  const { object } = await generateObject({
    model: model(),
    prompt,
    maxOutputTokens: 200,
    schema: jsonSchema<{ name: string; age: number }>(PERSON as Parameters<typeof jsonSchema>[0]),
  });
  expect(object).toMatchObject({ name: expect.any(String), age: expect.any(Number) });
});

it("reports errors", async () => {
  const failed = await generateText({ model: model("nobody"), prompt, maxRetries: 0 }).catch(
    (error: unknown) => error,
  );
  if (!APICallError.isInstance(failed)) throw new Error("It did not fail.");
  expect(failed.statusCode).toBe(404);
  expect(failed.message).toContain("does not exist");
});

it("aborts", async () => {
  const controller = new AbortController();
  const stream = streamText({
    model: model(),
    prompt,
    maxOutputTokens: 400,
    abortSignal: controller.signal,
    providerOptions: { trainyard: { ignore_eos: true } },
    onError: () => {},
  });
  for await (const part of stream.fullStream) {
    if (part.type === "text-delta") controller.abort();
    if (part.type === "abort") break;
  }
  await untilIdle(server);
});
