/** Texts that end or stall a tokenizer: the client's 400 that names the limit, wherever text comes in. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop(0));

const TEXT = "/v1/completions";
const CHAT = "/v1/chat/completions";
const wide = `a${"\u2003\n".repeat(5_500_000)}b`;

it.each([
  ["/tokenize", { prompt: `a${" ".repeat(11_000_000)}b` }, "4000000"],
  ["/tokenize", { prompt: wide }, "4000000"],
  ["/tokenize", { prompt: `a${"\t".repeat(150_000)}b` }, "100000"],
  ["/tokenize", { messages: [{ role: "user", content: `a${" ".repeat(200_000)}b` }] }, "100000"],
  [TEXT, { prompt: " ".repeat(11_000_000), truncate_prompt_tokens: 5 }, "upper bound"],
  [TEXT, { prompt: ["a", "\n".repeat(3_000_000)], truncate_prompt_tokens: -1 }, "upper bound"],
  [TEXT, { prompt: "hi", bad_words: ["x".repeat(99_999), " ".repeat(11_000_000)] }, "100000"],
  [CHAT, { messages: [{ role: "user", content: wide }], truncate_prompt_tokens: 1 }, "upper bound"],
])("%s %# is refused", async (path, body, says) => {
  const { status, json } = await server.post(path, body);
  expect(status).toBe(400);
  expect(json.error.message).toContain(says);
  expect((await server.post("/tokenize", { prompt: "still here" })).status).toBe(200);
});
