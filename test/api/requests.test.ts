/** GET /requests: what happened to the last requests, and where the time of each went. */
import { connect } from "node:net";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSettings } from "../../server/config.ts";
import { serve } from "../../server/main.ts";
import { startServer, type TestServer } from "../support/server.ts";

const request = (prompt: number, tokens: number, more: object = {}) => ({
  prompt: Array.from({ length: prompt }, (_, index) => 10 + ((index * 7 + prompt) % 400)),
  max_tokens: tokens,
  ignore_eos: true,
  temperature: 0,
  ...more,
});

describe("requests on the simulated device", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer([
      ...["Qwen/Qwen3-0.6B", "--device", "trainium", "--values", "synthetic"],
      ...["--time-scale", "0.3", "--enable-per-request-metrics"],
      ...["--request-history-entries", "6", "--long-prefill-token-threshold", "128"],
    ]);
  });
  afterAll(() => server.stop(0));

  it("have the receipts of their answers, to the nanosecond, with others under way", async () => {
    const answers = await Promise.all(
      [200, 300, 500].map((prompt) => server.post("/v1/completions", request(prompt, 20))),
    );
    const { json } = await server.get("/requests");
    expect(json.requests).toHaveLength(3);
    for (const { json: answer } of answers) {
      const told = json.requests.find((one: { id: string }) => one.id === answer.id);
      expect(told).toMatchObject({
        route: "/v1/completions",
        status: 200,
        output_tokens: 20,
        prompt_tokens: answer.usage.prompt_tokens,
        finish: ["length"],
        gone: false,
        stream: false,
        error: null,
      });
      expect(told.queue_ms).toBe(answer.metrics.queue_time_ms);
      expect(told.ttft_ms).toBeCloseTo(told.queue_ms + answer.metrics.time_to_first_token_ms, 6);
      expect(told.itl_ms).toBeCloseTo(answer.metrics.mean_itl_ms, 6);
      const { json: life } = await server.get(`/requests/${told.number}`);
      const [completion] = life.completions;
      expect(completion.receipt_ns).toEqual(answer.metrics.receipt_ns);
      const pieces: { tokens: number }[] = completion.pieces;
      expect(pieces.length).toBeGreaterThan(1);
      expect(pieces.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(told.prompt_tokens);
      expect(completion.emitted_ms).toHaveLength(20);
      expect(completion.emitted_ms[0]).toBe(told.ttft_ms);
      const gaps = completion.emitted_ms.map((end: number, at: number, all: number[]) =>
        at === 0 ? 0 : end - (all[at - 1] ?? 0),
      );
      expect(told.stall_ms).toBeCloseTo(Math.max(...gaps), 6);
      const own = life.steps.own.filter(Boolean).length;
      expect(own).toBe(pieces.length + 19);
    }
  });

  it("tell each write of a stream", async () => {
    await server.stream("/v1/completions", request(40, 64));
    const { json } = await server.get("/requests?limit=1");
    const [{ number, stream }] = json.requests;
    expect(stream).toBe(true);
    const { json: life } = await server.get(`/requests/${number}`);
    const writes: number[] = life.writes_ms;
    const ends: number[] = life.completions[0].emitted_ms;
    // A write takes what steps gave since the one before: one event each, where the host keeps up.
    expect(writes.length).toBeGreaterThan(1);
    expect(writes.length).toBeLessThanOrEqual(ends.length + 1);
    expect(writes).toEqual(writes.toSorted((a, b) => a - b));
    expect(writes[0]).toBeGreaterThanOrEqual(ends[0] ?? Number.NaN);
    expect(writes.at(-1)).toBeGreaterThanOrEqual(ends.at(-1) ?? Number.NaN);
  });

  it("are those after one that was seen, the last few, and what is under way", async () => {
    const { json: before } = await server.get("/requests?limit=1");
    const { number } = before.requests[0];
    const coming = server.post("/v1/completions", request(20, 200));
    await expect
      .poll(async () => (await server.get("/requests?limit=0")).json.under_way[0]?.output_tokens)
      .toBeGreaterThan(0);
    const { json: now } = await server.get("/requests?limit=0");
    expect(now.under_way[0]).toMatchObject({ status: null, finish: [] });
    const { json: early } = await server.get(`/requests/${now.under_way[0].number}`);
    expect(early.completions[0].receipt_ns.time_to_first_token.total).toBeGreaterThan(0);
    await coming;
    const { json: after } = await server.get(`/requests?after=${number}`);
    expect(after.requests.map((one: { number: number }) => one.number)).toEqual([number + 1]);
    for (let more = 0; more < 6; more++) await server.post("/v1/completions", request(9, 1));
    expect((await server.get("/requests")).json).toMatchObject({ kept: 6, most: 6 });
    expect((await server.get(`/requests/${number}`)).status).toBe(404);
  });

  it("name what is wrong with a question", async () => {
    for (const [path, param] of [
      ["/requests?limit=-1", "limit"],
      ["/requests?after=x", "after"],
      ["/requests/1e3", "number"],
    ] as const) {
      const { status, json } = await server.get(path);
      expect(status).toBe(400);
      expect(json.error).toMatchObject({ param });
    }
  });
});

describe("requests that fail", () => {
  it("say how, and what a client that left had", async () => {
    const server = await startServer(["models/tiny/llama", "--device", "cpu"]);
    const end = new AbortController();
    const leaving = fetch(`${server.url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-request-id": "<script>alert(1)</script>" },
      body: JSON.stringify({ prompt: "hello", max_tokens: 240, stream: true, ignore_eos: true }),
      signal: end.signal,
    });
    await (await leaving).body?.getReader().read();
    end.abort();
    await server.post("/v1/completions", { prompt: "hello", max_tokens: 4, model: "another" });
    const told = async () => (await server.get("/requests")).json.requests;
    const gone = async () => (await told()).find((one: { gone: boolean }) => one.gone);
    await expect.poll(gone).toBeDefined();
    const left = await gone();
    expect(left.id).toContain("<script>");
    expect(left.output_tokens).toBeGreaterThan(0);
    await server.stop(0);
  });

  it("are nobody's answer where the client left in the middle of its body", async () => {
    const lines: { reqId?: string; msg: string; status?: number; gone?: boolean }[] = [];
    const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
    const argv = ["models/tiny/llama", "--device", "null", "--port", "0"];
    const server = await serve(parseSettings(argv).settings, logger);
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    socket.on("error", () => {}); // it is cut off
    const head = "POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
    socket.write(`${head}\r\ncontent-length: 100\r\n\r\n{"pro`, () => socket.destroy());
    const told = () => lines.find(({ msg }) => msg === "request");
    await expect.poll(told).toMatchObject({ status: 499, gone: true });
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toMatch(/^http_requests_total\{.*status="4xx".*\} 1$/m);
    expect(metrics).not.toMatch(/^http_response_size_bytes_sum\{.*completions.*\} [1-9]/m);
    await server.stop(0);
  });

  it("are not made where the client left while a thread parsed its body", async () => {
    const server = await startServer(["models/tiny/llama", "--device", "null"]);
    const body = JSON.stringify({ ...request(4, 200), metadata: { a: "a".repeat(2 ** 20) } });
    const { port, hostname } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {}); // it is cut off
    const head = "POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
    const whole = `${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    await new Promise<void>((resolve) => socket.write(whole, () => resolve()));
    socket.destroy();
    // Bodies are parsed one after the other.
    expect((await server.post("/v1/completions", body)).status).toBe(200);
    const told = async () => (await server.get("/requests")).json.under_way;
    await expect.poll(told).toEqual([]);
    await server.stop(0);
  });

  it("are behind the key, and gone with --request-history-entries 0", async () => {
    const tiny = ["models/tiny/llama", "--device", "null"];
    const guarded = await startServer([...tiny, "--api-key", "secret"]);
    for (const path of ["/requests", "/requests/1"]) {
      expect((await guarded.get(path)).status).toBe(401);
    }
    await guarded.stop(0);
    const without = await startServer([...tiny, "--request-history-entries", "0"]);
    expect((await without.get("/requests")).status).toBe(404);
    expect((await without.post("/v1/completions", request(4, 2))).status).toBe(200);
    await without.stop(0);
  });
});
