/** Bodies that no client would send: never a 5xx, never a hang, and the server serves on. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chatRequest } from "../../server/openai/chat/schema.ts";
import { completionRequest } from "../../server/openai/completions/schema.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer(["models/tiny/llama", "--device", "null"]);
});
afterAll(() => server.stop(0));

/** Values that are often right, sometimes at an edge, sometimes of another type. */
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(null, true, false, 0, 1, 2, -1, 0.5, "", "a", [], {}) },
  { weight: 2, arbitrary: fc.integer({ min: -5, max: 600 }) },
  { weight: 1, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.string() },
  { weight: 1, arbitrary: fc.array(fc.integer({ min: -2, max: 700 }), { maxLength: 5 }) },
  { weight: 1, arbitrary: fc.dictionary(fc.string(), fc.integer(), { maxKeys: 3 }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
);

const message = fc.record(
  {
    role: fc.constantFrom("user", "assistant", "system", "tool", "x"),
    content: fc.oneof(
      fc.string(),
      fc.constant(null),
      fc.array(fc.record({ type: fc.constant("text"), text: fc.string() })),
    ),
    tool_calls: value,
  },
  { requiredKeys: ["role", "content"] },
);

const fields = (schema: { readonly properties: object }) =>
  fc.dictionary(fc.constantFrom(...Object.keys(schema.properties), "unknown"), value, {
    maxKeys: 4,
  });

const KNOWN = new Set([200, 400, 404, 413]);

async function post(path: string, body: object): Promise<void> {
  const { status, text } = await server.post(path, { max_tokens: 3, ...body });
  if (!KNOWN.has(status)) throw new Error(`${status} ${text} for ${JSON.stringify(body)}`);
}

describe("strange requests", () => {
  it("are answered, chats", async () => {
    const body = fc.tuple(fields(chatRequest), fc.array(message, { maxLength: 3 }));
    await fc.assert(
      fc.asyncProperty(body, async ([further, messages]) =>
        post("/v1/chat/completions", { messages, ...further, model: null }),
      ),
      { numRuns: 250, seed: 1 },
    );
  });

  it("are answered, completions", async () => {
    const prompt = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.array(fc.nat(600), { minLength: 1 }),
      value,
    );
    await fc.assert(
      fc.asyncProperty(fields(completionRequest), prompt, async (further, given) =>
        post("/v1/completions", { prompt: given, ...further, model: null }),
      ),
      { numRuns: 250, seed: 2 },
    );
  });

  it("leave nothing behind", async () => {
    const { engines } = server.world.serving;
    await engines.idle();
    for (const engine of engines.all) engine.check();
    expect({ running: engines.running, kv: engines.kvUsage }).toEqual({ running: 0, kv: 0 });
    const { status } = await server.post("/v1/completions", { prompt: "a", max_tokens: 1 });
    expect(status).toBe(200);
  });
});
