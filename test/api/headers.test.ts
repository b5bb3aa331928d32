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
    ["GET", "/metrics/", undefined, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }],
    [
      "POST",
      "/metrics",
      completion,
      { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    ],
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

  it.each(["/metrics/", "/docs", "/openapi.json"])(
    "of HEAD %s are GET's, without its body",
    async (path) => {
      const answers = await Promise.all(
        ["HEAD", "GET"].map((method) => fetch(server.url + path, { method })),
      );
      const [head, get] = answers.map(({ status, headers }) => [
        status,
        headers.get("content-type"),
      ]);
      expect(head).toEqual([200, get?.[1]]);
      expect(await answers[0]?.text()).toBe("");
    },
  );

  it("of a stream keep proxies from holding it back, beside vLLM's", async () => {
    const { headers } = await server.post("/v1/completions", { ...completion, stream: true });
    expect(Object.fromEntries([...headers].filter(([name]) => !ASIDE.has(name)))).toEqual({
      "content-type": "text/event-stream; charset=utf-8",
      vary: "Origin",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    });
  });

  const ask = async (to: TestServer, more: Readonly<Record<string, string>>, path = "/version") => {
    const asked = { origin: "http://a", "access-control-request-method": "POST", ...more };
    const answer = await fetch(to.url + path, { method: "OPTIONS", headers: asked });
    const given = [...answer.headers].filter(([name]) =>
      /^(access-control|content-ty|vary)/.test(name),
    );
    return { status: answer.status, text: await answer.text(), headers: Object.fromEntries(given) };
  };
  const methods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, QUERY";
  const told = {
    "access-control-max-age": "600",
    "content-type": "text/plain; charset=utf-8",
    vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network",
  };

  it("let no page of another origin ask or read, as a rule", async () => {
    for (const path of ["/v1/completions", "/nope"]) {
      expect(await ask(server, { "access-control-request-headers": "x-own" }, path)).toEqual({
        status: 400,
        text: "Disallowed CORS origin",
        headers: {
          ...told,
          "access-control-allow-methods": methods,
          "access-control-allow-headers": "x-own",
        },
      });
    }
    const both = { "access-control-request-method": "FOO" };
    expect((await ask(server, both)).text).toBe("Disallowed CORS origin, method");
    const { headers } = await fetch(`${server.url}/version`, { headers: { origin: "http://a" } });
    expect([headers.get("access-control-allow-origin"), headers.get("vary")]).toEqual([
      null,
      "Origin",
    ]);
  });

  const openTo = (...flags: string[]) =>
    startServer(["models/tiny/llama", "--device", "null", ...flags]);

  it("let any ask and read where that is wished", async () => {
    const open = await openTo("--allowed-origins", "*");
    const wanted = { "access-control-request-headers": "content-type,x-own" };
    expect(await ask(open, wanted, "/nope")).toEqual({
      status: 200,
      text: "OK",
      headers: {
        ...told,
        "access-control-allow-origin": "*",
        "access-control-allow-methods": methods,
        "access-control-allow-headers": "content-type,x-own",
      },
    });
    const { headers } = await fetch(`${open.url}/version`, { headers: { origin: "http://a" } });
    expect([headers.get("access-control-allow-origin"), headers.get("vary")]).toEqual([
      "*",
      "Origin",
    ]);
    await open.stop(0);
  });

  it("name who may, and what", async () => {
    const some = await openTo(
      ...["--allowed-origins", "http://a", "http://b", "--allow-credentials"],
      ...["--allowed-methods", "POST", "--allowed-headers", "X-Own"],
    );
    const allowed = {
      "access-control-allow-origin": "http://a",
      "access-control-allow-credentials": "true",
    };
    const { headers, ...good } = await ask(some, {
      "access-control-request-headers": "x-own, accept",
    });
    expect(good).toEqual({ status: 200, text: "OK" });
    expect(headers).toEqual({
      ...told,
      ...allowed,
      "access-control-allow-methods": "POST",
      "access-control-allow-headers":
        "Accept, Accept-Language, Content-Language, Content-Type, X-Own",
    });
    const other = { origin: "http://c", "access-control-request-headers": "x-other" };
    const private_ = { "access-control-request-private-network": "true" };
    expect((await ask(some, { ...other, ...private_ })).text).toBe(
      "Disallowed CORS origin, headers, private-network",
    );
    const read = await fetch(`${some.url}/version`, { headers: { origin: "http://a" } });
    expect(Object.fromEntries(read.headers)).toMatchObject(allowed);
    const none = await fetch(`${some.url}/version`, { headers: { origin: "http://c" } });
    expect(none.headers.get("access-control-allow-origin")).toBeNull();
    await some.stop(0);
  });
});
