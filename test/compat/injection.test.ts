/** Failures on purpose, as OpenAI's own client meets them. */
import OpenAI, { APIConnectionError, InternalServerError, RateLimitError } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CompatServer, compatServer, untilIdle } from "./support.ts";

let server: CompatServer;

beforeAll(async () => {
  server = await compatServer(["--enable-inject-header"]);
});

afterAll(() => server.stop(0));

const body = {
  messages: [{ role: "user" as const, content: "Tell me a story about a dog." }],
  max_tokens: 12,
  temperature: 0,
};

const clientOf = (inject: string, maxRetries = 0): OpenAI =>
  new OpenAI({
    apiKey: "none",
    baseURL: `${server.url}/v1`,
    maxRetries,
    logLevel: "off",
    defaultHeaders: { "x-trainyard-inject": inject },
  });

const shown = (kind: string): Promise<number> =>
  server.metric("trainyard:injected_failures_total", `kind="${kind}"`);

/** Text and times of a stream's chunks until it ends or breaks. */
async function streamed(inject: string) {
  const began = performance.now();
  const times: number[] = [];
  let text = "";
  let error: unknown;
  try {
    const stream = await clientOf(inject).chat.completions.create({
      ...body,
      model: server.model,
      stream: true,
    });
    for await (const chunk of stream) {
      times.push(performance.now() - began);
      text += chunk.choices[0]?.delta.content ?? "";
    }
  } catch (thrown) {
    error = thrown;
  }
  return { text, times, error };
}

const whole = (inject: string, maxRetries = 0) =>
  clientOf(inject, maxRetries).chat.completions.create({ ...body, model: server.model });

describe("each kind of failure, counted when it shows", () => {
  it("status: the client's own class of error, with vLLM's body", async () => {
    const before = await shown("status");
    await expect(whole("status=429")).rejects.toThrow(RateLimitError);
    await expect(whole("status")).rejects.toThrow(InternalServerError);
    await expect(whole("status=418")).rejects.toMatchObject({
      status: 418,
      error: { message: "Injected: status=418.", type: "I'm a Teapot", param: null, code: 418 },
    });
    expect(await shown("status")).toBe(before + 3);
  });

  it("status at a rate: a client that tries again gets through", async () => {
    const before = await shown("status");
    const answer = await whole("status=503@50%", 12);
    expect(answer.choices[0]?.message.content?.length).toBeGreaterThan(0);
    expect(await shown("status")).toBeLessThanOrEqual(before + 12);
  }, 60_000);

  it("cut: the stream breaks under way, and the server's blocks are free", async () => {
    const before = await shown("cut");
    const { error, times } = await streamed("cut=3");
    expect(error).toBeInstanceOf(Error);
    expect(times).toHaveLength(3);
    await expect(whole("cut")).rejects.toThrow(Error);
    await expect(whole("cut=0")).rejects.toThrow(APIConnectionError);
    expect(await shown("cut")).toBe(before + 3);
    await untilIdle(server);
  });

  it("malformed: a chunk that is no JSON", async () => {
    const before = await shown("malformed");
    const { error, times } = await streamed("malformed=2");
    expect(error).toBeInstanceOf(SyntaxError);
    expect(times).toHaveLength(2);
    await expect(whole("malformed")).rejects.toThrow(SyntaxError);
    expect(await shown("malformed")).toBe(before + 2);
    await untilIdle(server);
  });

  it("slow-first-token: the answer comes late and whole", async () => {
    const plain = await streamed("none");
    const before = await shown("slow-first-token");
    const slow = await streamed("slow-first-token=400ms");
    expect(slow.text).toBe(plain.text);
    expect(slow.times[0]).toBeGreaterThanOrEqual(400);
    expect(await shown("slow-first-token")).toBe(before + 1);
  });

  it("stall: nothing comes for a while under way", async () => {
    const plain = await streamed("none");
    const before = await shown("stall");
    const { text, times } = await streamed("stall=400ms:3");
    expect(text).toBe(plain.text);
    expect((times[3] ?? 0) - (times[2] ?? 0)).toBeGreaterThanOrEqual(390);
    expect(await shown("stall")).toBe(before + 1);
  });

  it("pace: one chunk after the other", async () => {
    const before = await shown("pace");
    const { times } = await streamed("pace=60ms");
    const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
    expect(gaps.reduce((sum, gap) => sum + gap, 0)).toBeGreaterThanOrEqual(gaps.length * 50);
    expect(await shown("pace")).toBe(before + 1);
  });
});
