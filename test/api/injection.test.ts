/** Failures on purpose on every route that generates; none without a flag. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

const messages = [{ role: "user", content: "hello" }];
const base = { max_tokens: 8, ignore_eos: true };
const ROUTES: Readonly<Record<string, object>> = {
  "/v1/chat/completions": { ...base, messages },
  "/v1/completions": { ...base, prompt: "hello" },
  "/v1/responses": { input: "hello", max_output_tokens: 8 },
  "/v1/messages": { model: "models/tiny/llama", messages, max_tokens: 8 },
  "/invocations": { ...base, messages },
};
const WHOLE_ONLY = { "/v1/chat/completions/batch": { ...base, messages: [messages] } };

const MODEL = ["models/tiny/llama", "--device", "null"];

describe("by a header that a flag lets in", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer([...MODEL, "--enable-inject-header"]);
  });
  afterAll(() => server.stop(0));

  const ask = (path: string, body: object, inject: string) =>
    server.post(path, body, { "x-trainyard-inject": inject });
  const idle = () =>
    expect
      .poll(() => server.world.serving.engines.all.map((engine) => engine.kvUsage))
      .toEqual([0]);

  it.each(Object.entries({ ...ROUTES, ...WHOLE_ONLY }))(
    "%s answers a status",
    async (path, body) => {
      const { status, json, headers } = await ask(path, body, "status=503");
      expect(status).toBe(503);
      expect(json.error).toMatchObject({ message: "Injected: status=503." });
      expect(json.error.type).toBe("ServiceUnavailableError");
      expect(headers.get("retry-after")).toBe("1");
      expect(headers.get("x-trainyard-injected")).toBe("status");
    },
  );

  it.each(Object.entries(ROUTES))("%s is cut, whole and as a stream", async (path, body) => {
    await expect(ask(path, body, "cut")).rejects.toThrow();
    await expect(ask(path, { ...body, stream: true }, "cut=2")).rejects.toThrow();
    await idle();
  });

  it.each(Object.entries(ROUTES))("%s breaks an event and goes on", async (path, body) => {
    const data = (text: string) =>
      [...text.matchAll(/^data: (.*)$/gm)]
        .map(([, its = ""]) => its)
        .filter((its) => its !== "[DONE]");
    const broken = data((await ask(path, { ...body, stream: true }, "malformed=1")).text);
    const isJson = broken.map((text) => {
      try {
        return JSON.parse(text) !== undefined;
      } catch {
        return false;
      }
    });
    expect(isJson.filter((fine) => !fine)).toHaveLength(1);
    expect(isJson[1]).toBe(false);
    expect(isJson.length).toBeGreaterThan(2);
  });

  it("holds back no other answer while one stalls, and ends with a client that leaves", async () => {
    const path = "/v1/chat/completions";
    const leaving = new AbortController();
    const stalled = fetch(`${server.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-trainyard-inject": "stall=60s:1" },
      body: JSON.stringify({ ...ROUTES[path], max_tokens: 40, stream: true }),
      signal: leaving.signal,
    }).then((response) => response.text());
    expect((await server.post(path, ROUTES[path])).status).toBe(200);
    leaving.abort();
    await expect(stalled).rejects.toThrow();
    await idle();
  });

  it("holds back the first event, not a later one", async () => {
    const path = "/v1/completions";
    const began = performance.now();
    const response = await fetch(`${server.url}${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-trainyard-inject": "slow-first-token=700ms",
      },
      body: JSON.stringify({ prompt: "hello", max_tokens: 4, ignore_eos: true, stream: true }),
    });
    const reader = response.body?.getReader();
    await reader?.read();
    // However busy this machine is, it did not come sooner.
    expect(performance.now() - began).toBeGreaterThan(690);
    while ((await reader?.read())?.done === false);
  });

  it("joins what was held back, and loses nothing of it", async () => {
    const path = "/v1/completions";
    const body = { prompt: "hello", max_tokens: 24, ignore_eos: true, seed: 1, temperature: 0 };
    const text = (stream: string) =>
      [...stream.matchAll(/^data: (\{.*)$/gm)]
        .map(([, data = ""]) => JSON.parse(data).choices[0].text)
        .join("");
    const plain = text((await server.post(path, { ...body, stream: true })).text);
    const stalled = text((await ask(path, { ...body, stream: true }, "stall=200ms:2")).text);
    expect(stalled).toBe(plain);
  });

  it("refuses what it cannot read with the header's name", async () => {
    const { status, json } = await ask(
      "/v1/chat/completions",
      ROUTES["/v1/chat/completions"] ?? {},
      "oops",
    );
    expect(status).toBe(400);
    expect(json.error.param).toBe("x-trainyard-inject");
    expect(json.error.message).toContain("KIND[=VALUE][@RATE]");
  });

  it("leaves routes alone that generate nothing", async () => {
    const headers = { "x-trainyard-inject": "status=500" };
    expect((await server.post("/tokenize", { prompt: "hello" }, headers)).status).toBe(200);
  });
});

describe("by a flag", () => {
  it("befalls a share of the answers, the same ones for a seed", async () => {
    const run = async (seed: string) => {
      const flags = ["--inject", "status=500@40%", "--inject-seed", seed];
      const server = await startServer([...MODEL, ...flags]);
      const statuses: number[] = [];
      for (let i = 0; i < 30; i++) {
        statuses.push((await server.post("/v1/completions", ROUTES["/v1/completions"])).status);
      }
      const counted = await server.metric("trainyard:injected_failures_total", 'kind="status"');
      const headers = { "x-trainyard-inject": "none" };
      await server.post("/v1/completions", ROUTES["/v1/completions"], headers);
      await server.stop(0);
      expect(counted).toBe(statuses.filter((status) => status === 500).length);
      return statuses;
    };
    const first = await run("1");
    expect(await run("1")).toEqual(first);
    expect(await run("2")).not.toEqual(first);
    expect(new Set(first)).toEqual(new Set([200, 500]));
  });

  it("is off by default: the header says nothing, and there are no series", async () => {
    const server = await startServer(MODEL);
    const headers = { "x-trainyard-inject": "status=500" };
    const answer = await server.post("/v1/completions", ROUTES["/v1/completions"], headers);
    expect(answer.status).toBe(200);
    expect((await server.get("/metrics")).text).not.toContain("injected");
    await server.stop(0);
  });
});
