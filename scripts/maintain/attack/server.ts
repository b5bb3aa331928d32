/** The server under attack, in a process of its own, and what is asked of it all the while. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { gunzipSync } from "node:zlib";
import { NODE_FLAGS } from "../../node-flags.ts";

/** 40 tokens a second. */
const STEP_NANOS = 25_000_000;
const CONTEXT = 8_192;
const START_MS = 120_000;

export interface Target {
  readonly url: string;
  readonly folder: string;
  readonly pid: number;
  alive(): boolean;
  stop(): Promise<void>;
}

/** A model folder in a temporary place: a real vocabulary where `data` has one, no weights. */
export function modelFolder(data: string): string {
  const folder = mkdtempSync(join(tmpdir(), "trainyard-attack-"));
  const tokenizer = readTokenizer(data);
  const size = JSON.parse(tokenizer).model.vocab as Record<string, number>; // of a BPE file
  const config = JSON.parse(readFileSync("models/tiny/qwen3/config.json", "utf8")) as object;
  const vocab = Math.ceil((Object.keys(size).length + 512) / 128) * 128;
  const given = { ...config, vocab_size: vocab, max_position_embeddings: CONTEXT };
  writeFileSync(join(folder, "config.json"), JSON.stringify(given));
  writeFileSync(join(folder, "tokenizer.json"), tokenizer);
  for (const name of ["tokenizer_config.json", "chat_template.jinja"]) {
    writeFileSync(join(folder, name), readFileSync(join("models/tiny/qwen3", name)));
  }
  return folder;
}

function readTokenizer(data: string): string {
  try {
    return gunzipSync(readFileSync(join(data, "tokenizers/qwen3.tokenizer.json.gz"))).toString();
  } catch {
    return readFileSync("models/bundled/trainyard-tiny/tokenizer.json", "utf8");
  }
}

export async function startTarget(data: string, port: number): Promise<Target> {
  const folder = modelFolder(data);
  const flags = `--device null --max-num-seqs 16 --port ${port} --log-level error`;
  const child = spawn(
    process.execPath,
    [
      ...NODE_FLAGS,
      "dist/scripts/cli.js",
      "serve",
      folder,
      ...flags.split(" "),
      "--trust-request-chat-template",
      "--additional-config",
      JSON.stringify({ "null-step-nanos": STEP_NANOS }),
    ],
    { stdio: ["ignore", "inherit", "inherit"] },
  );
  const url = `http://127.0.0.1:${port}`;
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  for (const begun = Date.now(); ; ) {
    if (!alive() || Date.now() - begun > START_MS) throw new Error("The server did not start.");
    const health = await fetch(`${url}/health`).catch(() => undefined);
    if (health?.ok) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return { url, folder, pid: child.pid ?? 0, alive, stop: () => stopChild(child, folder) };
}

async function stopChild(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
}

/** Resident memory of the server and of its children, in MiB. */
export function memoryOf(pid: number): number {
  const own = Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
  const children = read(`/proc/${pid}/task/${pid}/children`).trim();
  return children
    .split(/\s+/)
    .filter((child) => child !== "")
    .reduce((sum, child) => sum + memoryOf(Number(child)), own);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Milliseconds. */
export interface Seen {
  /** The stream's longest gap. */
  readonly gap: number;
  /** The most that the server's own thread computed within one gap: what a quiet machine would show. */
  readonly computed: number;
  /** The slowest /health. */
  readonly health: number;
  /** Pieces of the stream. */
  readonly tokens: number;
}

/** A paced stream and /health, read in a thread of its own, so that making attacks does not count. */
export class Watch {
  readonly #worker: Worker;

  constructor({ url, pid }: Pick<Target, "url" | "pid">) {
    this.#worker = new Worker(WATCH, { eval: true, workerData: { url, pid } });
  }

  /** Since the last call. */
  take(): Promise<Seen> {
    return new Promise((resolve) => {
      this.#worker.once("message", resolve);
      this.#worker.postMessage("take");
    });
  }

  stop(): Promise<number> {
    return this.#worker.terminate();
  }
}

/** Plain JavaScript: threads do not read TypeScript on Node 20. */
const WATCH = `
const { parentPort, workerData: { url, pid } } = require("node:worker_threads");
const { readFileSync } = require("node:fs");
let gap = 0, computed = 0, health = 0, tokens = 0, last, lastComputed = 0;
// Linux: nanoseconds on a processor, of the main thread alone.
const onProcessor = () => {
  try { return Number(readFileSync("/proc/" + pid + "/task/" + pid + "/schedstat", "utf8").split(" ")[0]) / 1e6; }
  catch { return 0; }
};
const note = () => {
  const now = performance.now();
  const busy = onProcessor();
  if (last !== undefined) {
    gap = Math.max(gap, now - last);
    computed = Math.max(computed, busy - lastComputed);
  }
  last = now;
  lastComputed = busy;
};
(async () => {
  for (;;) {
    try {
      const response = await fetch(url + "/v1/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ prompt: "Hello", stream: true, ignore_eos: true, temperature: 0, max_tokens: 8000 }),
      });
      last = undefined;
      for await (const _ of response.body) { note(); tokens++; }
    } catch { await new Promise((resolve) => setTimeout(resolve, 50)); }
  }
})();
(async () => {
  for (;;) {
    const begun = performance.now();
    await fetch(url + "/health").then((response) => response.text()).catch(() => {});
    health = Math.max(health, performance.now() - begun);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
})();
parentPort.on("message", () => {
  // A gap that goes on counts as far as it has got.
  if (last !== undefined) gap = Math.max(gap, performance.now() - last);
  parentPort.postMessage({ gap, computed, health, tokens });
  gap = 0; computed = 0; health = 0; tokens = 0;
});
`;
