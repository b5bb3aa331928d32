/**
 * The serving path at this machine's limit, on the null device: clients and servers share
 * its cores, so a rate says something only beside another of the same run. Each server is
 * a process of its own, and short requests go to ours and to the peer in turn.
 *
 *     npx tsx scripts/maintain/bench/serving.ts [--only short,paced,open] [--rounds 7]
 *       [--peer 'npx llmock -p {port} -f fixtures --log-level silent'] [--peer-model gpt-4o]
 *
 * | part  | tells |
 * |-------|-------|
 * | short | chat requests of one token over 64 connections: requests/s, the ratio to the peer's, processor time |
 * | paced | --paced streams (1500,2000) stepped every 20 ms: mean gap, p99, share of gaps above 30 ms |
 * | open  | --open streams (10000): resident memory, and GET /metrics while they are written to |
 *
 * Events a second beside a bare writer's are server.ts's.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type ForkedServer, forkServer } from "./forked-server.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "short,paced,open" },
    rounds: { type: "string", default: "7" },
    requests: { type: "string", default: "20000" },
    peer: { type: "string" },
    "peer-model": { type: "string", default: "gpt-4o" },
    paced: { type: "string", default: "1500,2000" },
    open: { type: "string", default: "10000" },
    model: { type: "string", default: "models/tiny/llama" },
  },
});

const CONNECTIONS = 64;
const PACE_MS = 20;
const LATE_MS = 30;
/** Tokens of a paced stream, of which the first are not counted: streams are still joining. */
const PACED_TOKENS = 400;
const JOINING = 100;
/** Streams that are opened at once. */
const OPENED_AT_ONCE = 200;
/** Between the tokens of a stream that is only open. */
const OPEN_STEP_MS = 1000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

function posted(url: string, body: object): Buffer {
  const text = JSON.stringify(body);
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: ${new URL(url).host}`;
  const told = `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}`;
  return Buffer.from(`${head}\r\n${told}\r\n\r\n${text}`);
}

const chat = (model: string, tokens: number, further: object = {}): object => ({
  ...{ model, messages: [{ role: "user", content: "hello there" }], max_tokens: tokens },
  ...further,
});

async function opened(url: string): Promise<Socket> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname).setNoDelay(true);
  await once(socket, "connect");
  return socket;
}

/** Is an answer whole? Throws for one that is no 200. */
function isWhole(text: string): boolean {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return false;
  if (!text.startsWith("HTTP/1.1 200")) throw new Error(text);
  const length = /^content-length: (\d+)/im.exec(text.slice(0, head))?.[1];
  return length === undefined
    ? text.endsWith("0\r\n\r\n")
    : text.length >= head + 4 + Number(length);
}

/** Sends `count` requests over so many connections, each its next when it has an answer; requests a second. */
async function burst(url: string, request: Buffer, count: number): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => opened(url)));
  const began = performance.now();
  let left = count;
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve, reject) => {
          let text = "";
          const next = (): void => {
            text = "";
            if (left-- > 0) socket.write(request);
            else resolve();
          };
          socket.on("data", (data) => {
            text += data.toString("latin1");
            try {
              if (isWhole(text)) next();
            } catch (error) {
              reject(error);
            }
          });
          socket.on("error", reject);
          next();
        }),
    ),
  );
  const seconds = (performance.now() - began) / 1000;
  for (const socket of sockets) socket.destroy();
  return count / seconds;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function startPeer(command: string): Promise<{ url: string; child: ChildProcess }> {
  const port = await freePort();
  const [file = "", ...argv] = command.replaceAll("{port}", String(port)).split(" ");
  const child = spawn(file, argv, { stdio: "ignore", detached: true });
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 300; tries++) {
    await sleep(100);
    if (await fetch(url).catch(() => undefined)) return { url, child };
  }
  throw new Error(`The peer does not listen on ${url}.`);
}

async function short(): Promise<void> {
  const own = await serverOf(["--served-model-name", "m"]);
  const peer = values.peer === undefined ? undefined : await startPeer(values.peer);
  const count = Number(values.requests);
  const [rates, peers, processor]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round <= Number(values.rounds); round++) {
    const before = await own.cpu();
    const rate = await burst(own.url, posted(own.url, chat("m", 1)), count);
    const each = ((await own.cpu()) - before) / count;
    const other =
      peer && (await burst(peer.url, posted(peer.url, chat(values["peer-model"], 1)), count));
    if (round === 0) continue; // the first warms both up
    rates.push(rate);
    processor.push(each);
    if (other !== undefined) peers.push(other);
  }
  const cost = `${median(processor).toFixed(1)} us of server CPU each`;
  say(`Short requests: ${median(rates).toFixed(0)}/s, ${cost}`);
  if (peers.length > 0) {
    const ratios = rates.map((rate, round) => rate / (peers[round] ?? Number.NaN));
    const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    say(`  peer ${median(peers).toFixed(0)}/s; ratio ${median(ratios).toFixed(2)} (${range})`);
  }
  own.stop();
  if (peer?.child.pid !== undefined) process.kill(-peer.child.pid);
}

const serverOf = (argv: readonly string[]): Promise<ForkedServer> =>
  forkServer([values.model, "--device", "null", "--disable-access-log", ...argv]);

/** A server that gives each of `streams` a token every so many milliseconds, with blocks for all. */
function pacedServer(streams: number, ms: number): Promise<ForkedServer> {
  const blocks = streams * Math.ceil((PACED_TOKENS + 64) / 16);
  return serverOf([
    ...["--served-model-name", "m", "--max-num-seqs", String(streams)],
    ...["--num-gpu-blocks-override", String(blocks)],
    ...["--additional-config", JSON.stringify({ "null-step-nanos": ms * 1e6 })],
  ]);
}

const EVENT = Buffer.from("data: {");
/** All streams are read into it: a buffer for each read costs as much as reading, and the server's cores are these. */
const read = Buffer.allocUnsafe(1 << 16);

/** A connection whose events `told` hears of. */
async function counted(url: string, told: () => void): Promise<Socket> {
  const { port, hostname } = new URL(url);
  const callback = (bytes: number): boolean => {
    const data = read.subarray(0, bytes);
    for (let at = data.indexOf(EVENT); at >= 0; at = data.indexOf(EVENT, at + EVENT.length)) told();
    return true;
  };
  const socket = connect({
    ...{ port: Number(port), host: hostname, noDelay: true },
    onread: { buffer: read, callback },
  });
  await once(socket, "connect");
  return socket;
}

/** Opens streams; `told` hears of each event, with its stream's number. */
async function openStreams(
  url: string,
  { streams, told }: { readonly streams: number; readonly told: (stream: number) => void },
): Promise<void> {
  const request = posted(url, chat("m", PACED_TOKENS, { ignore_eos: true, stream: true }));
  for (let first = 0; first < streams; first += OPENED_AT_ONCE) {
    const more = Math.min(OPENED_AT_ONCE, streams - first);
    const some = await Promise.all(
      Array.from({ length: more }, (_, at) => counted(url, () => told(first + at))),
    );
    for (const socket of some) socket.write(request);
  }
}

async function paced(streams: number): Promise<void> {
  const server = await pacedServer(streams, PACE_MS);
  const counts = new Int32Array(streams);
  const last = new Float64Array(streams);
  const gaps: number[] = [];
  await new Promise<void>((resolve, reject) => {
    let over = 0;
    const told = (stream: number): void => {
      const now = performance.now();
      const count = (counts[stream] ?? 0) + 1;
      counts[stream] = count;
      if (count > JOINING) gaps.push(now - (last[stream] ?? now));
      last[stream] = now;
      if (count === PACED_TOKENS && ++over === streams) resolve();
    };
    openStreams(server.url, { streams, told }).catch(reject);
  });
  server.stop();
  const sorted = Float64Array.from(gaps).sort();
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const late = gaps.filter((gap) => gap > LATE_MS).length / gaps.length;
  const p99 = sorted[Math.floor(0.99 * sorted.length)] ?? Number.NaN;
  const off = `mean ${mean.toFixed(2)} ms (${(100 * (mean / PACE_MS - 1)).toFixed(2)} %)`;
  const tail = `p99 ${p99.toFixed(1)} ms, ${(100 * late).toFixed(2)} % above ${LATE_MS} ms`;
  say(`Paced: ${streams} streams every ${PACE_MS} ms: ${off}, ${tail}`);
}

async function open(streams: number): Promise<void> {
  const server = await pacedServer(streams, OPEN_STEP_MS);
  let events = 0;
  await openStreams(server.url, { streams, told: () => void events++ });
  while (events < 2 * streams) await sleep(100);
  const times: number[] = [];
  for (let scrape = 0; scrape < 40; scrape++) {
    const began = performance.now();
    await (await fetch(`${server.url}/metrics`)).text();
    times.push(performance.now() - began);
    await sleep(130); // anywhere in a step
  }
  const resident = `${((await server.memory()) / 2 ** 20).toFixed(0)} MiB resident`;
  const scrapes = `/metrics ${median(times).toFixed(1)} ms, at most ${Math.max(...times).toFixed(1)} ms`;
  say(`Open: ${streams} streams: ${resident}; ${scrapes}`);
  server.stop();
}

say(`load ${loadavg()[0]?.toFixed(1)}`);
const parts = new Set(values.only.split(","));
if (parts.has("short")) await short();
if (parts.has("paced")) for (const one of values.paced.split(",")) await paced(Number(one));
if (parts.has("open")) await open(Number(values.open));
process.exit(0); // streams are still open
