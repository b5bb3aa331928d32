/** Full queues, slow readers, several engines. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectSecurely } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer | undefined;
afterEach(async () => {
  await server?.stop(0);
  server = undefined;
});

const NULL = ["models/tiny/llama", "--device", "null"];

describe("a full queue", () => {
  it("answers 503 and when to come back; what runs is undisturbed", async () => {
    server = await startServer([...NULL, "--max-num-seqs", "1", "--max-num-queued-reqs", "2"]);
    const { post } = server;
    const ask = () => post("/v1/completions", { prompt: "a", max_tokens: 300, ignore_eos: true });
    const answers = await Promise.all(Array.from({ length: 12 }, ask));
    const refused = answers.filter(({ status }) => status === 503);
    expect(refused.length).toBeGreaterThan(0);
    // All twelve may arrive before the first step: then the queue's two are all that is taken.
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(2);
    expect(refused[0]?.json.error).toMatchObject({ type: "ServiceUnavailableError", code: 503 });
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    await server.world.serving.engines.idle();
    expect((await ask()).status).toBe(200);
  });
});

const LONG = JSON.stringify({
  prompt: "a",
  max_tokens: 450,
  ignore_eos: true,
  stream: true,
  n: 16,
  logprobs: 20,
  stream_options: { include_usage: true },
});
const ASK_LONG = `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${LONG.length}\r\n\r\n${LONG}`;

describe("a slow reader", () => {
  /** A long stream is asked for and not read; the engine ends all the same. */
  async function unread({ url, world }: TestServer): Promise<Socket> {
    const { protocol, port, hostname: host } = new URL(url);
    const to = { port: Number(port), host };
    const socket =
      protocol === "https:" ? connectSecurely({ ...to, rejectUnauthorized: false }) : connect(to);
    socket.write(ASK_LONG);
    await once(socket, "readable");
    await world.serving.engines.idle();
    return socket;
  }

  async function expectAll(socket: Socket): Promise<void> {
    let text = "";
    for await (const data of socket) text += String(data);
    // Chunked transfer: sizes stand between the pieces.
    const events = text.match(/data: \{/g) ?? [];
    expect(text).toContain("data: [DONE]");
    expect(text).toMatch(/"completion_tokens":7200\b/);
    expect(events.length).toBeLessThan(450 * 16);
    expect(text.match(/"finish_reason":"length"/g)).toHaveLength(16);
  }

  it("gets joined deltas and all of the text, while others go on", async () => {
    server = await startServer(NULL);
    const socket = await unread(server);
    const other = await server.post("/v1/completions", { prompt: "b", max_tokens: 3 });
    expect(other.status).toBe(200);
    await expectAll(socket);
  });

  const openssl = spawnSync("openssl", ["version"]).status === 0;
  it.skipIf(!openssl)(
    "gets it over TLS too, and ends nobody's stream by what is no HTTP (needs openssl)",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "trainyard-tls-"));
      const files = [join(folder, "key.pem"), join(folder, "cert.pem")] as const;
      const made = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout";
      const flags = [...made.split(" "), files[0], "-out", files[1]];
      expect(spawnSync("openssl", flags).status).toBe(0);
      try {
        const [key, cert] = files;
        server = await startServer([...NULL, "--ssl-keyfile", key, "--ssl-certfile", cert]);
      } finally {
        await rm(folder, { recursive: true });
      }
      const slow = await unread(server);
      const wrong = await unread(server);
      wrong.write("no HTTP\r\n\r\n");
      let answer = "";
      for await (const data of wrong) answer += String(data);
      expect(answer).toMatch(/Invalid HTTP request received\.$/);
      await expectAll(slow);
    },
  );
});

describe("data parallel engines", () => {
  it("take turns, can be pinned, and count apart", async () => {
    server = await startServer([...NULL, "--data-parallel-size", "2"]);
    const ask = { prompt: "a", max_tokens: 2, ignore_eos: true };
    for (let index = 0; index < 4; index++) await server.post("/v1/completions", ask);
    expect(await server.metric("vllm:generation_tokens_total", 'engine="0"')).toBe(4);
    expect(await server.metric("vllm:generation_tokens_total", 'engine="1"')).toBe(4);
    await server.post("/v1/completions", ask, { "x-data-parallel-rank": "1" });
    expect(await server.metric("vllm:generation_tokens_total", 'engine="1"')).toBe(6);
    const { status } = await server.post("/v1/completions", ask, { "x-data-parallel-rank": "2" });
    expect(status).toBe(400);
  });
});

describe("keys", () => {
  it("are asked for under /v1 only, and answered as vLLM does", async () => {
    server = await startServer([...NULL, "--root-path", "/proxy", "--api-key", "one", "two"]);
    const bare = await server.get("/v1/models");
    for (const path of ["/%761/models", "/v1/models/", "/proxy/v1/models", "/proxy/%761/models"]) {
      expect([401, 404]).toContain((await server.get(path)).status);
    }
    expect(bare).toMatchObject({ status: 401, text: '{"error":"Unauthorized"}' });
    expect((await server.get("/health")).status).toBe(200);
    expect((await server.get("/metrics")).status).toBe(200);
    const ask = (key: string) =>
      server?.post("/v1/completions", { prompt: "a", max_tokens: 1 }, { authorization: key });
    expect((await ask("Bearer two"))?.status).toBe(200);
    const proxied = { authorization: "Bearer one" };
    const body = { prompt: "a", max_tokens: 1 };
    expect((await server.post("/proxy/v1/completions", body, proxied)).status).toBe(200);
    expect((await ask("two"))?.status).toBe(401);
    expect((await ask("Bearer three"))?.status).toBe(401);
  });
});

describe("strictness", () => {
  it("refuses fields that would be ignored", async () => {
    server = await startServer([...NULL, "--strict"]);
    const { status, json } = await server.post("/v1/completions", { prompt: "a", best_of: 2 });
    expect(status).toBe(400);
    expect(json.error.param).toBe("best_of");
  });
});
