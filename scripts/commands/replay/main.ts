/** `trainyard bench replay`: a trace open loop, with and without prefix caching. */
import { writeFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { atLeast, rowsOf } from "../../../server/settings/row.ts";
import { rowsJson, tableLines } from "../../load/column.ts";
import { untilInterrupted } from "../../load/interrupt.ts";
import { UsageError } from "../../usage.ts";
import { systemLabel } from "../../virtual/build.ts";
import { buildSystem } from "../../virtual/system.ts";
import { linesOf } from "../../workload/lines.ts";
import { guessFormat, parseTrace, traceFormats } from "../../workload/traces/formats.ts";
import { toolLoopTrace } from "../../workload/traces/sessions.ts";
import {
  longestOf,
  prefixOracle,
  scaled,
  spanOf,
  type Trace,
} from "../../workload/traces/trace.ts";
import { type FlagValues, parseFlags } from "../flags.ts";
import { count, positive } from "../kinds.ts";
import { aligned } from "../sweep/print.ts";
import { SYSTEM_FLAGS, systemFrom } from "../system-flags.ts";
import { REPLAY_COLUMNS } from "./columns.ts";
import { type ReplayRow, replayHttp, replayVirtual } from "./replay.ts";

const source = rowsOf("Trace");
const live = rowsOf("Live server");
const output = rowsOf("Output");

export const REPLAY_FLAGS = {
  trace: source.text(undefined, "trace, also .gz", { value: "FILE" }),
  format: source.choice(traceFormats, undefined, "default: by the file's name"),
  sessions: count(source, undefined, "instead of a trace: multi-turn tool loops"),
  "session-rate": positive(source, 1, "sessions started a second"),
  "rate-scale": positive(source, 1, "2: twice as many requests a second"),
  "length-scale": positive(source, 1, "lengths are multiplied"),
  limit: count(source, undefined, "first requests only"),
  rate: positive(source, undefined, "mean rate, for formats that generate (servegen)"),
  from: source.number(undefined, "start within the day, s (servegen)", { check: atLeast(0) }),
  to: source.number(undefined, "end within the day, s (servegen)", { check: atLeast(0) }),
  "prefix-caching": source.choice(["both", "on", "off"], "both", "runs in virtual time"),
  "endless-cache": source.toggle(
    false,
    "a KV pool that holds the whole trace, whatever the memory",
  ),
  url: live.text(undefined, "replay against a live server", { value: "URL" }),
  "api-key": live.text(undefined, "bearer token of the live server", {
    value: "KEY",
    secret: true,
    env: "OPENAI_API_KEY",
  }),
  json: output.text(undefined, "write the table's figures", { value: "FILE" }),
  ...SYSTEM_FLAGS,
} as const;

type ReplayValues = FlagValues<typeof REPLAY_FLAGS>;

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(text);
  const { values } = parseFlags(
    {
      name: "trainyard bench replay",
      sentence: "Replay a trace open loop, in virtual time or against --url.",
      flags: REPLAY_FLAGS,
    },
    argv,
    print,
  );
  const { url } = values;
  const trace = await traceOf(values);
  if (trace.requests.length === 0) {
    throw new Error(`${values.trace ?? "--sessions"} gives no request to replay.`);
  }
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
    url === undefined
      ? await inVirtualTime(values, trace, print)
      : [await untilInterrupted((signal) => replayHttp(url, trace, headersOf(values), signal))];
  print(`\n${replayTable(rows)}\n`);
  for (const { name, overload, firstError } of rows) {
    if (overload !== undefined) print(`${name}: ${overload}\n`);
    if (firstError !== undefined) print(`${name}: ${firstError}\n`);
  }
  if (values.json !== undefined) {
    await writeFile(
      values.json,
      `${JSON.stringify({ trace: trace.name, ...rowsJson(REPLAY_COLUMNS, rows) }, null, 1)}\n`,
    );
  }
  return rows.every((row) => row.metrics.completed > 0) ? 0 : 1;
}

async function inVirtualTime(
  values: ReplayValues,
  trace: Trace,
  print: (text: string) => void,
): Promise<ReplayRow[]> {
  const caching = values["prefix-caching"];
  const modes = caching === "both" ? [true, false] : [caching === "on"];
  const rows: ReplayRow[] = [];
  for (const prefixCaching of modes) {
    const longest = longestOf(trace);
    const spec = systemFrom(values, {
      prefixCaching,
      ...(values["max-model-len"] === undefined
        ? { maxModelLen: Math.ceil(longest / 128) * 128 }
        : {}),
    });
    const size = spec.blockSize ?? 16;
    const endless = trace.requests.reduce(
      (sum, request) => sum + Math.ceil((request.inputTokens + request.outputTokens) / size) + 1,
      0,
    );
    const system = await buildSystem(spec, {
      ...(values["endless-cache"] ? { endlessBlocks: endless } : {}),
    });
    if (rows.length === 0)
      print(
        `${spec.model} on ${systemLabel(spec)} (simulated${values["endless-cache"] ? ", a KV pool that never evicts" : ""})\n`,
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

export function replayTable(rows: readonly ReplayRow[]): string {
  return aligned(tableLines(REPLAY_COLUMNS, rows));
}

async function traceOf(values: ReplayValues): Promise<Trace> {
  const { seed, limit, sessions, trace: path, rate, from, to } = values;
  const scale = {
    rate: values["rate-scale"],
    length: values["length-scale"],
    ...(limit === undefined ? {} : { limit }),
  };
  if (sessions !== undefined) {
    return scaled(
      toolLoopTrace({
        sessions,
        sessionRate: values["session-rate"],
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
  if (path === undefined) throw new UsageError("--trace FILE or --sessions N is needed.");
  const format = values.format ?? guessFormat(path);
  if (format === undefined) {
    throw new UsageError(`--format is needed; known: ${traceFormats.join(", ")}.`);
  }
  return scaled(
    await parseTrace(format, linesOf(path), {
      seed,
      ...(rate === undefined ? {} : { rate }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    }),
    scale,
  );
}

function headersOf(values: ReplayValues): Record<string, string> {
  const key = values["api-key"];
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
}
