/** What comes on a connection: wishes to speak HTTP/2 or anything else, and what is no HTTP at all. */
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop(0));

/** What comes back for the bytes, until the server ends the connection. */
function raw(text: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let answer = "";
    socket.on("data", (data) => {
      answer += String(data);
    });
    socket.on("end", () => resolve(answer));
    socket.on("error", reject);
  });
}

const body = JSON.stringify({ prompt: [1, 2], max_tokens: 1 });
const post = (upgrade: string, connection = "close, Upgrade, HTTP2-Settings") =>
  [
    "POST /v1/completions HTTP/1.1",
    "Host: x",
    `Connection: ${connection}`,
    `Upgrade: ${upgrade}`,
    "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");

describe("a wish to upgrade", () => {
  it.each(["h2c", "TLS/1.0", "HTTP/2.0, h2c", "foo"])("%s is ignored", async (upgrade) => {
    const answer = await raw(post(upgrade));
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('"text_completion"');
  });

  it("is ignored without a body, too", async () => {
    const get =
      "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n";
    expect(await raw(get)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("to a WebSocket is heard", async () => {
    const url = `${server.url.replace("http", "ws")}/v1/realtime?model=models/tiny/llama`;
    const socket = new WebSocket(url);
    const first = await new Promise<string>((resolve, reject) => {
      socket.once("message", (data) => resolve(String(data)));
      socket.once("error", reject);
    });
    expect(JSON.parse(first).type).toBe("session.created");
    socket.close();
  });

  it("to a WebSocket is refused where there is none, without opening it", async () => {
    for (const path of ["/health", "/v1/models", "/requests"]) {
      const answer = await raw(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 403 [\s\S]*\r\n\r\n$/);
    }
  });
});

describe("a connection", () => {
  const get = (path: string, header: string) =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\n${header}\r\n\r\n`;

  it.each([
    ["GET /version HTTP/1.1\r\nno colon\r\n\r\n", 400, "Invalid HTTP request received."],
    ["\u0016\u0003\u0001\0", 400, "Invalid HTTP request received."],
    [
      "POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
      400,
      "Invalid HTTP request received.",
    ],
    [get("/version", `x: ${"a".repeat(70_000)}`), 431, "The headers are larger than 65536 bytes."],
  ])(
    "that brings what is no request of ours is told so and closed (%#)",
    async (text, status, says) => {
      const answer = await raw(text);
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(answer.slice(answer.indexOf("\r\n\r\n") + 4)).toBe(says);
      expect((await server.get("/health")).status).toBe(200);
    },
  );

  it("may bring long headers and paths that cannot be read", async () => {
    expect(await raw(get("/version", `x: ${"a".repeat(30_000)}\r\nConnection: close`))).toMatch(
      /^HTTP\/1\.1 200 /,
    );
    for (const path of ["/v1/%zz", "/v1/models%", "/v1/%ff"]) {
      const answer = await raw(get(path, "Connection: close"));
      expect(answer).toMatch(/^HTTP\/1\.1 404 [\s\S]*\{"detail":"Not Found"\}$/);
    }
  });

  it.each([
    ["GET /version HTTP/1.1\r\nHost: x\r\nExpect: foo", 200],
    ["GET /version HTTP/1.1", 200],
    ["GET /v1%2Fmodels?a=%2F HTTP/1.1\r\nHost: x", 200],
    ["GET /v1%2Fnope HTTP/1.1\r\nHost: x", 404],
    ["GET /v1/%zz HTTP/1.1\r\nHost: x", 404],
    ["OPTIONS /version HTTP/1.1\r\nHost: x", 405],
    ["OPTIONS * HTTP/1.1\r\nHost: x", 404],
    ["GET /v1/realtime HTTP/1.1\r\nHost: x", 404],
    ["POST /v1/realtime HTTP/1.1\r\nHost: x", 404],
    ["GET /v1/realtime/ HTTP/1.1\r\nHost: x", 404],
  ])("that asks %j gets %i and an answer's headers", async (asked, status) => {
    const answer = await raw(`${asked}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain("\r\nvary: Origin\r\n");
    expect(answer).toContain("\r\ncontent-type: application/json\r\n");
  });

  it("that names no host is sent on to the server's own address", async () => {
    const answer = await raw("GET /version/ HTTP/1.1\r\nConnection: close\r\n\r\n");
    expect(answer).toContain(`\r\nlocation: ${server.url}/version\r\n`);
  });

  it("is kept where a body was no JSON", async () => {
    const post = (text: string, connection: string) =>
      `POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\nConnection: ${connection}\r\n\r\n${text}`;
    const answer = await raw(post("{", "keep-alive") + post('{"prompt":"a"}', "close"));
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 400", "HTTP/1.1 200"]);
  });

  it("may ask for a response by a long id of its own", async () => {
    const { json } = await server.get(`/v1/responses/resp_${"a".repeat(500)}`);
    expect(json.error.message).toContain("not found");
  });

  it("may bring any body where none is looked at", async () => {
    const bodies = [
      ["application/x-www-form-urlencoded", ""],
      ["text/plain", "a=b"],
      ["application/json", "{bad"],
    ] as const;
    for (const [type, text] of bodies) {
      const send = async (path: string) =>
        (
          await fetch(server.url + path, {
            method: "POST",
            headers: { "content-type": type },
            body: text,
          })
        ).status;
      const paths = ["/ping", "/v1/responses/none/cancel", "/nope", "/version"];
      expect(await Promise.all(paths.map(send))).toEqual([200, 404, 404, 405]);
      const read = ["/v1/completions", "/invocations", "/tokenize"];
      expect(await Promise.all(read.map(send))).toEqual([400, 400, 400]);
    }
  });
});
