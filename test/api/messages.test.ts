/** /v1/messages: blocks, events, errors, keys, and what a client that leaves frees. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer([
    ...["models/tiny/llama", "--device", "null", "--served-model-name", "tiny", "--api-key", "k"],
    ...["--enable-auto-tool-choice", "--tool-call-parser", "hermes"],
  ]);
});
afterAll(() => server.stop(0));

const key = { "x-api-key": "k", "anthropic-version": "2023-06-01" };
const hello = [{ role: "user", content: "hello" }];
const ask = { model: "tiny", messages: hello, max_tokens: 4, temperature: 0 };
const post = (path: string, body: object | string) => server.post(path, body, key);
const count = async (body: object): Promise<number> =>
  (await post("/v1/messages/count_tokens", { model: "tiny", messages: hello, ...body })).json
    .input_tokens;

describe("/v1/messages", () => {
  it("takes Anthropic's key on its own paths, and there alone", async () => {
    expect((await post("/v1/messages", ask)).status).toBe(200);
    expect((await server.post("/v1/messages", ask, { authorization: "Bearer k" })).status).toBe(
      200,
    );
    expect((await server.post("/v1/messages", ask)).status).toBe(401);
    expect((await server.post("/v1/messages", ask, { "x-api-key": "other" })).status).toBe(401);
    expect((await server.post("/v1/messages/count_tokens", ask)).status).toBe(401);
    expect((await post("/v1/chat/completions", { messages: hello })).status).toBe(401);
    const fetched = await fetch(`${server.url}/v1/models`, { headers: key });
    expect(fetched.status).toBe(401);
  });

  it("counts a prompt whatever its thought may cost", async () => {
    const thinking = { type: "enabled", budget_tokens: 1024 };
    expect(await count({ thinking })).toBe(await count({}));
  });

  it("tells a stream as blocks that start, grow and stop", async () => {
    const { text } = await post("/v1/messages", { ...ask, stream: true });
    const events = text
      .split("\n\n")
      .filter((event) => event !== "")
      .map((event) => {
        const [first = "", second = ""] = event.split("\n");
        const data = JSON.parse(second.slice("data: ".length));
        expect(first).toBe(`event: ${data.type}`);
        return data;
      });
    expect(events.map(({ type }) => type).filter((type) => type !== "content_block_delta")).toEqual(
      [
        ...["message_start", "content_block_start", "content_block_stop"],
        ...["message_delta", "message_stop"],
      ],
    );
    const whole = (await post("/v1/messages", ask)).json;
    const said = events.map(({ delta }) => delta?.text ?? "").join("");
    expect(said).toBe(whole.content[0].text);
    expect(events.at(-2)).toMatchObject({
      delta: { stop_reason: whole.stop_reason },
      usage: whole.usage,
    });
    expect(whole.usage.input_tokens).toBe(await count({}));
  });

  it("lets a thought have less than the whole answer, and no more", async () => {
    const thinking = { type: "enabled", budget_tokens: 1024 };
    const more = await post("/v1/messages", { ...ask, thinking, max_tokens: 1024 });
    expect([more.status, more.text]).toEqual([
      400,
      expect.stringContaining("less than max_tokens"),
    ]);
    const less = await post("/v1/messages", { ...ask, thinking, max_tokens: 1025 });
    expect(less.text).not.toContain("less than max_tokens");
  });

  it("counts what the model would read", async () => {
    const plain = await count({});
    expect(await count({ system: "Be brief." })).toBeGreaterThan(plain);
    const tools = [{ name: "f", input_schema: { type: "object", properties: {} } }];
    expect(await count({ tools })).toBeGreaterThanOrEqual(plain);
    const billed = [{ type: "text", text: "x-anthropic-billing-header: a=b" }];
    expect(await count({ system: billed })).toBe(plain);
  });

  it.each([
    [{ model: "other" }, 404, "NotFoundError"],
    [{ temperature: 5 }, 400, "BadRequestError"],
    [{ messages: [] }, 400, "BadRequestError"],
    [{ max_tokens: 10 ** 6 }, 400, "BadRequestError"],
    [{ messages: [{ role: "user", content: [{ type: "image" }] }] }, 400, "BadRequestError"],
    [{ kv_transfer_params: { a: 1 } }, 400, "BadRequestError"],
  ])("refuses %j in Anthropic's shape", async (body, status, type) => {
    const answer = await post("/v1/messages", { ...ask, ...body });
    expect(answer.status).toBe(status);
    expect(answer.json).toEqual({ type: "error", error: { type, message: expect.any(String) } });
  });

  it.each([
    [{ max_tokens: 0 }, "body.max_tokens"],
    [{ messages: [{ role: "user", content: 5 }] }, "body.messages.0.content"],
    [{ messages: [{ role: "user", content: [{ type: "nope" }] }] }, "body.messages.0.content"],
    [{ messages: [{ role: "nope", content: "a" }] }, "body.messages.0.role"],
    [{ thinking: { type: "enabled", budget_tokens: 5 } }, "body.thinking.enabled.budget_tokens"],
    [{ tools: [{ name: "f" }] }, "body.tools.0.input_schema"],
    [{ tool_choice: { type: "tool" } }, "body.tool_choice"],
  ])("refuses the shape of %j, naming %s", async (body, param) => {
    const { status, json } = await post("/v1/messages", { ...ask, ...body });
    expect([status, json.error.param]).toEqual([400, param]);
  });

  it("answers 405 to other methods, of its paths and of those with an id", async () => {
    const get = (path: string) =>
      fetch(`${server.url}${path}`, { headers: { authorization: "Bearer k" } });
    expect((await get("/v1/messages")).status).toBe(405);
    expect((await get("/v1/responses/x/cancel")).status).toBe(405);
    expect((await get("/v1/responses/x/nope")).status).toBe(404);
  });
});
