/**
 * The server's own cost: events of streams and short requests, on the null
 * device, against two limits measured in the same run: a bare node:http server
 * that writes the same bytes, and a bare fastify route that answers the same text.
 * Each server is a process of its own; its CPU time is what is compared, because
 * the load generator shares the machine.
 *
 *     npx tsx scripts/maintain/bench/server.ts [--streams 64] [--tokens 200] [--rounds 5] [--model models/tiny/llama]
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import autocannon from "autocannon";
import fastify from "fastify";
import { readStreams } from "./read-stream.ts";

const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "64" },
    tokens: { type: "string", default: "200" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    model: { type: "string", default: "models/tiny/llama" },
    serve: { type: "string" },
  },
});

const STREAMS = Number(values.streams);
const TOKENS = Number(values.tokens);
const ROUNDS = Number(values.rounds);
const SECONDS = Number(values.seconds);

const EVENT = `data: ${JSON.stringify({
  id: "cmpl-00000000000000000000000000000000",
  object: "text_completion",
  created: 1_700_000_000,
  model: "models/tiny/llama",
  choices: [
    {
      index: 0,
      text: " b",
      logprobs: null,
      finish_reason: null,
      stop_reason: null,
      prompt_token_ids: null,
      token_ids: null,
    },
  ],
})}\n\n`;

/** Child: serves until the parent disconnects; answers `cpu` with microseconds used. */
async function serveChild(kind: string): Promise<void> {
  const url = await SERVERS[kind]?.();
  if (url === undefined) throw new Error(`unknown server "${kind}"`);
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpu: user + system });
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.({ url });
}

const SERVERS: Readonly<Record<string, () => Promise<string>>> = {
  trainyard: async () => {
    const { parseSettings } = await import("../../../server/config.ts");
    const { serve } = await import("../../../server/main.ts");
    const { pino } = await import("pino");
    const { settings } = parseSettings([
      values.model,
      "--device",
      "null",
      "--port",
      "0",
      "--disable-access-log",
    ]);
    return (await serve(settings, pino({ level: "silent" }))).url;
  },
  /** The same events, one a loop turn and stream, as an engine's steps would give them. */
  "bare node:http": async () => {
    const open = new Map<import("node:http").ServerResponse, number>();
    const step = (): void => {
      for (const [response, left] of open) {
        response.write(EVENT);
        if (left > 1) open.set(response, left - 1);
        else {
          open.delete(response);
          response.end("data: [DONE]\n\n");
        }
      }
      if (open.size > 0) setImmediate(step);
    };
    const server = createServer((incoming, response) => {
      incoming.resume();
      incoming.on("end", () => {
        response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
        open.set(response, TOKENS);
        if (open.size === 1) setImmediate(step);
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  },
  "bare fastify": async () => {
    const app = fastify();
    app.post("/v1/completions", async () => ({ id: "cmpl", choices: [{ text: "b" }] }));
    return app.listen({ host: "127.0.0.1", port: 0 });
  },
};

class Server {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start(kind: string): Promise<Server> {
    const child = fork(
      fileURLToPath(import.meta.url),
      ["--serve", kind, "--tokens", String(TOKENS), "--model", values.model],
      { execArgv: ["--import", "tsx"] },
    );
    const [{ url }] = (await once(child, "message")) as [{ url: string }]; // sent by serveChild
    return new Server(url, child);
  }

  /** Microseconds of CPU so far. */
  async cpu(): Promise<number> {
    this.#child.send("cpu");
    const [{ cpu }] = (await once(this.#child, "message")) as [{ cpu: number }]; // sent by serveChild
    return cpu;
  }

  stop(): void {
    this.#child.kill();
  }
}

interface Round {
  readonly rate: number;
  /** Server CPU, microseconds an event or request. */
  readonly cpu: number;
}

async function streamRound(server: Server): Promise<Round> {
  const before = await server.cpu();
  const began = performance.now();
  const events = await readStreams(server.url, { streams: STREAMS, tokens: TOKENS });
  const seconds = (performance.now() - began) / 1000;
  return { rate: events / seconds, cpu: ((await server.cpu()) - before) / events };
}

async function requestRound(server: Server): Promise<Round> {
  const before = await server.cpu();
  const result = await autocannon({
    url: `${server.url}/v1/completions`,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt: "hello there", max_tokens: 1, ignore_eos: true }),
    connections: 16,
    duration: SECONDS,
  });
  const requests = result.requests.total;
  return {
    rate: requests / result.duration,
    cpu: ((await server.cpu()) - before) / requests,
  };
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

/** Rounds of both servers in turn, the first of each as a warm-up. */
async function compare(
  title: string,
  kinds: readonly [string, string],
  round: (server: Server) => Promise<Round>,
): Promise<void> {
  const servers = await Promise.all(kinds.map((kind) => Server.start(kind)));
  const rounds: Round[][] = servers.map(() => []);
  for (let index = 0; index <= ROUNDS; index++) {
    for (const [which, server] of servers.entries()) {
      const result = await round(server);
      if (index > 0) rounds[which]?.push(result);
    }
  }
  for (const server of servers) server.stop();
  const cpu = rounds.map((one) => median(one.map((result) => result.cpu)));
  process.stdout.write(`${title}\n`);
  kinds.forEach((kind, which) => {
    const rate = median((rounds[which] ?? []).map((result) => result.rate));
    process.stdout.write(
      `  ${kind.padEnd(16)} ${rate.toFixed(0).padStart(8)} /s   ${(cpu[which] ?? 0).toFixed(1).padStart(7)} us of server CPU each\n`,
    );
  });
  process.stdout.write(`  ratio of CPU     ${((cpu[0] ?? 0) / (cpu[1] ?? 1)).toFixed(2)}\n`);
}

if (values.serve === undefined) {
  await compare(
    `Stream events: ${STREAMS} streams of ${TOKENS} tokens, null device, median of ${ROUNDS} rounds`,
    ["trainyard", "bare node:http"],
    streamRound,
  );
  await compare(
    `Requests of one token: 16 connections, ${SECONDS} s a round, median of ${ROUNDS} rounds`,
    ["trainyard", "bare fastify"],
    requestRound,
  );
} else await serveChild(values.serve);
