/** OpenAI's own Node client and its /v1/responses against the whole server. */
import OpenAI, { NotFoundError } from "openai";
import type { ResponseStreamEvent } from "openai/resources/responses/responses";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CompatServer, compatServer, PERSON, untilIdle, WEATHER } from "./support.ts";

let server: CompatServer;
let client: OpenAI;

beforeAll(async () => {
  server = await compatServer();
  client = new OpenAI({ apiKey: "none", baseURL: `${server.url}/v1`, maxRetries: 0 });
});

afterAll(() => server.stop(0));

const input = "Tell me a story about a dog.";
const tool = { type: "function" as const, strict: true, ...WEATHER.function };

describe("responses", () => {
  it("answers, streamed or not", async () => {
    const ask = { model: server.model, input, max_output_tokens: 16, temperature: 0 };
    const whole = await client.responses.create(ask);
    expect(whole.output_text.length).toBeGreaterThan(0);
    const stream = client.responses.stream(ask);
    let text = "";
    stream.on("response.output_text.delta", ({ delta }) => {
      text += delta;
    });
    const last = await stream.finalResponse();
    expect(text).toBe(whole.output_text);
    expect(last.usage).toEqual(whole.usage);
  });

  it("parses structured output", async () => {
    const answer = await client.responses.parse({
      ...{ model: server.model, input: "A person, please.", max_output_tokens: 80 },
      text: { format: { type: "json_schema", name: "person", schema: PERSON, strict: true } },
    });
    expect(JSON.parse(answer.output_text)).toMatchObject({ age: expect.any(Number) });
  });

  it("calls a tool and goes on with its output", async () => {
    const ask = { model: server.model, input, max_output_tokens: 120, temperature: 0 };
    const first = await client.responses.create({ ...ask, tools: [tool], tool_choice: "required" });
    const call = first.output.find((item) => item.type === "function_call");
    expect(JSON.parse(call?.arguments ?? "")).toHaveProperty("city");
    const output = { type: "function_call_output" as const, call_id: call?.call_id ?? "" };
    const second = await client.responses.create({
      ...ask,
      tools: [tool],
      max_output_tokens: 8,
      previous_response_id: first.id,
      input: [{ ...output, output: "sunny" }],
    });
    expect(second.previous_response_id).toBe(first.id);
    // Its own items may be sent back instead.
    const calls = first.output.filter((item) => item.type === "function_call");
    const third = await client.responses.create({
      ...ask,
      max_output_tokens: 8,
      input: [{ role: "user", content: input }, ...calls, { ...output, output: "sunny" }],
    });
    expect(third.usage?.input_tokens).toBeGreaterThan(first.usage?.input_tokens ?? 0);
  });

  it("retrieves, and says what it does not know", async () => {
    const made = await client.responses.create({
      model: server.model,
      input,
      max_output_tokens: 4,
    });
    expect((await client.responses.retrieve(made.id)).output).toEqual(made.output);
    await expect(client.responses.retrieve("resp_none")).rejects.toThrow(NotFoundError);
  });

  it("runs in the background, watched and cancelled", async () => {
    const ask = { model: server.model, input, background: true, max_output_tokens: 400 };
    const queued = await client.responses.create(ask);
    expect(queued.status).toBe("queued");
    expect((await client.responses.cancel(queued.id)).status).toBe("cancelled");
    const stream = await client.responses.create({ ...ask, max_output_tokens: 8, stream: true });
    const events: ResponseStreamEvent[] = [];
    for await (const event of stream) events.push(event);
    const [created] = events;
    const id = created?.type === "response.created" ? created.response.id : "";
    const again = await client.responses.retrieve(id, { stream: true, starting_after: 1 });
    const rest: ResponseStreamEvent[] = [];
    for await (const event of again) rest.push(event);
    expect(rest).toEqual(events.slice(2));
    await untilIdle(server);
  });

  it("is left at once when the client aborts", async () => {
    const stream = await client.responses.create({ model: server.model, input, stream: true });
    for await (const event of stream) if (event.type.endsWith(".delta")) break;
    await untilIdle(server);
  });
});
