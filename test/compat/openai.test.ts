/** OpenAI's own Node client against the whole server. */
import OpenAI, { APIError, APIUserAbortError, NotFoundError } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CompatServer, compatServer, PERSON, untilIdle, WEATHER } from "./support.ts";

let server: CompatServer;
let client: OpenAI;

beforeAll(async () => {
  server = await compatServer();
  client = new OpenAI({ apiKey: "none", baseURL: `${server.url}/v1`, maxRetries: 0 });
});

afterAll(() => server.stop(0));

const messages = [{ role: "user", content: "Tell me a story about a dog." }] as const;

describe("chat", () => {
  it("answers", async () => {
    const answer = await client.chat.completions.create({
      model: server.model,
      messages: [...messages],
      max_tokens: 12,
    });
    expect(answer.object).toBe("chat.completion");
    expect(answer.choices[0]?.message.role).toBe("assistant");
    expect(answer.choices[0]?.message.content?.length).toBeGreaterThan(0);
    expect(answer.usage?.completion_tokens).toBeLessThanOrEqual(12);
  });

  it("streams the same text, with usage", async () => {
    const body = { model: server.model, messages: [...messages], max_tokens: 16, temperature: 0 };
    const whole = await client.chat.completions.create(body);
    const stream = await client.chat.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let finish: string | null | undefined;
    let tokens: number | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      finish ??= chunk.choices[0]?.finish_reason;
      tokens = chunk.usage?.completion_tokens ?? tokens;
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(finish).toBe(whole.choices[0]?.finish_reason);
    expect(tokens).toBe(whole.usage?.completion_tokens);
  });

  it("takes n, seed, stop and logprobs", async () => {
    const answer = await client.chat.completions.create({
      model: server.model,
      messages: [...messages],
      max_tokens: 8,
      n: 2,
      seed: 5,
      logprobs: true,
      top_logprobs: 3,
      stop: ["zzz"],
    });
    expect(answer.choices).toHaveLength(2);
    const first = answer.choices[0]?.logprobs?.content?.[0];
    expect(first?.top_logprobs).toHaveLength(3);
    expect(first?.logprob).toBeLessThanOrEqual(0);
  });
});

describe("completions", () => {
  it("streams", async () => {
    const stream = await client.completions.create({
      model: server.model,
      prompt: "Once upon",
      max_tokens: 6,
      stream: true,
    });
    let chunks = 0;
    for await (const chunk of stream) {
      expect(chunk.object).toBe("text_completion");
      chunks++;
    }
    expect(chunks).toBeGreaterThan(0);
  });
});

describe("tools", () => {
  const request = { messages: [...messages], tools: [WEATHER], max_tokens: 100 };

  it("calls a required tool with arguments of its schema", async () => {
    const answer = await client.chat.completions.create({
      ...request,
      model: server.model,
      tool_choice: "required",
    });
    const call = answer.choices[0]?.message.tool_calls?.[0];
    if (call?.type !== "function") throw new Error("There is no call.");
    expect(answer.choices[0]?.finish_reason).toBe("tool_calls");
    expect(call.id).toMatch(/^chatcmpl-tool-[0-9a-f]{16}$/);
    expect(call.function.name).toBe("get_weather");
    expect(JSON.parse(call.function.arguments)).toMatchObject({
      city: expect.any(String),
      days: expect.any(Number),
    });
  });

  it("runs the client's streaming helper to the call", async () => {
    const runner = client.chat.completions.stream({
      ...request,
      model: server.model,
      tool_choice: { type: "function", function: { name: "get_weather" } },
    });
    const deltas: string[] = [];
    runner.on("tool_calls.function.arguments.delta", (event) => deltas.push(event.arguments_delta));
    const final = await runner.finalChatCompletion();
    const call = final.choices[0]?.message.tool_calls?.[0];
    if (call?.type !== "function") throw new Error("There is no call.");
    expect(call.function.arguments).toBe(deltas.join(""));
    expect(deltas.length).toBeGreaterThan(1);
    expect(JSON.parse(call.function.arguments)).toHaveProperty("city");
  });

  it("takes the result back", async () => {
    const answer = await client.chat.completions.create({
      model: server.model,
      max_tokens: 8,
      tools: [WEATHER],
      messages: [
        ...messages,
        {
          role: "assistant",
          content: null,
          tool_calls: [
            {
              id: "chatcmpl-tool-1",
              type: "function",
              function: { name: "get_weather", arguments: '{"city":"Oslo"}' },
            },
          ],
        },
        { role: "tool", tool_call_id: "chatcmpl-tool-1", content: '{"sky":"blue"}' },
      ],
    });
    expect(answer.choices[0]?.finish_reason).toMatch(/^(stop|length|tool_calls)$/);
  });
});

describe("structured output", () => {
  it("keeps to a JSON schema, streamed or not", async () => {
    const body = {
      model: server.model,
      messages: [...messages],
      max_tokens: 200,
      response_format: {
        type: "json_schema" as const,
        json_schema: { name: "person", strict: true, schema: PERSON },
      },
    };
    const parsed = await client.chat.completions.parse(body);
    expect(parsed.choices[0]?.message.parsed).toMatchObject({ age: expect.any(Number) });
    const final = await client.chat.completions.stream(body).finalChatCompletion();
    expect(JSON.parse(final.choices[0]?.message.content ?? "")).toMatchObject({
      age: expect.any(Number),
    });
  });
});

describe("errors", () => {
  it("raises the client's own classes", async () => {
    const unknown = client.chat.completions.create({ model: "nobody", messages: [...messages] });
    await expect(unknown).rejects.toBeInstanceOf(NotFoundError);
    const failed = await client.chat.completions
      .create({ model: server.model, messages: [...messages], temperature: 9 })
      .catch((error: unknown) => error);
    if (!(failed instanceof APIError)) throw new Error("It did not fail.");
    expect(failed.status).toBe(400);
    expect(failed.message).toContain("temperature must be in [0, 2]");
  });

  it("names the keyword that a schema may not have", async () => {
    const schema = { type: "array", items: { type: "string" }, uniqueItems: true };
    const failed = client.chat.completions.create({
      model: server.model,
      messages: [...messages],
      response_format: { type: "json_schema", json_schema: { name: "x", schema } },
    });
    await expect(failed).rejects.toThrow(/uniqueItems/);
  });
});

describe("abort", () => {
  it("ends the request on the server", async () => {
    const controller = new AbortController();
    const stream = await client.chat.completions.create(
      {
        model: server.model,
        messages: [...messages],
        max_tokens: 400,
        stream: true,
        temperature: 1,
        ...{ ignore_eos: true },
      },
      { signal: controller.signal },
    );
    const read = async () => {
      for await (const _ of stream) controller.abort();
    };
    // The client ends the loop quietly, or with its abort error.
    await read().catch((error: unknown) => expect(error).toBeInstanceOf(APIUserAbortError));
    await untilIdle(server);
  });
});
