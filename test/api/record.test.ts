/** Recording from another server, and its answers again without it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSettings } from "../../server/config.ts";
import { startServer, type TestServer } from "../support/server.ts";

const folder = mkdtempSync(join(tmpdir(), "record-"));
const file = join(folder, "recorded.jsonl");
const source = join(folder, "source.jsonl");
const SECRET = "sk-secret-0123456789";
const messages = [{ role: "user", content: "What is it like?" }];
const call = { name: "get_weather", arguments: '{"city": "Rome"}' };
writeFileSync(
  source,
  [
    {
      match: { tools: ["get_weather"] },
      answer: { reasoning: "Let me see.", text: "One moment.", calls: [call] },
    },
    {
      match: { user: "busy" },
      answer: { error: { status: 429, message: "Slow down.", type: "Too Many Requests" } },
    },
    { match: { user: "short" }, answer: { text: "It ends in the", finish: "length" } },
    { match: {}, answer: { reasoning: "Hm.", text: "It is “fine”,\nthank you. 👋" } },
  ]
    .map((line) => JSON.stringify(line))
    .join("\n"),
);

const tools = [
  { type: "function", function: { name: "get_weather", parameters: { type: "object" } } },
];
const flat = [{ type: "function", name: "get_weather", parameters: { type: "object" } }];
const anthropic = [{ name: "get_weather", input_schema: { type: "object" } }];
const REQUESTS: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ["/v1/chat/completions", { messages }],
  ["/v1/chat/completions", { messages, tools }],
  ["/v1/chat/completions", { messages: [{ role: "user", content: "busy" }] }],
  ["/v1/chat/completions", { messages: [{ role: "user", content: "short" }] }],
  ["/v1/completions", { prompt: "It is", max_tokens: 64 }],
  ["/v1/responses", { input: "What is it like?" }],
  ["/v1/responses", { input: messages, tools: flat }],
  ["/v1/messages", { messages, max_tokens: 200 }],
  ["/v1/messages", { messages, max_tokens: 200, tools: anthropic }],
];
const KEYS = {
  authorization: `Bearer ${SECRET}`,
  "x-api-key": SECRET,
  cookie: `session=${SECRET}`,
};
const flags = [
  ...["--device", "null", "--served-model-name", "mock", "--enable-auto-tool-choice"],
  "--no-enable-prefix-caching", // usage tells what was cached, which is each server's own
];

let upstream: TestServer;
let recorder: TestServer;

beforeAll(async () => {
  upstream = await startServer([...flags, "--matches", source]);
  recorder = await startServer([...flags, "--record-from", `${upstream.url}/v1`, "--record", file]);
});

afterAll(async () => {
  await recorder.stop(0);
  await upstream.stop(0);
  rmSync(folder, { recursive: true });
});

/** What differs from one answer to the next: ids, times, what a stream makes of them. */
const steady = (text: string): string =>
  text
    .replaceAll(/"(?:created|created_at|completed_at)": ?[\d.]+/g, '"at":0')
    .replaceAll(/\b(?:chatcmpl|cmpl|msg|resp|rs|fc|call|chatcmpl-tool)[-_][0-9a-f]{16,}\b/g, "ID")
    .replaceAll(/"signature": ?"[0-9a-f]+"/g, '"signature":""');

describe("recording", () => {
  it.each(REQUESTS)(
    "%s %j comes back as the other server says it, and again without it",
    async (path, body) => {
      for (const stream of [false, true]) {
        const asked = { model: "mock", ...body, stream };
        const direct = await upstream.post(path, asked, KEYS);
        const passed = await recorder.post(path, asked, KEYS);
        expect(passed.status).toBe(direct.status);
        expect(passed.headers.get("content-type")).toBe(direct.headers.get("content-type"));
        expect(steady(passed.text)).toBe(steady(direct.text));
      }
      const replay = await startServer([...flags, "--matches", file, "--matches-only"]);
      for (const stream of [false, true]) {
        const asked = { model: "mock", ...body, stream };
        const again = await replay.post(path, asked);
        const direct = await upstream.post(path, asked);
        expect(again.status).toBe(direct.status);
        expect(steady(again.text)).toBe(steady(direct.text));
      }
      await replay.stop(0);
    },
  );

  it("writes no key, and one line for an answer that is said again", () => {
    const text = readFileSync(file, "utf8");
    expect(text).not.toContain(SECRET);
    // Calls have an id of their own each time: they are written twice.
    expect(text.trim().split("\n")).toHaveLength(REQUESTS.length + 3);
    for (const line of text.trim().split("\n")) {
      expect(Object.keys(JSON.parse(line)).sort()).toEqual(["answer", "match", "recorded"]);
    }
  });
});

describe("a conversation", () => {
  it("goes on in its replay with the ids of the calls that were recorded", async () => {
    const own = join(folder, "turns.jsonl");
    const recording = await startServer([...flags, "--record-from", upstream.url, "--record", own]);
    /** A call, its result, and what is made of it. */
    const talk = async (server: TestServer): Promise<readonly unknown[]> => {
      const first = await server.post("/v1/chat/completions", { messages, tools });
      const { message } = first.json.choices[0];
      const said = { role: "assistant", content: message.content, tool_calls: message.tool_calls };
      const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "rain" };
      const further = { messages: [...messages, said, result] };
      const second = await server.post("/v1/chat/completions", further);
      const asked = await server.post("/v1/responses", { input: messages, tools: flat });
      const called = asked.json.output.find(
        (item: { type: string }) => item.type === "function_call",
      );
      const given = { type: "function_call_output", call_id: called.call_id, output: "rain" };
      const end = await server.post("/v1/responses", { input: [...messages, called, given] });
      return [
        message.tool_calls[0].id,
        second.json.choices[0].message.content,
        called.call_id,
        end.json.output.at(-1).content[0].text,
      ];
    };
    const recorded = await talk(recording);
    const replay = await startServer([...flags, "--matches", own]);
    const [firstId, firstText, secondId] = await talk(replay);
    expect([firstId, firstText, secondId]).toEqual(recorded.slice(0, 3));
    await replay.stop(0);
    await recording.stop(0);
  });
});

describe("another server", () => {
  /** Says what it is told to, to the byte. */
  async function odd(
    write: (end: (text?: string) => void, chunk: (text: string) => void) => void,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{
    server: Server;
    recorder: TestServer;
    file: string;
    seen: () => Readonly<Record<string, unknown>>;
  }> {
    let seen: Readonly<Record<string, unknown>> = {};
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (data) => (body += data));
      request.on("end", () => {
        seen = { headers: request.headers, body, url: request.url };
        response.writeHead(200, { "content-type": "text/event-stream", ...headers });
        write(
          (text) => (text === undefined ? response.destroy() : response.end(text)),
          (text) => response.write(text),
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo; // it listens on TCP
    const own = join(folder, `odd-${port}.jsonl`);
    const made = await startServer([
      ...flags,
      "--record-from",
      `http://127.0.0.1:${port}`,
      "--record",
      own,
    ]);
    return { server, recorder: made, file: own, seen: () => seen };
  }

  it("gets the body as it was written, and the keys", async () => {
    const body =
      '{"messages": [{"role":"user","content":"\\u00e9"}],  "unknown_field": 1.0, "model":"gpt-x"}';
    const { server, recorder: own, seen } = await odd((end) => end("data: [DONE]\n\n"));
    const answer = await own.post("/v1/chat/completions", body, KEYS);
    expect(answer.text).toBe("data: [DONE]\n\n");
    expect(seen()).toMatchObject({
      body,
      url: "/v1/chat/completions",
      headers: { authorization: `Bearer ${SECRET}` },
    });
    await own.stop(0);
    server.close();
  });

  it("that breaks off breaks off here, and nothing is recorded", async () => {
    const {
      server,
      recorder: own,
      file: recorded,
    } = await odd((end, chunk) => {
      chunk('data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n');
      setTimeout(() => end(), 20);
    });
    await expect(own.post("/v1/chat/completions", { messages, stream: true })).rejects.toThrow();
    expect(() => readFileSync(recorded)).toThrow();
    await own.stop(0);
    server.close();
  });

  it("that is not there is told with 502", async () => {
    const own = await startServer([
      ...flags,
      "--record-from",
      "http://127.0.0.1:9",
      "--record",
      file,
    ]);
    const { status, json } = await own.post("/v1/chat/completions", { messages });
    expect(status).toBe(502);
    expect(json.error.message).toContain("--record-from");
    await own.stop(0);
  });

  it.each([
    [["--record-from", "http://x"], "--record-from is given without --record"],
    [["--record", "x"], "--record is given without --record-from"],
    [["--record-from", "ftp://x", "--record", "x"], "--record-from must be an http or https URL"],
    [["--record-from", "http://a:b@x", "--record", "x"], "--record-from must be an address alone"],
  ])("%j is refused", (argv, why) => {
    expect(() => parseSettings(argv)).toThrow(why);
  });
});
