/** A device that fails: what clients see, and that the server goes on. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { failing } from "../support/failing-device.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
/** Steps from this many on fail; undefined: none does. */
let failFrom: (steps: number | undefined) => void;

beforeEach(async () => {
  server = await startServer(["models/tiny/llama", "--device", "null"]);
  failFrom = failing(server);
});
afterEach(() => server.stop(0));

const ask = { messages: [{ role: "user", content: "hello" }], max_tokens: 20, ignore_eos: true };
const BROKEN = {
  type: "InternalServerError",
  param: null,
  code: 500,
};

describe("a failing device", () => {
  it("answers 500 before the first token, streamed or not, without telling why", async () => {
    failFrom(0);
    for (const stream of [true, false]) {
      const { status, json, text } = await server.post("/v1/chat/completions", { ...ask, stream });
      expect(status).toBe(500);
      expect(json.error).toMatchObject(BROKEN);
      expect(text).not.toContain("fire");
    }
  });

  it("ends a stream under way with an error event and [DONE]", async () => {
    failFrom(5);
    const events = await server.stream("/v1/chat/completions", ask);
    expect(events.at(-1)).toBe("[DONE]");
    expect(JSON.parse(events.at(-2) ?? "").error).toMatchObject(BROKEN);
    expect(events.length).toBeGreaterThan(3);
  });

  it("counts the error, frees the blocks and serves again when the device does", async () => {
    failFrom(0);
    await server.post("/v1/chat/completions", ask);
    expect(await server.metric("vllm:request_success_total", 'finished_reason="error"')).toBe(1);
    expect(server.world.serving.engines.kvUsage).toBe(0);
    failFrom(undefined);
    expect((await server.post("/v1/chat/completions", ask)).status).toBe(200);
  });

  it("is told by its probes until it serves again", async () => {
    const probes = async () => {
      const answers = [await server.get("/livez"), await server.get("/readyz")];
      return answers.map(({ status, text }) => `${status} ${text}`);
    };
    expect(await probes()).toEqual(["200 ok", "200 ok"]);
    failFrom(0);
    for (let i = 0; i < 4; i++) await server.post("/v1/chat/completions", ask);
    expect(await probes()).toEqual(["503 stuck", "503 stuck"]);
    failFrom(undefined);
    await server.post("/v1/chat/completions", ask);
    expect(await probes()).toEqual(["200 ok", "200 ok"]);
  });
});
