/** Headers of answers beside vLLM 0.32's; those of a connection and of the framework's name aside. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop(0));

/** Of a connection, or a clock. */
const ASIDE = new Set(["connection", "keep-alive", "transfer-encoding", "date", "server"]);
const JSON_TYPE = { "content-type": "application/json" };
const completion = { prompt: "hello", max_tokens: 2 };

describe("headers", () => {
  it.each([
    ["GET", "/health", undefined, {}],
    ["GET", "/version", undefined, JSON_TYPE],
    ["GET", "/v1/models", undefined, JSON_TYPE],
    ["GET", "/metrics", undefined, { "content-type": "text/plain; version=1.0.0; charset=utf-8" }],
    ["GET", "/nope", undefined, JSON_TYPE],
    ["PUT", "/v1/models", undefined, { ...JSON_TYPE, allow: "GET" }],
    ["POST", "/v1/completions", completion, JSON_TYPE],
    ["POST", "/v1/completions", { ...completion, model: "nobody" }, JSON_TYPE],
    ["POST", "/v1/completions", { ...completion, temperature: -1 }, JSON_TYPE],
    ["POST", "/tokenize", { prompt: "hello" }, JSON_TYPE],
  ])("of %s %s are vLLM's", async (method, path, body, wanted) => {
    const { headers } = await fetch(`${server.url}${path}`, {
      method,
      ...(body && { headers: JSON_TYPE, body: JSON.stringify(body) }),
    });
    const given = [...headers].filter(([name]) => !ASIDE.has(name) && name !== "content-length");
    expect(Object.fromEntries(given)).toEqual({ vary: "Origin", ...wanted });
  });

  it("of a stream keep proxies from holding it back, beside vLLM's", async () => {
    const { headers } = await server.post("/v1/completions", { ...completion, stream: true });
    expect(Object.fromEntries([...headers].filter(([name]) => !ASIDE.has(name)))).toEqual({
      "content-type": "text/event-stream; charset=utf-8",
      vary: "Origin",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    });
  });

  it("let a browser ask before a request of its page, whatever the path", async () => {
    for (const path of ["/v1/completions", "/nope"]) {
      const { status, headers } = await fetch(`${server.url}${path}`, {
        method: "OPTIONS",
        headers: {
          origin: "http://a",
          "access-control-request-method": "POST",
          "access-control-request-headers": "content-type,x-own",
        },
      });
      const given = [...headers].filter(([name]) => !ASIDE.has(name));
      expect([status, Object.fromEntries(given)]).toEqual([
        200,
        {
          "access-control-allow-origin": "*",
          "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD",
          "access-control-allow-headers": "content-type,x-own",
          "access-control-max-age": "600",
          "content-length": "0",
          vary: "Access-Control-Request-Headers",
        },
      ]);
    }
  });

  it("tell a page of another origin that it may read", async () => {
    const { headers } = await fetch(`${server.url}/version`, { headers: { origin: "http://a" } });
    expect([headers.get("access-control-allow-origin"), headers.get("vary")]).toEqual([
      "*",
      "Origin",
    ]);
  });
});
