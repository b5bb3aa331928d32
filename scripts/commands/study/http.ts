/**
 * What a client sees against what was priced: gaps between the tokens of 1, 8 and
 * 32 streams of a served gpt-oss-120b, while all of them decode; with synthetic
 * ids and with the embedded model's words. Beside them what this machine gives a
 * bare loop of timers that does nothing: no server is steadier. Five streams warm
 * the server up, shown and not judged: about its 1,100th step V8 compiles the
 * engine's longest functions, and a stream's p99 can be 2 to 6 ms over the price.
 * Then 32 requests of 10,000 ids in and 3,000 out at full speed of the price, with
 * exact usage, when TRAINYARD_LONG is set (it takes as long as the machine would).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { RealClock } from "../../../device/clocks/real.ts";
import { CostModel } from "../../../device/trainium/price/cost-model.ts";
import { NODE_FLAGS } from "../../node-flags.ts";
import { table } from "../../report/table.ts";
import { bareLoop, gapsOf, judgeGaps, MEDIAN_SHARE, TAIL_MILLISECONDS } from "./gaps.ts";
import { studyModel, studyPlan } from "./model.ts";
import { readStream } from "./stream-reader.ts";
import type { Study } from "./study.ts";

const MODEL = "openai/gpt-oss-120b";
const PORT = 8137;
const CONTEXT = 16_384;
const STREAMS = [1, 8, 32];
const TOKENS = 300;
const WARM_UP = 5;
const FLOOR = "(bare timer loop)";
const COLD = "(first five, one by one)";

const clock = new RealClock();

export const httpStudy: Study = async (print) => {
  let good = true;
  print(
    `${MODEL}, TP 16 on trn2.48xlarge over HTTP, ${TOKENS} tokens a stream, gaps while all streams decode:\n`,
  );
  for (const values of ["synthetic", "auto"]) {
    const server = serve(values);
    try {
      await ready(server);
      good = (await measure(values, print)) && good;
    } finally {
      server.kill("SIGTERM");
      await new Promise((resolve) => server.once("exit", resolve));
    }
  }
  print(`within ${MEDIAN_SHARE * 100}% (median) and ${TAIL_MILLISECONDS} ms (p99): ${good}`);
  return good ? 0 : 1;
};

/** This command itself, from sources or built, as its bin is started. */
function serve(values: string): ChildProcess {
  return spawn(
    process.execPath,
    [
      ...process.execArgv,
      ...NODE_FLAGS,
      process.argv[1] ?? "",
      ...["serve", MODEL, "--device", "trainium", "--instance", "trn2.48xlarge"],
      ...["--tensor-parallel-size", "16", "--max-model-len", `${CONTEXT}`],
      ...["--values", values, "--port", `${PORT}`],
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
}

async function measure(values: string, print: (text: string) => void): Promise<boolean> {
  const plan = studyPlan(
    studyModel(MODEL),
    16,
    { instance: "trn2.48xlarge" },
    { maxContext: CONTEXT },
  );
  const cost = new CostModel(plan);
  const lines: string[][] = [
    [`${values} values, streams`, "priced ms", "median gap", "off", "p99 gap − priced"],
  ];
  let good = true;
  const add = (name: string, priced: number, gaps: readonly number[]): void => {
    const { median, tail, good: fits } = judgeGaps(gaps, priced);
    if (name !== FLOOR && name !== COLD) good &&= fits;
    const off = `${((median / priced - 1) * 100).toFixed(2)}%`;
    lines.push([name, priced.toFixed(3), median.toFixed(3), off, `${tail.toFixed(2)} ms`]);
  };
  const pricedOf = (streams: number): number => {
    const rows = cost.buckets.rows.find((bucket) => bucket >= streams) ?? streams;
    return cost.graph({ phase: "decode", rows, queries: 1, context: 1024 }).nanos / 1e6;
  };
  const cold: number[] = [];
  for (let index = 0; index < WARM_UP; index++) cold.push(...gapsOf([await stream(0)]));
  add(COLD, pricedOf(1), cold);
  for (const streams of STREAMS) {
    const priced = pricedOf(streams);
    const all = await Promise.all(Array.from({ length: streams }, (_, index) => stream(index)));
    add(`${streams}`, priced, gapsOf(all));
    if (streams === 1) add(FLOOR, priced, await bareLoop(clock, priced, TOKENS));
  }
  print(`${table(lines)}\n`);
  if (process.env["TRAINYARD_LONG"] !== undefined) {
    const usage = await Promise.all(Array.from({ length: 32 }, (_, index) => long(index)));
    const exact = usage.every(
      (its) => its.prompt_tokens === 10_000 && its.completion_tokens === 3000,
    );
    print(`32 requests of 10,000/3,000 ids: usage exact: ${exact}\n`);
    good &&= exact;
  }
  return good;
}

function body(prompt: number, tokens: number, index: number): string {
  return JSON.stringify({
    model: MODEL,
    prompt: Array.from({ length: prompt }, (_, at) => 100 + ((at * 7 + index * 13) % 1500)),
    max_tokens: tokens,
    ignore_eos: true,
    temperature: 0,
    stream: tokens === TOKENS,
  });
}

function stream(index: number): Promise<readonly number[]> {
  return readStream({
    port: PORT,
    path: "/v1/completions",
    body: body(64, TOKENS, index),
    tokens: TOKENS,
  });
}

interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

async function long(index: number): Promise<Usage> {
  const answer = (await (await post(body(10_000, 3000, index))).json()) as { usage: Usage };
  return answer.usage;
}

async function post(json: string): Promise<Response> {
  const answer = await fetch(`http://127.0.0.1:${PORT}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: json,
  });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  return answer;
}

async function ready(server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (server.exitCode !== null) throw new Error(`The server ended with ${server.exitCode}.`);
    try {
      if ((await fetch(`http://127.0.0.1:${PORT}/health`)).ok) return;
    } catch {
      // not yet listening: asked again below
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error("The server did not start.");
}
