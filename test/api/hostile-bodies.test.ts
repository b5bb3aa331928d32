/** Bodies made to cost much: a 400 that names the limit, and the server serving on. */
import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import fastify from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bodyLimits, readBodies } from "../../server/http/body.ts";
import type { ApiError } from "../../server/http/errors.ts";
import { PlainMessage } from "../../server/http/message.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop(0));

const CHAT = "/v1/chat/completions";
const TEXT = "/v1/completions";
const say = '{"role":"user","content":"x"}';
const tool = '{"type":"function","function":{"name":"f"}}';
const called = (args: string) =>
  `{"messages":[${say},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":${JSON.stringify(args)}}}]},${say}]}`;
const list = (unit: string, count: number) => `[${`${unit},`.repeat(count - 1)}${unit}]`;
const keys = (count: number) => Array.from({ length: count }, (_, i) => `"k${i}":0`).join(",");

it.each([
  ["a million messages", CHAT, `{"messages":${list(say, 1_000_000)}}`, "24096 keys"],
  ["more messages than tokens", CHAT, `{"messages":${list(say, 600)}}`, "at most 512 fit"],
  ["many tools", CHAT, `{"messages":[${say}],"tools":${list(tool, 200_000)}}`, "24096 keys"],
  [
    "more tools than fit",
    CHAT,
    `{"messages":[${say}],"tools":${list(tool, 65)}}`,
    "at most 64 fit",
  ],
  ["unknown keys", TEXT, `{"prompt":"a",${keys(1_000_000)}}`, "24096 keys"],
  ["nested keys", TEXT, `{"prompt":"a","metadata":{"a":{${keys(90_000)}}}}`, "24096 keys"],
  ["nesting", TEXT, `{"prompt":${"[".repeat(6_000_000)}`, "1000 levels"],
  [
    "nested schemas",
    CHAT,
    `{"messages":[${say}],"tools":${'[{"a":'.repeat(2_000_000)}`,
    "1000 levels",
  ],
  ["ids", TEXT, `{"prompt":${list("1", 10_000_000)}}`, "values"],
  ["ids to detokenize", "/detokenize", `{"tokens":${list("1", 10_000_000)}}`, "values"],
  ["lists of lists", TEXT, `{"prompt":${list("[]", 3_000_000)}}`, "values"],
  ["keys in arguments", CHAT, called(`{${keys(300_000)}}`), "50000 keys together"],
  ["values in arguments", CHAT, called(`{"a":${list("1", 5_000_000)}}`), "1000000 values"],
  ["nesting in arguments", CHAT, called("[".repeat(3_000_000)), "1000 levels"],
  [
    "nesting in short arguments",
    CHAT,
    called(`{"a":${"[".repeat(9_000)}${"]".repeat(9_000)}}`),
    "1000 levels",
  ],
  [
    "nesting in a schema as text",
    TEXT,
    `{"prompt":"a","structured_outputs":{"json":"${"[".repeat(3_000_000)}"}}`,
    "at most 1048576 are read",
  ],
  [
    "a long id of its own",
    TEXT,
    `{"prompt":"a","request_id":"${"x".repeat(1_025)}"}`,
    "at most 1024 characters",
  ],
  ["messages to tokenize", "/tokenize", `{"messages":${list(say, 600)}}`, "at most 512 fit"],
])("%s", async (_, path, body, says) => {
  const { status, json } = await server.post(path, body);
  expect(status).toBe(400);
  expect(json.error.message).toContain(says);
  expect(json.error.code).toBe(400);
  expect((await server.get("/health")).status).toBe(200);
});

it.each([
  ["an unknown model", { model: "Z" }, 404, "The model `Z"],
  ["a count", { logprobs: "Z" }, 400, "`logprobs` must be an integer."],
  ["a key", { logit_bias: { Z: 1 } }, 400, "logit_bias contains key(s)"],
] as const)("%s of 3 MB is told in part", async (_, wrong, code, says) => {
  const body = JSON.stringify({ prompt: "a", ...wrong }).replace("Z", "Z".repeat(3_000_000));
  const { status, text } = await server.post(TEXT, body);
  expect(status).toBe(code);
  expect(text).toContain(says);
  expect(text.length).toBeLessThan(25_000);
});

it("a field's name of 3 MB is told in part", async () => {
  const body = `{"messages":[${say}],"media_io_kwargs":{"${"Z".repeat(3_000_000)}":1}}`;
  const { status, text } = await server.post(CHAT, body);
  expect([status, text.length < 25_000]).toEqual([400, true]);
});

it("a long id of texts to score", async () => {
  const body = { query: "a", items: ["b"], label_token_ids: [1, 2], request_id: "x".repeat(1_025) };
  const { status, json } = await server.post("/generative_scoring", body);
  expect([status, json.error.param]).toEqual([400, "body.request_id"]);
});

it("a long id in a header", async () => {
  const id = (length: number) => ({ "x-request-id": "x".repeat(length) });
  const body = { prompt: "a", max_tokens: 1 };
  const { status, json } = await server.post(TEXT, body, id(1_025));
  expect([status, json.error.param]).toEqual([400, "x-request-id"]);
  expect((await server.post(TEXT, body, id(1_024))).json.id).toBe(`cmpl-${"x".repeat(1_024)}`);
});

it("large bodies that pass are read like small ones", async () => {
  const user = "x".repeat(9_000_000);
  const body = { prompt: "Hello", max_tokens: 1, user };
  expect((await server.post(TEXT, body)).status).toBe(200);
  const broken = await server.post(TEXT, `{"user":"${user}",}`);
  expect(broken.status).toBe(400);
  expect(broken.json.error.message).toContain("json_invalid");
});

const raw = async (...parts: (string | number[] | Uint8Array)[]) => {
  const bytes = parts.map((part) => Buffer.from(part as string)); // numbers are bytes
  const response = await fetch(server.url + TEXT, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: Buffer.concat(bytes),
  });
  const json: unknown = await response.json();
  return { status: response.status, json };
};

describe.each([
  ["small", ""],
  ["large", "x".repeat(9_000_000)],
])("%s bodies", (_, filler) => {
  const begin = `{"max_tokens":1,"user":"${filler}","prompt":"caf`;
  it.each([
    ["Latin-1", [0xe9], '"}'],
    ["a character cut off in a text", [0xf0, 0x9f, 0x99], '"}'],
    ["a character cut off at the end", "", '"}', [0xc3]],
    ["a character in more bytes than it takes", [0xc0, 0xaf], '"}'],
    ["half of a surrogate pair", [0xed, 0xa0, 0x80], '"}'],
    ["beyond the last character", [0xf4, 0x90, 0x80, 0x80], '"}'],
    ["Latin-1 in what breaks off", [0xe9]],
  ])("%s is no text", async (_, ...rest) => {
    const { status, json } = await raw(begin, ...rest);
    expect(status).toBe(400);
    expect(json).toEqual({ detail: "There was an error parsing the body" });
  });

  it("the mark of UTF-8 is passed over", async () => {
    const mark = [0xef, 0xbb, 0xbf];
    expect((await raw(mark, begin, '"}')).status).toBe(200);
    const twice = await raw(mark, mark, begin, '"}');
    expect(JSON.stringify(twice.json)).toContain("json_invalid");
  });
});

function wide(text: string, encoding: string): Buffer {
  const of16 = encoding.startsWith("utf-16");
  const points = Uint32Array.from([...text].map((one) => one.codePointAt(0) ?? 0));
  const bytes = of16 ? Buffer.from(text, "utf16le") : Buffer.from(points.buffer);
  if (!encoding.endsWith("be")) return bytes;
  return of16 ? bytes.swap16() : bytes.swap32();
}

it.each(["utf-16le", "utf-16be", "utf-32le", "utf-32be"])("%s is read", async (encoding) => {
  for (const filler of ["", "x".repeat(300_000)]) {
    const whole = wide(`{"max_tokens":1,"user":"${filler}","prompt":"é🙂"}`, encoding);
    expect((await raw(whole)).status).toBe(200);
    expect((await raw(wide("\ufeff", encoding), whole)).status).toBe(200);
    const cut = await raw(whole, [0]);
    expect(cut.json).toEqual({ detail: "There was an error parsing the body" });
    // In bytes the text has a quote more.
    const deep = await raw(wide(`{"user":"${filler}∁","prompt":${"[".repeat(1_001)}`, encoding));
    expect(JSON.stringify(deep.json)).toContain("1000 levels");
  }
});

it("repeated ids cost what one does", async () => {
  const body = {
    prompt: "Hello",
    max_tokens: 3,
    allowed_token_ids: Array(400_000).fill(7),
    stop_token_ids: Array(100_000).fill(9),
  };
  const { status, json } = await server.post(TEXT, { ...body, return_token_ids: true });
  expect(status).toBe(200);
  expect(json.choices[0].token_ids).toEqual([7, 7, 7]);
});

it.each(["/".repeat(15_000), `/a${"/".repeat(15_000)}b`, `/health${"/".repeat(15_000)}`])(
  "a path of thousands of slashes is answered (%#)",
  async (path) => {
    const answer = await new Promise<string>((resolve, reject) => {
      const { hostname, port } = new URL(server.url);
      const socket = connect(Number(port), hostname);
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk;
        socket.end();
      });
      socket.on("close", () => resolve(text));
      socket.on("error", reject);
      socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
    });
    expect(answer).toMatch(/^HTTP\/1.1 (404|307|414)/);
  },
);

it("a connection that is idle keeps nothing of the request that was answered on it", async () => {
  const app = fastify({ http: { IncomingMessage: PlainMessage } });
  readBodies(app, bodyLimits(1_000, { maxModelLen: 8, vocabSize: 8 }));
  app.post("/", async ({ body }) => body);
  const sockets: (Socket & { parser?: { incoming: unknown } })[] = [];
  app.server.on("connection", (socket: Socket) => sockets.push(socket));
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo; // of a TCP server
  const socket = connect(port, "127.0.0.1");
  const head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 4";
  for (const pieces of [["null"], ["nu", "ll"]]) {
    const answer = once(socket, "data");
    socket.write(`${head}\r\n\r\n${pieces[0]}`);
    if (pieces[1] !== undefined) {
      await expect.poll(() => sockets[0]?.parser?.incoming).not.toBeNull();
      socket.write(pieces[1]);
    }
    expect(String(await answer)).toMatch(/^HTTP\/1.1 200/);
    await expect.poll(() => sockets[0]?.parser?.incoming).toBeNull();
  }
  socket.end();
  await app.close();
});

it("bodies under way are bounded together, and what was refused is not counted", async () => {
  const app = fastify();
  const model = { maxModelLen: 8, vocabSize: 8 };
  readBodies(app, { ...bodyLimits(2_000, model), underWay: 1_500, depth: 4 });
  app.setErrorHandler((error: ApiError, _request, reply) =>
    reply.code(error.status).send(error.code),
  );
  app.post("/", async ({ body }) => body);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo; // of a TCP server
  const post = async (body: string) => {
    const headers = { "content-type": "application/json" };
    return (await fetch(`http://127.0.0.1:${port}/`, { method: "POST", headers, body })).status;
  };
  const large = JSON.stringify("x".repeat(900));
  const deep = `${"[".repeat(8)}${" ".repeat(900)}${"]".repeat(8)}`;
  for (let time = 0; time < 3; time++) expect(await post(deep)).toBe(400);
  expect(await post(large)).toBe(200);

  const socket = connect(port, "127.0.0.1");
  const answer = new Promise<string>((resolve) => {
    socket.once("data", (chunk) => resolve(String(chunk)));
  });
  socket.write(
    `POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${large.length}\r\n\r\n`,
  );
  socket.write(large.slice(0, 800));
  await expect.poll(() => post(large)).toBe(503);
  expect(await post("1")).toBe(200);
  socket.write(large.slice(800));
  expect(await answer).toMatch(/^HTTP\/1.1 200/);
  socket.end();
  expect(await post(large)).toBe(200);
  await app.close();
});

it("a body that stops arriving ends, and one that trickles in does not", async () => {
  const app = fastify();
  const limits = { ...bodyLimits(1_000, { maxModelLen: 8, vocabSize: 8 }), idleMs: 300 };
  readBodies(app, limits);
  app.setErrorHandler((error: ApiError, _request, reply) => reply.code(error.status).send("told"));
  app.post("/", async ({ body }) => body);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo; // of a TCP server
  const send = (pieces: readonly string[], everyMs: number): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1");
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk;
        socket.end();
      });
      socket.on("close", () => resolve(answer));
      socket.write(
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n",
      );
      const left = [...pieces];
      const timer = setInterval(() => {
        const piece = left.shift();
        if (piece === undefined) clearInterval(timer);
        else socket.write(piece);
      }, everyMs);
    });
  const [stopped, trickled] = await Promise.all([
    send(['{"a":'], 10),
    send(
      ['{"a":', '"bcd', "efgh", 'ijk"}'].map((piece) => piece.padEnd(5, " ")),
      100,
    ),
  ]);
  expect(stopped).toMatch(/^HTTP\/1.1 408/);
  expect(trickled).toMatch(/^HTTP\/1.1 200/);
  await app.close();
});
