/** Anthropic's own client against the whole server. */
import Anthropic, { APIUserAbortError, BadRequestError, NotFoundError } from "@anthropic-ai/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CompatServer, compatServer, untilIdle, WEATHER } from "./support.ts";

let server: CompatServer;
let client: Anthropic;

beforeAll(async () => {
  server = await compatServer(["--api-key", "secret"]);
  client = new Anthropic({ apiKey: "secret", baseURL: server.url, maxRetries: 0 });
});

afterAll(() => server.stop(0));

const messages: Anthropic.MessageParam[] = [
  { role: "user", content: "Tell me a story about a dog." },
];
const tools: Anthropic.Tool[] = [
  {
    name: WEATHER.function.name,
    description: WEATHER.function.description,
    input_schema: WEATHER.function.parameters as Anthropic.Tool.InputSchema,
  },
];

describe("messages", () => {
  it("answers, and counts the same tokens before", async () => {
    const ask = { model: server.model, messages, system: "Be kind." };
    const answer = await client.messages.create({ ...ask, max_tokens: 12 });
    expect(answer).toMatchObject({ type: "message", role: "assistant" });
    expect(answer.content[0]).toMatchObject({ type: "text" });
    expect(["end_turn", "max_tokens"]).toContain(answer.stop_reason);
    const counted = await client.messages.countTokens(ask);
    expect(answer.usage.input_tokens).toBe(counted.input_tokens);
  });

  it("streams the same message", async () => {
    const ask = { model: server.model, messages, max_tokens: 16, temperature: 0 };
    const whole = await client.messages.create(ask);
    const stream = client.messages.stream(ask);
    let text = "";
    stream.on("text", (piece) => {
      text += piece;
    });
    const last = await stream.finalMessage();
    expect(text).toBe(whole.content[0]?.type === "text" ? whole.content[0].text : "");
    expect(last.content).toEqual(whole.content);
    expect(last.usage.output_tokens).toBe(whole.usage.output_tokens);
    expect(last.stop_reason).toBe(whole.stop_reason);
  });

  it("stops at a sequence and says which", async () => {
    const answer = await client.messages.create({
      ...{ model: server.model, messages, max_tokens: 120, temperature: 0 },
      stop_sequences: ["."],
    });
    expect(answer.stop_reason).toBe("stop_sequence");
    expect(answer.stop_sequence).toBe(".");
  });

  it("calls a tool, streamed or not, and reads its result", async () => {
    const ask = {
      ...{ model: server.model, messages, max_tokens: 120, temperature: 0, tools },
      tool_choice: { type: "any" as const },
    };
    const whole = await client.messages.create(ask);
    const streamed = await client.messages.stream(ask).finalMessage();
    for (const answer of [whole, streamed]) {
      expect(answer.stop_reason).toBe("tool_use");
      const call = answer.content.find((block) => block.type === "tool_use");
      expect(call).toMatchObject({ name: "get_weather", input: { city: expect.any(String) } });
      const result = await client.messages.create({
        ...{ model: server.model, max_tokens: 8, tools },
        messages: [
          ...messages,
          { role: "assistant", content: answer.content },
          {
            role: "user",
            content: [{ type: "tool_result", tool_use_id: call?.id ?? "", content: "sunny" }],
          },
        ],
      });
      expect(result.usage.input_tokens).toBeGreaterThan(answer.usage.input_tokens);
    }
  });
});

it("throws Anthropic's errors", async () => {
  const ask = { model: server.model, messages, max_tokens: 4 };
  await expect(client.messages.create({ ...ask, model: "other" })).rejects.toThrow(NotFoundError);
  const hot = { ...ask, temperature: 9 };
  await expect(client.messages.create(hot)).rejects.toThrow(BadRequestError);
  const stranger = client.withOptions({ apiKey: "wrong" });
  await expect(stranger.messages.create(ask)).rejects.toThrow(Anthropic.AuthenticationError);
});

it("is left at once when the client aborts", async () => {
  const stream = client.messages.stream({ model: server.model, messages, max_tokens: 400 });
  stream.once("text", () => stream.abort());
  await expect(stream.finalMessage()).rejects.toThrow(APIUserAbortError);
  await untilIdle(server);
});
