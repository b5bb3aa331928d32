/** Two servers of ours and a router in front, as processes of their own on this machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";

const CLI = new URL("../../cli.ts", import.meta.url).pathname;
const FOLDER = new URL("../../../models/bundled/trainyard-tiny", import.meta.url).pathname;
const START_MS = 120_000;

export interface Fleet {
  /** The router's. */
  readonly url: string;
  /** The servers', in order. */
  readonly workers: readonly string[];
  readonly routerMetrics: string;
  /** What the router wrote so far. */
  routerLog(): string;
  stop(): Promise<void>;
}

/** Of a command that is not this project's: its words, once the workers' URLs are known. */
export type RouterCommand = (of: {
  readonly port: number;
  readonly metricsPort: number;
  readonly workers: readonly string[];
}) => readonly string[];

/** What the servers serve, by name. */
export const SERVED = {
  cpu: [FOLDER, "--device", "cpu"],
  trainium: [
    ...["meta-llama/Llama-3.1-8B-Instruct", "--device", "trainium"],
    ...["--instance", "trn2.3xlarge", "--tensor-parallel-size", "4"],
  ],
} as const;

/** Uses ports [first, first + 6). Rejects when one of them does not come up. */
export async function startFleet(
  first: number,
  served: keyof typeof SERVED,
  router: RouterCommand,
): Promise<Fleet> {
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children) child.kill("SIGTERM");
    await Promise.all(children.map(ended));
  };
  try {
    const workers = [0, 1].map((index) => {
      const events = { enable_kv_cache_events: true, endpoint: `tcp://*:${first + 4 + index}` };
      const flags = [
        ...["serve", ...SERVED[served], "--served-model-name", "m"],
        ...["--port", String(first + 2 + index), "--kv-events-config", JSON.stringify(events)],
      ];
      const argv = ["--import", "tsx", CLI, ...flags];
      children.push(spawn(process.execPath, argv, { stdio: "ignore" }));
      return `http://127.0.0.1:${first + 2 + index}`;
    });
    for (const worker of workers) await up(`${worker}/health`);
    const [command = "", ...argv] = router({ port: first, metricsPort: first + 1, workers });
    const child = spawn(command, argv, { stdio: ["ignore", "pipe", "pipe"] });
    children.push(child);
    const log: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (part: Buffer) => log.push(part.toString()));
    }
    const url = `http://127.0.0.1:${first}`;
    await up(`${url}/health`);
    const routerMetrics = `http://127.0.0.1:${first + 1}/metrics`;
    return {
      url,
      workers,
      routerMetrics,
      routerLog: () => stripVTControlCharacters(log.join("")),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function up(url: string): Promise<void> {
  for (const until = Date.now() + START_MS; Date.now() < until; await sleep(250)) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error(`${url} does not answer.`);
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}
