/**
 * Do the dashboards live? Starts Prometheus (Debian: apt-get install prometheus)
 * on a loaded server, asks every query of the list and of our dashboard, and
 * holds the curve query against a closed-loop load of known concurrency:
 *
 *   node --import tsx scripts/observability/check.ts --server http://127.0.0.1:8000
 *
 * Exit code 0: every query that applies has data and the curve is within 5 %.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { Client } from "../load/client.ts";
import { runLoad } from "../load/load.ts";
import { servedModel, serverWords } from "../load/server.ts";
import { Random } from "../workload/random.ts";
import { randomRequests } from "../workload/random-dataset.ts";
import { idRange, type WorkRequest } from "../workload/request.ts";
import { CURVE_QUERY } from "./panels.ts";
import { ask, type DashboardQuery, fill, hasData, ownQueries } from "./queries.ts";

const CURVE_TOLERANCE = 0.05;

interface Options {
  readonly server: string;
  readonly list: string;
  readonly prometheus: string;
  readonly port: number;
  readonly users: number;
  readonly requests: number;
  readonly inputLen: number;
  readonly outputLen: number;
  readonly has: ReadonlySet<string>;
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parse(argv);
  const model = await servedModel({ baseUrl: options.server, headers: {} });
  const folder = await mkdtemp(join(tmpdir(), "trainyard-prometheus-"));
  const prometheus = await startPrometheus(folder, options);
  try {
    const base = `http://127.0.0.1:${options.port}`;
    await settle(base, "up == 1", 30);
    const measured = await loadServer(options, model.id);
    await new Promise((resolve) => setTimeout(resolve, 4000));
    const listed = JSON.parse(await readFile(options.list, "utf8")) as DashboardQuery[];
    const seconds = Math.ceil(measured.wall) + 8;
    const values = { model: model.id, interval: `${seconds}s`, range: `${seconds}s` };
    let missing = 0;
    let asked = 0;
    for (const entry of [...listed, ...ownQueries()]) {
      if (entry.needs !== undefined && !options.has.has(entry.needs)) continue;
      asked++;
      const samples = await ask(base, fill(entry.query, values));
      if (hasData(samples)) continue;
      missing++;
      process.stdout.write(`no data: ${entry.dashboard} · ${entry.panel}: ${entry.query}\n`);
    }
    process.stdout.write(`${asked - missing} of ${asked} queries have data.\n`);
    const error = await curveError(base, options.users, measured.tokensPerSecond, values);
    return missing === 0 && error <= CURVE_TOLERANCE ? 0 : 1;
  } finally {
    prometheus.kill("SIGTERM");
    await new Promise((resolve) => prometheus.once("exit", resolve));
    await rm(folder, { recursive: true, force: true });
  }
}

/** The curve at the load's concurrency against what the client measured. */
async function curveError(
  base: string,
  users: number,
  measured: number,
  values: { model: string; interval: string; range: string },
): Promise<number> {
  const samples = await ask(base, fill(CURVE_QUERY, values));
  for (const { labels, value } of [...samples].sort(
    (a, b) => Number(a.labels["concurrency"]) - Number(b.labels["concurrency"]),
  )) {
    process.stdout.write(
      `curve: ≤ ${labels["concurrency"]} running: ${value.toFixed(1)} tokens/s\n`,
    );
  }
  const at = samples.find((sample) => Number(sample.labels["concurrency"]) === users);
  const error = at === undefined ? Number.POSITIVE_INFINITY : Math.abs(at.value / measured - 1);
  process.stdout.write(
    `client at ${users} users: ${measured.toFixed(1)} tokens/s while all were busy; difference ${(100 * error).toFixed(2)} %\n`,
  );
  return error;
}

async function loadServer(
  options: Options,
  model: string,
): Promise<{ tokensPerSecond: number; wall: number }> {
  const access = { baseUrl: options.server, headers: {} };
  const words = (await serverWords(access, model)) ?? { ids: idRange(100, 1000) };
  const draw = (count: number, seed: number): WorkRequest[] =>
    randomRequests(
      count,
      {
        inputLen: options.inputLen,
        outputLen: options.outputLen,
        // Spread, or all users end and begin together and few ever run.
        inputRatio: 0.5,
        outputRatio: 0.5,
        meaning: "vllm",
        prefixLen: 32,
      },
      words,
      new Random(seed),
    );
  const client = new Client({
    baseUrl: options.server,
    endpoint: "/v1/completions",
    api: "completions",
    model,
    headers: {},
    body: { ignore_eos: true, temperature: 0 },
    keepText: false,
  });
  try {
    const requests = draw(options.requests, 1);
    const begun = Date.now();
    const run = await runLoad(requests, client.run.bind(client), {
      arrivals: requests.map(() => 0),
      maxConcurrency: options.users,
    });
    const wall = (Date.now() - begun) / 1000;
    const failed = run.records.find((record) => !record.ok);
    if (failed !== undefined) throw new Error(`A request failed: ${failed.error}`);
    // Tokens while every user was busy: between the last first token of the first
    // round and the first end of the last round.
    const starts = run.records.slice(0, options.users).map((r) => r.sent + r.ttft);
    const ends = run.records.slice(-options.users).map((r) => r.sent + r.latency);
    const from = Math.max(...starts);
    const to = Math.min(...ends);
    let tokens = 0;
    for (const record of run.records) {
      let at = record.sent + record.ttft;
      // An event is a step's tokens: several with speculation.
      const each = (record.outputTokens - 1) / Math.max(1, record.itl.length);
      if (at > from && at <= to) tokens++;
      for (const gap of Array.from(record.itl)) {
        at += gap;
        if (at > from && at <= to) tokens += each;
      }
    }
    return { tokensPerSecond: tokens / (to - from), wall };
  } finally {
    client.close();
  }
}

async function startPrometheus(folder: string, options: Options): Promise<ChildProcess> {
  const target = options.server.replace(/^https?:\/\//, "");
  const config = [
    "global: { scrape_interval: 1s }",
    "scrape_configs:",
    "  - job_name: trainyard",
    `    static_configs: [{ targets: ["${target}"] }]`,
    "",
  ].join("\n");
  await writeFile(join(folder, "prometheus.yml"), config);
  const child = spawn(
    options.prometheus,
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${options.port}`,
    ],
    { stdio: "ignore" },
  );
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => reject(new Error(`${options.prometheus}: ${error.message}`)));
  });
  return child;
}

/** Waits until a query has data. */
async function settle(base: string, query: string, seconds: number): Promise<void> {
  for (let tries = 0; tries < seconds * 2; tries++) {
    const samples = await ask(base, query).catch(() => []);
    if (hasData(samples)) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(`Prometheus saw no "${query}" in ${seconds} s.`);
}

function parse(argv: readonly string[]): Options {
  const given = new Command("check")
    .option("--server <url>", "", "http://127.0.0.1:8000")
    .option("--list <file>", "", "test/compat/dashboard-queries.json")
    .option("--prometheus <path>", "", "prometheus")
    .option("--port <n>", "", "19090")
    .option("--users <n>", "a bound of the curve's buckets: 1, 2, 3, 4, 6, 8, 12, 16, …", "8")
    .option("--requests <n>", "", "48")
    .option("--input-len <n>", "", "128")
    .option("--output-len <n>", "", "128")
    .option("--has <names>", "speculation, simulated device, price", "simulated device")
    .parse([...argv], { from: "user" })
    .opts<Record<string, string>>();
  return {
    server: String(given["server"]).replace(/\/$/, ""),
    list: String(given["list"]),
    prometheus: String(given["prometheus"]),
    port: Number(given["port"]),
    users: Number(given["users"]),
    requests: Number(given["requests"]),
    inputLen: Number(given["inputLen"]),
    outputLen: Number(given["outputLen"]),
    has: new Set(
      String(given["has"])
        .split(",")
        .map((name) => name.trim()),
    ),
  };
}

process.exitCode = await main(process.argv.slice(2));
