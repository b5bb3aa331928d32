/** Bad input: status, type, code and param as vLLM answers, and the server still serving. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";
import { BAD_REQUESTS } from "./bad-requests.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer([
    "models/tiny/llama",
    "--device",
    "null",
    "--served-model-name",
    "tiny",
  ]);
});
afterAll(() => server.stop(0));

const CHAT = "/v1/chat/completions";
const TEXT = "/v1/completions";
const hello = [{ role: "user", content: "hello" }];

describe("bad requests", () => {
  it.each(BAD_REQUESTS)(
    "$what",
    async ({ path = CHAT, body, status = 400, type = "BadRequestError", param, says }) => {
      const { status: got, json } = await server.post(path, body);
      expect(json.error.message).toContain(says);
      expect({ status: got, ...json.error, message: undefined }).toEqual({
        status,
        type,
        param: param ?? null,
        code: status,
      });
      expect(Object.keys(json.error)).toEqual(["message", "type", "param", "code"]);
    },
  );

  it("refuses a body of 65 MB, told in length or not", async () => {
    const body = JSON.stringify({ prompt: "a".repeat(65_000_000) });
    const { status, json } = await server.post(TEXT, body);
    expect(status).toBe(413);
    expect(json.error.message).toContain("--max-request-body-bytes");
    expect(json.error.code).toBe(413);
  });

  it("answers unknown routes and methods as vLLM's framework does", async () => {
    expect(await server.get("/v1/nothing")).toMatchObject({
      status: 404,
      text: '{"detail":"Not Found"}',
    });
    expect(await server.get(CHAT)).toMatchObject({
      status: 405,
      text: '{"detail":"Method Not Allowed"}',
    });
  });

  it("answers HEAD where vLLM's framework does, and what stands under /metrics", async () => {
    const ask = async (method: string, path: string) => {
      const { status, headers } = await fetch(`${server.url}${path}`, { method });
      return { status, allow: headers.get("allow") };
    };
    const mounted = ["/metrics", "/metrics/", "/metrics/x"];
    for (const path of ["/docs", "/redoc", "/openapi.json", ...mounted]) {
      expect([path, await ask("HEAD", path)]).toEqual([path, { status: 200, allow: null }]);
      expect([path, await ask("GET", path)]).toEqual([path, { status: 200, allow: null }]);
    }
    for (const path of mounted) {
      for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
        expect([path, await ask(method, path)]).toEqual([path, { status: 200, allow: null }]);
      }
    }
    expect(await ask("PUT", "/ping")).toEqual({ status: 405, allow: "GET" });
    expect(await ask("POST", "/docs")).toEqual({ status: 405, allow: "HEAD, GET" });
    expect(await ask("HEAD", "/health")).toEqual({ status: 405, allow: "GET" });
  });

  it("says of each path of --enable-scale-out that it is off, and describes none", async () => {
    for (const path of [`${CHAT}/render`, "/v1/completions/derender", "/inference/v1/generate"]) {
      const { status, json } = await server.post(path, "{");
      expect({ status, ...json.error, message: undefined }).toEqual({
        ...{ status: 403, type: "PermissionDeniedError", param: null, code: 403 },
      });
      expect((await server.get(path)).status).toBe(405);
    }
    expect((await server.get("/openapi.json")).text).not.toContain("render");
  });

  it("takes JSON only", async () => {
    const { status, json } = await server.post(TEXT, "prompt=a", { "content-type": "text/plain" });
    expect(status).toBe(400);
    expect(json.error.message).toContain(
      "Unsupported Media Type: Only 'application/json' is allowed",
    );
  });

  it("takes no body without a type", async () => {
    for (const path of [CHAT, TEXT, "/tokenize", "/invocations"]) {
      const answer = await fetch(server.url + path, { method: "POST" });
      expect(await answer.text()).toContain("Unsupported Media Type");
    }
  });

  it("reads scalars as laxly as pydantic", async () => {
    const lax = { max_tokens: "2", temperature: " 0.5 ", logprobs: "true", seed: 3.0, n: true };
    const { status, json } = await server.post(CHAT, { messages: hello, ...lax });
    expect(status).toBe(200);
    expect(json.choices[0].logprobs.content).toHaveLength(2);
    expect(await server.post(CHAT, { messages: hello, stop: 5 })).toMatchObject({ status: 400 });
  });

  it("takes any role, as a template may know it", async () => {
    const messages = [...hello, { role: "critic", content: "well" }];
    expect(await server.post(CHAT, { messages, max_tokens: 1 })).toMatchObject({ status: 200 });
  });

  it("takes an empty stream_options without a stream", async () => {
    const body = { messages: hello, max_tokens: 1, stream_options: {} };
    expect(await server.post(CHAT, body)).toMatchObject({ status: 200 });
  });

  it("sends a path with a slash too many to the right one", async () => {
    const answer = await fetch(`${server.url}/v1/models/?a=1`, { redirect: "manual" });
    expect(answer.status).toBe(307);
    expect(answer.headers.get("location")).toBe(`${server.url}/v1/models?a=1`);
    expect(await server.get("/v1/models/")).toMatchObject({ status: 200 });
  });

  it("answers an invocation by the shape of its body", async () => {
    const chat = await server.post("/invocations", { messages: hello, max_tokens: 1 });
    expect(chat.json.object).toBe("chat.completion");
    const text = await server.post("/invocations", { prompt: "a", max_tokens: 1 });
    expect(text.json.object).toBe("text_completion");
    const empty = await server.post("/invocations", "");
    expect(empty.json.error).toEqual({
      message: "JSON decode error: Expecting value: line 1 column 1 (char 0)",
      ...{ type: "Bad Request", param: null, code: 400 },
    });
    const neither = await server.post("/invocations", { prompt: 7 });
    expect(neither).toMatchObject({ status: 400 });
    expect(neither.json.error.message).toContain("Cannot find suitable handler for request.");
  });

  it.each([[[null]], [[3]], [["x"]], [[{ type: "function", function: null }]]])(
    "refuses %j as tool calls of a chat, wherever one is read",
    async (calls) => {
      const messages = [{ role: "assistant", tool_calls: calls }, ...hello];
      for (const path of ["/tokenize", CHAT]) {
        expect((await server.post(path, { messages, max_tokens: 1 })).status, path).toBe(400);
      }
    },
  );

  it("ignores unknown fields and says so in a header", async () => {
    const { status, headers } = await server.post(TEXT, { prompt: "a", max_tokens: 1, best_of: 2 });
    expect(status).toBe(200);
    expect(headers.get("x-trainyard-ignored-fields")).toBe("best_of");
  });

  it("serves on after all of it", async () => {
    const { status } = await server.post(CHAT, { messages: hello, max_tokens: 2 });
    expect(status).toBe(200);
    expect(server.world.serving.engines.running).toBe(0);
    expect(server.world.serving.engines.kvUsage).toBe(0);
  });
});
