/**
 * What watching costs: streams of a server with --watchers of /live, against the same
 * server without any, in turn, in pairs. The server is a process of its own, and so are
 * those who watch; the ratio is of events a second of the server's processor time, and of
 * events a second of the wall's. Above 1: the watched rounds did better.
 *
 *     npx tsx scripts/maintain/bench/watchers.ts [--watchers 50] [--pairs 9] [--device null] [--streams 32] [--tokens 400]
 *
 * Wants a machine that nobody else uses.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { type ForkedServer, forkServer } from "./forked-server.ts";
import { readStreams } from "./read-stream.ts";

const { values } = parseArgs({
  options: {
    watchers: { type: "string", default: "50" },
    pairs: { type: "string", default: "9" },
    device: { type: "string", default: "null" },
    streams: { type: "string", default: "32" },
    tokens: { type: "string", default: "400" },
    /** Child: watches this server until the parent goes. */
    watch: { type: "string" },
  },
});
const WATCHERS = Number(values.watchers);
const STREAMS = Number(values.streams);
const TOKENS = Number(values.tokens);

async function watch(url: string): Promise<void> {
  const sockets = Array.from({ length: WATCHERS }, () => new WebSocket(url));
  let bytes = 0;
  for (const socket of sockets) {
    socket.on("message", (data: Buffer) => {
      bytes += data.length;
    });
  }
  await Promise.all(sockets.map((socket) => once(socket, "open")));
  process.on("disconnect", () => process.exit(0));
  process.on("message", () => process.send?.({ bytes }));
  process.send?.("open");
}

async function startWatching(url: string): Promise<ChildProcess> {
  const argv = ["--watch", `${url.replace("http", "ws")}/live`, "--watchers", String(WATCHERS)];
  const child = fork(fileURLToPath(import.meta.url), argv, { execArgv: ["--import", "tsx"] });
  await once(child, "message");
  return child;
}

/** Events a second: of the server's processor, and of the wall. */
interface Round {
  readonly processor: number;
  readonly wall: number;
}

async function round(server: ForkedServer): Promise<Round> {
  const before = await server.cpu();
  const began = performance.now();
  const events = await readStreams(server.url, { streams: STREAMS, tokens: TOKENS });
  const seconds = (performance.now() - began) / 1000;
  return { processor: (1e6 * events) / ((await server.cpu()) - before), wall: events / seconds };
}

async function watched(server: ForkedServer): Promise<Round> {
  const child = await startWatching(server.url);
  const its = await round(server);
  child.kill();
  await once(child, "exit");
  return its;
}

/** Median, and the ends of the middle 60 %. */
function told(ratios: readonly number[]): string {
  const sorted = [...ratios].sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN).toFixed(3);
  return `${at(0.5)} (${at(0.2)} to ${at(0.8)})`;
}

async function main(): Promise<void> {
  const server = await forkServer(["models/tiny/llama", "--device", values.device]);
  await round(server);
  const ratios: Round[] = [];
  for (let pair = 0; pair < Number(values.pairs); pair++) {
    const first = pair % 2 === 0 ? await watched(server) : await round(server);
    const second = pair % 2 === 0 ? await round(server) : await watched(server);
    const [seen, alone] = pair % 2 === 0 ? [first, second] : [second, first];
    ratios.push({ processor: seen.processor / alone.processor, wall: seen.wall / alone.wall });
  }
  server.stop();
  process.stdout.write(
    `${WATCHERS} watchers of ${STREAMS} streams of ${TOKENS} tokens, ${values.device} device, ${ratios.length} pairs: watched ÷ alone\n` +
      `  events a second of the server's processor  ${told(ratios.map((its) => its.processor))}\n` +
      `  events a second                            ${told(ratios.map((its) => its.wall))}\n`,
  );
}

if (values.watch !== undefined) await watch(values.watch);
else {
  await main();
  process.exit(0);
}
