/** `trainyard chat` against servers of other makers: what it says at its prompt, and what it makes of their faults. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as chat from "../../scripts/commands/chat.ts";
import { runCommand } from "../support/command.ts";

interface Asked {
  readonly path: string;
  readonly key: string | undefined;
  readonly body: {
    readonly messages: readonly { readonly role: string; readonly content: string }[];
    readonly [field: string]: unknown;
  };
}

let server: Server | undefined;
let asked: Asked[] = [];

/** `answer` is what POST answers; /v1/models tells these ids. */
async function serve(
  answer: (response: ServerResponse, turn: number) => void,
  ids: readonly string[] = ["some-model"],
): Promise<string> {
  asked = [];
  server = createServer((request, response) => {
    void bodyOf(request).then((text) => {
      if (request.method === "GET") {
        response.end(JSON.stringify({ data: ids.map((id) => ({ id })) }));
        return;
      }
      const { url: path = "", headers } = request;
      asked.push({ path, key: headers.authorization, body: JSON.parse(text) });
      answer(response, asked.length);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(0) : server.close(resolve)));
  server = undefined;
});

/** A stream of words, and how many tokens they were. */
const says =
  (...words: readonly string[]) =>
  (response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const chunks = [
      { choices: [{ delta: { role: "assistant", content: null } }] },
      ...words.map((content) => ({ choices: [{ delta: { content } }] })),
      { choices: [], usage: { completion_tokens: words.length } },
    ];
    for (const chunk of chunks) response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    response.end("data: [DONE]\n\n");
  };

async function typed(lines: readonly string[], line: string) {
  const keys = new PassThrough();
  const input = vi.spyOn(process, "stdin", "get").mockReturnValue(keys as never);
  keys.end(`${lines.join("\n")}\n`);
  const ran = await runCommand(chat, line);
  input.mockRestore();
  return ran;
}

describe("trainyard chat at its prompt", () => {
  it("remembers, forgets, and takes a system prompt away again", async () => {
    const url = await serve((response, turn) => says(`answer ${turn}`)(response));
    const { code, text } = await typed(
      [
        ...["/system Be brief.", "one", "", "/history", "/clear", "two", "/system", "three"],
        ...["/stats", "four", "/stats", "/quit"],
      ],
      `--url ${url}`,
    );
    expect(code).toBe(0);
    const sent = asked.map(({ body }) => body.messages.map((its) => `${its.role}: ${its.content}`));
    expect(sent).toEqual([
      ["system: Be brief.", "user: one"],
      // Forgotten is what was said; the system prompt stays.
      ["system: Be brief.", "user: two"],
      ["user: two", "assistant: answer 2", "user: three"],
      ["user: two", "assistant: answer 2", "user: three", "assistant: answer 3", "user: four"],
    ]);
    expect(text).toContain("system: Be brief.\nuser: one\nassistant: answer 1\n");
    for (const said of ["System prompt set.", "No system prompt.", "Stats on.", "Stats off."])
      expect(text).toContain(said);
    // One token has no pace.
    expect(text.match(/\[1 tokens, first after \d+ ms, – tokens\/s\]/g)).toHaveLength(1);
  });

  it("ends with its input as with /exit, and leaves the cursor on a line of its own", async () => {
    const url = await serve(says("a"));
    const { code, text } = await typed(["hello"], `--url ${url}/v1/`);
    expect(code).toBe(0);
    expect(text.endsWith("\n")).toBe(true);
    expect(asked.map(({ path }) => path)).toEqual(["/v1/chat/completions"]);
  });
});

describe("trainyard chat --quick", () => {
  it("sends what its flags say, and asks for no model that is named", async () => {
    const url = await serve(says("good", " day"), []);
    const flags =
      "--model-name mine --temperature 0.5 --max-tokens 7 --api-key k --system-prompt s";
    const { code, text } = await runCommand(chat, `--url ${url}/api/ --quick hi ${flags}`);
    expect([code, text]).toEqual([0, "good day\n"]);
    expect(asked[0]).toMatchObject({
      path: "/api/chat/completions",
      key: "Bearer k",
      body: { model: "mine", temperature: 0.5, max_tokens: 7, stream: true },
    });
    await expect(runCommand(chat, `--url ${url} --quick hi`)).rejects.toThrow("serves no model");
  });

  it.each([
    [
      "an event of the stream",
      200,
      'data: {"error":{"message":"out of memory"}}\n\n',
      "out of memory",
    ],
    ["an event that says nothing", 200, 'data: {"error":{}}\n\n', "unknown error"],
    ["an object", 503, '{"error":{"message":"overloaded"}}', "503: overloaded"],
    ["a text", 404, '{"error":"no such model"}', "404: no such model"],
    ["another shape", 422, '{"detail":"?"}', '422: {"detail":"?"}'],
    ["no JSON", 502, "<h1>Bad gateway</h1>", "502: <h1>Bad gateway</h1>"],
  ])("tells an error that comes as %s, and ends with 1", async (_, status, body, said) => {
    const url = await serve((response) => {
      response.writeHead(status);
      response.end(body);
    });
    const { code, text } = await runCommand(chat, `--url ${url} --quick hi`);
    expect(code).toBe(1);
    expect(text).toContain(said);
  });
});
