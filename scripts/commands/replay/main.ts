/** `trainyard bench replay`: a trace open loop, with and without prefix caching. */
import { writeFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { Command } from "commander";
import { UsageError } from "../../usage.ts";
import { buildSystem, systemLabel } from "../../virtual/system.ts";
import { addSystemFlags, systemFrom } from "../../virtual/system-flags.ts";
import { readText } from "../../workload/text-datasets.ts";
import { guessFormat, parseTrace, traceFormats } from "../../workload/traces/formats.ts";
import { toolLoopTrace } from "../../workload/traces/sessions.ts";
import { prefixOracle, scaled, spanOf, type Trace } from "../../workload/traces/trace.ts";
import { aligned } from "../sweep/print.ts";
import { type ReplayRow, replayHttp, replayVirtual } from "./replay.ts";

type Given = Readonly<Record<string, string | boolean | undefined>>;

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(text);
  const given = parse(argv, print);
  const trace = await traceOf(given);
  const oracle = prefixOracle(trace);
  const seconds = spanOf(trace);
  print(
    `${trace.name}: ${trace.requests.length} requests over ${seconds.toFixed(0)} s (${(trace.requests.length / Math.max(1, seconds)).toFixed(2)} a second)\n`,
  );
  if (oracle.blocks > 0) {
    print(
      `an endless cache of whole blocks of ${trace.blockTokens} tokens would hit ${oracle.hits} of ${oracle.blocks} (${((100 * oracle.hits) / oracle.blocks).toFixed(2)} %)\n`,
    );
  }
  for (const note of trace.notes) print(`left out: ${note}\n`);
  const rows =
    typeof given["url"] === "string"
      ? [await replayHttp(given["url"], trace, headersOf(given))]
      : await inVirtualTime(given, trace, print);
  print(`\n${replayTable(rows, trace.blockTokens)}\n`);
  for (const { name, firstError } of rows) {
    if (firstError !== undefined) print(`${name}: ${firstError}\n`);
  }
  if (typeof given["json"] === "string") {
    await writeFile(given["json"], `${JSON.stringify(rows.map(rowJson), null, 1)}\n`);
  }
  return rows.every((row) => row.metrics.completed > 0) ? 0 : 1;
}

/** Percentiles as keys: JSON knows no maps. */
function rowJson(row: ReplayRow): unknown {
  const latency = Object.fromEntries(
    Object.entries(row.metrics.latency).map(([name, { percentiles, ...rest }]) => [
      name,
      { ...rest, ...Object.fromEntries([...percentiles].map(([p, value]) => [`p${p}`, value])) },
    ]),
  );
  return { ...row, metrics: { ...row.metrics, latency } };
}

async function inVirtualTime(
  given: Given,
  trace: Trace,
  print: (text: string) => void,
): Promise<ReplayRow[]> {
  const caching = String(given["prefixCaching"]);
  const modes = caching === "both" ? [true, false] : [caching === "on"];
  const rows: ReplayRow[] = [];
  for (const prefixCaching of modes) {
    const longest = Math.max(...trace.requests.map((r) => r.inputTokens + r.outputTokens));
    const spec = systemFrom(given, {
      prefixCaching,
      ...(given["maxModelLen"] === undefined
        ? { maxModelLen: Math.ceil(longest / 128) * 128 }
        : {}),
    });
    const size = spec.blockSize ?? 16;
    const endless = trace.requests.reduce(
      (sum, request) => sum + Math.ceil((request.inputTokens + request.outputTokens) / size) + 1,
      0,
    );
    const system = await buildSystem(spec, {
      ...(given["endlessCache"] === true ? { endlessBlocks: endless } : {}),
    });
    if (rows.length === 0)
      print(
        `${spec.model} on ${systemLabel(spec)} (simulated${given["endlessCache"] === true ? ", a KV pool that never evicts" : ""})\n`,
      );
    const started = performance.now();
    const cpu = process.cpuUsage();
    const name = `prefix caching ${prefixCaching ? "on" : "off"}`;
    const row = await replayVirtual(name, system, trace, spec.seed);
    await system.close();
    const { user, system: kernel } = process.cpuUsage(cpu);
    rows.push({
      ...row,
      wallSeconds: (performance.now() - started) / 1000,
      cpuSeconds: (user + kernel) / 1e6,
    });
  }
  return rows;
}

const COLUMNS: readonly (readonly [string, (row: ReplayRow, block: number) => string])[] = [
  ["run", (row) => row.name],
  ["ok", (row) => String(row.metrics.completed)],
  ["failed", (row) => String(row.metrics.failed)],
  ["TTFT p50 ms", (row) => row.metrics.latency.ttft.median.toFixed(0)],
  ["p90", (row) => (row.metrics.latency.ttft.percentiles.get(90) ?? 0).toFixed(0)],
  ["p99", (row) => (row.metrics.latency.ttft.percentiles.get(99) ?? 0).toFixed(0)],
  ["TPOT p50 ms", (row) => row.metrics.latency.tpot.median.toFixed(2)],
  ["E2E p50 s", (row) => (row.metrics.latency.e2el.median / 1000).toFixed(2)],
  ["tokens/s", (row) => row.metrics.outputThroughput.toFixed(0)],
  ["hit tokens", (row) => `${(100 * row.hitRate).toFixed(2)} %`],
  ["hit blocks", (row, block) => (block === 0 ? "-" : String(Math.round(row.hitTokens / block)))],
  ["preempted", (row) => String(row.metrics.preemptions)],
  ["CPU s", (row) => (row.cpuSeconds === undefined ? "-" : row.cpuSeconds.toFixed(2))],
  ["took s", (row) => (row.wallSeconds === undefined ? "-" : row.wallSeconds.toFixed(2))],
];

export function replayTable(rows: readonly ReplayRow[], blockTokens: number | undefined): string {
  return aligned([
    COLUMNS.map(([name]) => name),
    ...rows.map((row) => COLUMNS.map(([, of]) => of(row, blockTokens ?? 0))),
  ]);
}

async function traceOf(given: Given): Promise<Trace> {
  const seed = Number(given["seed"]);
  const number = (name: string): number | undefined =>
    given[name] === undefined ? undefined : Number(given[name]);
  const limit = number("limit");
  const scale = {
    rate: number("rateScale") ?? 1,
    length: number("lengthScale") ?? 1,
    ...(limit === undefined ? {} : { limit }),
  };
  const sessions = number("sessions");
  if (sessions !== undefined) {
    return scaled(
      toolLoopTrace({
        sessions,
        sessionRate: number("sessionRate") ?? 1,
        meanTurns: 8,
        systemTokens: 2048,
        taskTokens: 256,
        toolTokens: 512,
        outputTokens: 200,
        toolSeconds: 2,
        seed,
      }),
      scale,
    );
  }
  const path = given["trace"];
  if (typeof path !== "string") throw new UsageError("--trace FILE or --sessions N is needed.");
  const format = typeof given["format"] === "string" ? given["format"] : guessFormat(path);
  if (format === undefined) {
    throw new UsageError(`--format is needed; known: ${traceFormats.join(", ")}.`);
  }
  const text = await readText(path);
  const rate = number("rate");
  const from = number("from");
  const to = number("to");
  return scaled(
    parseTrace(format, text, {
      seed,
      ...(rate === undefined ? {} : { rate }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    }),
    scale,
  );
}

function headersOf(given: Given): Record<string, string> {
  const key = given["apiKey"];
  return typeof key === "string" ? { authorization: `Bearer ${key}` } : {};
}

function parse(argv: readonly string[], print: (text: string) => void): Given {
  const command = addSystemFlags(
    new Command("trainyard bench replay")
      .description("Replay a trace open loop, in virtual time or against --url.")
      .option("--trace <file>", "trace, also .gz")
      .option("--format <name>", traceFormats.join(", "))
      .option("--sessions <n>", "instead of a trace: multi-turn tool loops")
      .option("--session-rate <n>", "sessions started a second", "1")
      .option("--rate-scale <x>", "2: twice as many requests a second", "1")
      .option("--length-scale <x>", "lengths are multiplied", "1")
      .option("--limit <n>", "first requests only")
      .option("--rate <rps>", "mean rate, for formats that generate (servegen)")
      .option("--from <s>", "start within the day (servegen)")
      .option("--to <s>", "end within the day (servegen)")
      .option("--prefix-caching <mode>", "both, on or off", "both")
      .option("--endless-cache", "a KV pool that holds the whole trace, whatever the memory")
      .option("--url <url>", "replay against a live server")
      .option("--json <file>", "write the table's figures")
      .option("--api-key <key>", ""),
  )
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: () => {} });
  command.parse([...argv], { from: "user" });
  return command.opts<Given>();
}
