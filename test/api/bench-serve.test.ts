import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseBench } from "../../scripts/commands/bench/flags.ts";
import { benchServe } from "../../scripts/commands/bench/serve.ts";
import { parseSweep } from "../../scripts/commands/sweep/flags.ts";
import { sweep } from "../../scripts/commands/sweep/sweep.ts";

/** A server with OpenAI's stream, that keeps its own count of requests and tokens. */
interface Seen {
  requests: number;
  tokens: number;
  under: number;
  most: number;
  bodies: Record<string, unknown>[];
  ids: (string | string[] | undefined)[];
}

let server: Server;
let base: string;
let folder: string;
let seen: Seen;

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return parts.length === 0 ? {} : JSON.parse(Buffer.concat(parts).toString());
}

beforeAll(async () => {
  server = createServer((request, response) => {
    void (async () => {
      const body = await bodyOf(request);
      if (request.url === "/v1/models") {
        response.end(JSON.stringify({ data: [{ id: "some-model", root: "org/some-model" }] }));
        return;
      }
      if (request.url === "/tokenize") {
        const words = String(body["prompt"])
          .split(/\s+/)
          .filter((word) => word !== "");
        response.end(JSON.stringify({ tokens: words.map((_, index) => index + 7) }));
        return;
      }
      if (request.url === "/detokenize") {
        response.end(JSON.stringify({ prompt: (body["tokens"] as number[]).join(" ") }));
        return;
      }
      if (request.method !== "POST" || !request.url?.endsWith("completions")) {
        response.writeHead(404).end("{}");
        return;
      }
      seen.bodies.push(body);
      seen.ids.push(request.headers["x-request-id"]);
      seen.requests++;
      seen.most = Math.max(seen.most, ++seen.under);
      if (seen.requests % 10 === 0 && request.headers["x-fail"] === "tenth") {
        seen.under--;
        response.writeHead(503, { "content-type": "application/json" });
        response.end('{"error":{"message":"overloaded"}}');
        return;
      }
      const count = Number(body["max_tokens"] ?? body["max_completion_tokens"]);
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (let token = 0; token < count; token++) {
        response.write(
          `data: ${JSON.stringify({ choices: [{ index: 0, text: "a", delta: { content: "a" } }] })}\n\n`,
        );
        seen.tokens++;
        await new Promise((resolve) => setImmediate(resolve));
      }
      const usage = { prompt_tokens: 11, completion_tokens: count, total_tokens: 11 + count };
      response.write(`data: ${JSON.stringify({ choices: [], usage })}\n\n`);
      seen.under--;
      response.end("data: [DONE]\n\n");
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), "trainyard-bench-"));
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => {
  seen = { requests: 0, tokens: 0, under: 0, most: 0, bodies: [], ids: [] };
});

const run = (...flags: string[]) =>
  benchServe(parseBench(["--base-url", base, "--disable-tqdm", ...flags], () => {}));

describe("bench serve", () => {
  it("counts what the server counts, within its cap", async () => {
    const { result, metrics } = await run(
      ..."--num-prompts 30 --max-concurrency 4 --random-input-len 20 --random-output-len 10 --random-range-ratio 0.5 --ignore-eos".split(
        " ",
      ),
    );
    expect(metrics.completed).toBe(seen.requests);
    expect(metrics.outputTokens).toBe(seen.tokens);
    expect(seen.most).toBe(4);
    expect(result["model_id"]).toBe("some-model");
    expect(result["tokenizer_id"]).toBe("org/some-model");
    expect(result["max_concurrency"]).toBe(4);
    expect(seen.bodies.every((body) => body["ignore_eos"] === true)).toBe(true);
    expect(new Set(seen.bodies.map((body) => JSON.stringify(body["prompt"]))).size).toBe(30);
  });

  it("chats in text, and sends what --extra-body says", async () => {
    const { metrics } = await run(
      "--backend",
      "openai-chat",
      "--num-prompts",
      "3",
      "--random-input-len",
      "5",
      "--random-output-len",
      "4",
      "--extra-body",
      '{"reasoning_effort": "low"}',
      "--temperature",
      "0.5",
    );
    expect(metrics.completed).toBe(3);
    const body = seen.bodies[0] ?? {};
    expect(body["reasoning_effort"]).toBe("low");
    expect(body["temperature"]).toBe(0.5);
    expect(body["max_completion_tokens"]).toBe(4);
    const [message] = body["messages"] as { content: { type: string; text: string }[] }[];
    expect(message?.content[0]?.text.split(" ").length).toBe(5);
  });

  it("numbers its requests where a prefix says so", async () => {
    const few = "--num-prompts 3 --random-input-len 5 --random-output-len 1".split(" ");
    await run(...few, "--request-id-prefix", "mine-");
    expect(seen.ids.toSorted()).toEqual(["mine-0", "mine-1", "mine-2"]);
    await run(...few);
    expect(seen.ids.slice(3)).toEqual([undefined, undefined, undefined]);
  });

  it("writes a detailed result, failures included", async () => {
    const { file, metrics } = await run(
      "--num-prompts",
      "20",
      "--random-output-len",
      "3",
      "--random-input-len",
      "5",
      "--header",
      "x-fail=tenth",
      "--save-result",
      "--save-detailed",
      "--result-dir",
      folder,
      "--label",
      "test",
      "--metadata",
      "site=here",
      "--percentile-metrics",
      "ttft,tpot,itl,e2el",
      "--metric-percentiles",
      "50,99",
      "--goodput",
      "ttft:10000",
    );
    const saved = JSON.parse(await readFile(file ?? "", "utf8")) as Record<string, unknown>;
    expect(metrics.failed).toBe(2);
    expect(saved["failed"]).toBe(2);
    expect(saved["site"]).toBe("here");
    expect(saved["label"]).toBe("test");
    expect(saved["request_goodput"]).toBeCloseTo(Number(saved["request_throughput"]), 9);
    expect(
      (saved["errors"] as string[]).filter((error) => error.startsWith("HTTP 503")).length,
    ).toBe(2);
    expect((saved["generated_texts"] as string[]).filter((text) => text === "aaa").length).toBe(18);
    expect("p50_e2el_ms" in saved && "p99_itl_ms" in saved).toBe(true);
  });

  it("keeps to its rate, and says how late it was", async () => {
    const { run: load, metrics } = await run(
      ..."--num-prompts 20 --request-rate 200 --burstiness 1000 --random-input-len 5 --random-output-len 1".split(
        " ",
      ),
    );
    expect(metrics.completed).toBe(20);
    expect(load.records.at(-1)?.due).toBeCloseTo(0.1, 6);
    for (const record of load.records) expect(record.sent).toBeGreaterThanOrEqual(record.due ?? 0);
    expect(load.lateness.maxDispatch).toBeGreaterThanOrEqual(0);
  });

  it("names the flag that is wrong", async () => {
    await expect(run("--dataset-name", "sonnet")).rejects.toThrow("--dataset-path");
    expect(() => parseBench(["--dataset-name", "nope"], () => {})).toThrow("must be one of random");
    expect(() => parseBench(["--ramp-up-strategy", "linear"], () => {})).toThrow(
      "--ramp-up-start-rps",
    );
    expect(() => parseBench(["--goodput", "speed:3"], () => {})).toThrow("--goodput");
    expect(() => parseBench(["--num-prompts", "x"], () => {})).toThrow("--num-prompts");
    expect(parseBench(["--num_prompts", "5"], () => {}).numPrompts).toBe(5);
  });

  it("keeps what it measured when the server dies", async () => {
    const dying = createServer((request, response) => {
      if (request.url === "/v1/models") {
        response.end(JSON.stringify({ data: [{ id: "m" }] }));
      } else if (request.method !== "POST" || !request.url?.endsWith("completions")) {
        response.writeHead(404).end();
      } else if (++answered > 6) {
        dying.closeAllConnections();
        dying.close();
      } else {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write(`data: ${JSON.stringify({ choices: [{ index: 0, text: "a" }] })}\n\n`);
        response.end("data: [DONE]\n\n");
      }
    });
    let answered = 0;
    await new Promise<void>((resolve) => dying.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(dying.address() as AddressInfo).port}`;
    const flags =
      "--num-prompts 12 --max-concurrency 1 --random-input-len 4 --random-output-len 1 --save-result";
    const { metrics, file } = await run(
      ...flags.split(" "),
      ...["--base-url", url, "--result-dir", folder, "--result-filename", "died.json"],
    );
    expect(metrics.completed).toBe(6);
    expect(metrics.failed).toBe(6);
    expect(JSON.parse(await readFile(file ?? "", "utf8"))).toMatchObject({ completed: 6 });
  });

  const openssl = spawnSync("openssl", ["version"]).status === 0;
  it.skipIf(!openssl)(
    "asks every question of a server with its own certificate (needs openssl)",
    async () => {
      const key = join(folder, "key.pem");
      const cert = join(folder, "cert.pem");
      const made = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout";
      expect(spawnSync("openssl", [...made.split(" "), key, "-out", cert]).status).toBe(0);
      const asked = new Set<string>();
      const secure = createSecureServer(
        { key: await readFile(key), cert: await readFile(cert) },
        (request, response) => {
          asked.add(request.url ?? "");
          if (request.url === "/v1/models") response.end(JSON.stringify({ data: [{ id: "m" }] }));
          else if (request.url === "/tokenize") response.end(JSON.stringify({ tokens: [5, 6, 7] }));
          else if (request.url === "/v1/completions") {
            response.write(`data: ${JSON.stringify({ choices: [{ index: 0, text: "a" }] })}\n\n`);
            response.end("data: [DONE]\n\n");
          } else response.end("{}");
        },
      );
      await new Promise<void>((resolve) => secure.listen(0, "127.0.0.1", resolve));
      try {
        const url = `https://127.0.0.1:${(secure.address() as AddressInfo).port}`;
        const few = "--num-prompts 2 --random-input-len 4 --random-output-len 1 --profile".split(
          " ",
        );
        await expect(run("--base-url", url, ...few)).rejects.toThrow("No server at");
        const { metrics } = await run("--base-url", url, "--insecure", ...few);
        expect(metrics.completed).toBe(2);
        const questions = ["/v1/models", "/tokenize", "/metrics", "/hygiene", "/start_profile"];
        expect([...asked]).toEqual(expect.arrayContaining(questions));
      } finally {
        secure.closeAllConnections();
        await new Promise((resolve) => secure.close(resolve));
      }
    },
  );

  it("says where no server is", async () => {
    const options = parseBench(["--base-url", "http://127.0.0.1:9", "--disable-tqdm"], () => {});
    await expect(benchServe(options)).rejects.toThrow("No server at http://127.0.0.1:9");
  });
});

describe("sweep --url", () => {
  it("sends no prompt twice, over points and over sweeps", async () => {
    const flags = `--url ${base} --concurrency 1,2 --shape 20/4 --requests-per-user 3 --quiet`;
    for (let round = 0; round < 2; round++) {
      const { points } = await sweep(parseSweep(flags.split(" "), () => {}));
      expect(points.map((point) => point.completed)).toEqual([3, 6]);
    }
    const prompts = new Set(seen.bodies.map((body) => JSON.stringify(body["prompt"])));
    expect(prompts.size).toBe(seen.bodies.length);
  });
});
