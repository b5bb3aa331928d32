/** chat_template in a request: only when trusted, and never for long. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

const chat = (more: object) => ({
  messages: [{ role: "user", content: "hi" }],
  max_tokens: 2,
  ...more,
});
const RENDER = { return_prompt_text: true };

describe("a template in a request", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer([
      "models/tiny/llama",
      "--device",
      "null",
      "--trust-request-chat-template",
    ]);
  });
  afterAll(() => server.stop(0));

  it("is rendered, with its variables", async () => {
    const template =
      "{{ bos_token is defined }} {% for m in messages %}<{{ m.content }}>{% endfor %}{{ tone }}";
    const { status, json } = await server.post(
      "/v1/chat/completions",
      chat({ ...RENDER, chat_template: template, chat_template_kwargs: { tone: "dry" } }),
    );
    expect(status).toBe(200);
    expect(json.prompt_text).toMatch(/<hi>dry$/);
  });

  it("may complain", async () => {
    const template = "{{ raise_exception('no such role') }}";
    const { status, json } = await server.post(
      "/v1/chat/completions",
      chat({ chat_template: template }),
    );
    expect(status).toBe(400);
    expect(json.error.message).toContain("no such role");
  });

  it("is stopped when it runs too long, and the next one is served", async () => {
    const template =
      "{% for a in range(99999) %}{% for b in range(99999) %}{{ a * b }}{% endfor %}{% endfor %}";
    const { status, json } = await server.post(
      "/v1/chat/completions",
      chat({ chat_template: template }),
    );
    expect(status).toBe(400);
    expect(json.error.message).toContain("longer than");
    const next = await server.post(
      "/v1/chat/completions",
      chat({ ...RENDER, chat_template: "{{ messages[0].content }}!" }),
    );
    expect(next.json.prompt_text).toBe("hi!");
  });
});

it("is refused where templates are not trusted", async () => {
  const server = await startServer();
  const { status, json } = await server.post("/v1/chat/completions", chat({ chat_template: "x" }));
  expect(status).toBe(400);
  expect(json.error.message).toContain("--trust-request-chat-template is not set");
  await server.stop(0);
});
