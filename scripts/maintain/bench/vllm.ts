/**
 * The cpu device beside vLLM's CPU build: `vllm bench latency` (eager, as many threads) and the
 * same requests through this project's engine, on one folder. Each kind of work is one process
 * of vLLM's; ours are timed before it and after it, half each. Prints medians, the range of each
 * and theirs over ours. Usage:
 *
 *     tsx scripts/maintain/bench/vllm.ts --venv FOLDER [--format BF16|"W8A8 int8"] [--model FOLDER]
 *         [--quantization int4] [--rounds 5] [--streams 1,8,16,prompt] [--tokens 64]
 *
 * Without --model: 494M random parameters, written once. Without --quantization: BF16 is int4
 * here, W8A8 as it was published. Both sample at temperature 1, as vLLM's benchmark does.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { LLM, SamplingParams } from "../../../server/library.ts";
import { peerEnvironment, rerunAsLaunched } from "./as-launched.ts";
import { median, PREFILL_TOKENS } from "./device-steps.ts";
import { writeFolder } from "./load/folder.ts";

const PROMPT_TOKENS = 32;
const MAX_CONTEXT = 1024;
/** Among the numbers of streams: one prompt of PREFILL_TOKENS. */
const PROMPT = "prompt";
/** Ids of prompts are below this, as in vLLM's benchmark. */
const MOST_ID = 10_000;

interface Work {
  readonly name: string;
  readonly streams: number;
  readonly prompt: number;
  readonly output: number;
}

/** Seconds of each round. */
type Latencies = readonly number[];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      venv: { type: "string" },
      format: { type: "string", default: "BF16" },
      model: { type: "string" },
      quantization: { type: "string" },
      rounds: { type: "string", default: "5" },
      streams: { type: "string", default: `1,8,16,${PROMPT}` },
      tokens: { type: "string", default: "64" },
    },
  });
  if (values.venv === undefined) throw new Error("--venv FOLDER is needed: vLLM's CPU build.");
  const model = values.model ?? join(tmpdir(), "trainyard-vllm", values.format.replace(" ", "-"));
  if (!existsSync(join(model, "config.json"))) writeFolder(model, values.format);
  const quantization = values.quantization ?? (values.format === "BF16" ? "int4" : undefined);
  const rounds = Number(values.rounds);
  const works = values.streams.split(",").map((work) => workOf(work, Number(values.tokens)));
  const llm = new LLM({
    model,
    device: "cpu",
    ...(quantization !== undefined && { quantization }),
    maxModelLen: MAX_CONTEXT,
    maxNumSeqs: Math.max(...works.map(({ streams }) => streams)),
    enablePrefixCaching: false,
  });
  await llm.ready();
  console.log(
    `${model}, ${quantization ?? "as published"} here, ${availableParallelism()} threads; load ${loadavg()[0]?.toFixed(1)}`,
  );
  console.log(
    "work             ours tok/s (range)       vLLM tok/s (range)       ours over vLLM's",
  );
  for (const work of works) {
    const before = await runOurs(llm, work, Math.ceil(rounds / 2));
    const theirs = await runTheirs(values.venv, model, work, rounds);
    const after = await runOurs(llm, work, Math.floor(rounds / 2));
    print(work, [...before, ...after], theirs);
  }
  await llm.close();
}

function workOf(work: string, output: number): Work {
  if (work === PROMPT)
    return { name: `prompt of ${PREFILL_TOKENS}`, streams: 1, prompt: PREFILL_TOKENS, output: 1 };
  return { name: `${work} streams`, streams: Number(work), prompt: PROMPT_TOKENS, output };
}

/** After one round that is not counted. */
async function runOurs(llm: LLM, { streams, prompt, output }: Work, rounds: number) {
  const sampling = new SamplingParams({ temperature: 1, maxTokens: output, ignoreEos: true });
  const latencies: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const prompts = Array.from({ length: streams }, (_, row) =>
      Array.from({ length: prompt }, (_, at) => (at * 7919 + row * 104_729 + round + 1) % MOST_ID),
    );
    const begun = performance.now();
    await llm.generate(prompts, sampling);
    if (round >= 0) latencies.push((performance.now() - begun) / 1000);
  }
  return latencies;
}

async function runTheirs(
  venv: string,
  model: string,
  { streams, prompt, output }: Work,
  rounds: number,
): Promise<Latencies> {
  const folder = mkdtempSync(join(tmpdir(), "trainyard-vllm-"));
  const result = join(folder, "latency.json");
  const args = [
    ...["bench", "latency", "--model", model, "--skip-tokenizer-init", "--disable-detokenize"],
    ...["--input-len", String(prompt), "--output-len", String(output)],
    ...["--batch-size", String(streams), "--max-model-len", String(MAX_CONTEXT)],
    ...["--max-num-seqs", String(streams), "--dtype", "bfloat16", "--enforce-eager"],
    ...["--num-iters-warmup", "1", "--num-iters", String(rounds), "--output-json", result],
  ];
  try {
    const program = join(venv, "bin", "vllm");
    await ended(
      spawn(program, args, { env: environment(venv), stdio: ["ignore", "pipe", "pipe"] }),
    );
    return (JSON.parse(readFileSync(result, "utf8")) as { latencies: Latencies }).latencies;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function environment(venv: string): NodeJS.ProcessEnv {
  return {
    ...peerEnvironment(),
    PATH: `${join(venv, "bin")}:${process.env["PATH"]}`,
    OMP_NUM_THREADS: String(availableParallelism()),
    VLLM_CPU_OMP_THREADS_BIND: "nobind",
    VLLM_CPU_KVCACHE_SPACE: "1",
    HF_HUB_OFFLINE: "1",
    VLLM_NO_USAGE_STATS: "1",
    DO_NOT_TRACK: "1",
  };
}

/** Rejects with the end of what it wrote when it fails. */
async function ended(child: ReturnType<typeof spawn>): Promise<void> {
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (data: Buffer) => {
      text = (text + data).slice(-2000);
    });
  const stop = (): void => void child.kill();
  process.once("exit", stop);
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  process.off("exit", stop);
  if (code !== 0) throw new Error(`vllm bench latency ended with ${code}: ${text}`);
}

function print({ name, streams, prompt, output }: Work, ours: Latencies, theirs: Latencies): void {
  const tokens = output === 1 ? prompt : streams * output;
  const speeds = (latencies: Latencies): string => {
    const [least, most] = [Math.min(...latencies), Math.max(...latencies)];
    const [middle, low, high] = [median(latencies), most, least].map((seconds) =>
      (tokens / seconds).toFixed(0),
    );
    return `${middle} (${low}–${high})`.padEnd(24);
  };
  const ratio = (median(theirs) / median(ours)).toFixed(2);
  console.log(`${name.padEnd(16)} ${speeds(ours)} ${speeds(theirs)} ${ratio}`);
}

if (!(await rerunAsLaunched())) await main();
