/** Clients that ask to speak HTTP/2, or anything else, are answered in HTTP/1.1. */
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
});
