/**
 * What a client sees against what was priced: gaps between the tokens of 1, 8 and
 * 32 streams of a served gpt-oss-120b, while all of them decode. Then 32 requests
 * of 10,000 ids in and 3,000 out at full speed of the price, with exact usage,
 * when TRAINYARD_LONG is set (it takes as long as the machine would).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { performance } from "node:perf_hooks";
import { CostModel } from "../../device/trainium/cost-model.ts";
import { projectPath } from "../../models/weights/project-files.ts";
import { table } from "../validate/report.ts";
import { studyModel, studyPlan } from "./model.ts";
import type { Study } from "./registry.ts";

const MODEL = "openai/gpt-oss-120b";
const PORT = 8137;
const CONTEXT = 16_384;
const STREAMS = [1, 8, 32];
const TOKENS = 400;
const MEDIAN_SHARE = 0.002;
const TAIL_MILLISECONDS = 2;

export const httpStudy: Study = async (print) => {
  const server = spawn(
    process.execPath,
    [
      ...process.execArgv,
      ...(process.argv[1]?.endsWith(".ts") ? ["--import", "tsx"] : []),
      projectPath("scripts", process.argv[1]?.endsWith(".js") ? "cli.js" : "cli.ts"),
      ...["serve", MODEL, "--device", "trainium", "--instance", "trn2.48xlarge"],
      ...["--tensor-parallel-size", "16", "--max-model-len", `${CONTEXT}`],
      ...["--values", "synthetic", "--port", `${PORT}`],
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  try {
    await ready(server);
    return await measure(print);
  } finally {
    server.kill("SIGTERM");
  }
};

async function measure(print: (text: string) => void): Promise<number> {
  const plan = studyPlan(
    studyModel(MODEL),
    16,
    { instance: "trn2.48xlarge" },
    { maxContext: CONTEXT },
  );
  const cost = new CostModel(plan);
  const lines: string[][] = [["streams", "priced ms", "median gap", "off", "p99 gap − priced"]];
  let good = true;
  for (const streams of STREAMS) {
    const rows = cost.buckets.rows.find((bucket) => bucket >= streams) ?? streams;
    const priced = cost.graph({ phase: "decode", rows, queries: 1, context: 1024 }).nanos / 1e6;
    const all = await Promise.all(Array.from({ length: streams }, (_, index) => stream(index)));
    const from = Math.max(...all.map((times) => times[2] ?? 0));
    const to = Math.min(...all.map((times) => times[times.length - 2] ?? 0));
    const gaps = all.flatMap((times) =>
      times
        .slice(1)
        .flatMap((at, index) =>
          (times[index] ?? 0) >= from && at <= to ? [at - (times[index] ?? 0)] : [],
        ),
    );
    gaps.sort((a, b) => a - b);
    const median = gaps[Math.floor(gaps.length / 2)] ?? Number.NaN;
    const tail = (gaps[Math.floor(gaps.length * 0.99)] ?? Number.NaN) - priced;
    good &&= Math.abs(median / priced - 1) <= MEDIAN_SHARE && tail <= TAIL_MILLISECONDS;
    lines.push([
      `${streams}`,
      priced.toFixed(3),
      median.toFixed(3),
      `${((median / priced - 1) * 100).toFixed(2)}%`,
      `${tail.toFixed(2)} ms`,
    ]);
  }
  print(
    `${MODEL}, TP 16 on trn2.48xlarge over HTTP, ${TOKENS} tokens a stream, gaps while all streams decode:\n`,
  );
  print(table(lines));
  print(`\nwithin ${MEDIAN_SHARE * 100}% (median) and ${TAIL_MILLISECONDS} ms (p99): ${good}`);
  if (process.env["TRAINYARD_LONG"] !== undefined) {
    const usage = await Promise.all(Array.from({ length: 32 }, (_, index) => long(index)));
    const exact = usage.every(
      (its) => its.prompt_tokens === 10_000 && its.completion_tokens === 3000,
    );
    print(`32 requests of 10,000/3,000 ids: usage exact: ${exact}`);
    good &&= exact;
  }
  return good ? 0 : 1;
}

function body(prompt: number, tokens: number, index: number): string {
  return JSON.stringify({
    model: MODEL,
    prompt: Array.from({ length: prompt }, (_, at) => 100 + ((at * 7 + index * 13) % 50_000)),
    max_tokens: tokens,
    ignore_eos: true,
    temperature: 0,
    stream: tokens === TOKENS,
  });
}

/** Arrival times of a stream's chunks, ms. */
async function stream(index: number): Promise<readonly number[]> {
  const answer = await post(body(64, TOKENS, index));
  const times: number[] = [];
  const reader = answer.body?.getReader();
  if (reader === undefined) throw new Error("no stream");
  const text = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return times;
    const at = performance.now();
    const events = text.decode(value, { stream: true }).split("data: {").length - 1;
    for (let event = 0; event < events; event++) times.push(at);
  }
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
