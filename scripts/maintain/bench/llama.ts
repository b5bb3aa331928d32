/**
 * The cpu device beside llama.cpp: one random model as a folder and as a GGUF of the same
 * numbers, int4 here and Q4_0 there (every matrix: `--pure`), the same contexts, as many
 * threads, in turns. Prints medians, the range of each, the ratio of each round's pair and
 * how fast memory could be read in the same run. Usage:
 *
 *     tsx scripts/maintain/bench/llama.ts --llama BIN [--model 494m|135m|moe] [--copies auto|1|2]
 *         [--quantization int4] [--rounds 5] [--context 32] [--streams 1,4,8,16]
 *         [--kv-cache-dtype auto] [--tensor-parallel-size 1] [--folder FOLDER]
 *
 * BIN is the folder of llama-batched-bench and llama-quantize. A build of the source inside the
 * package node-llama-cpp (llama/gitRelease.bundle, a git bundle):
 *
 *     cmake -B build -DCMAKE_BUILD_TYPE=Release && cmake --build build --target llama-batched-bench llama-quantize
 *
 * Where it ends with SIGILL the system forbids AMX that the processor names: GGML_NATIVE=OFF and
 * GGML_AVX2, _FMA, _F16C, _BMI2, _AVX512, _AVX512_VNNI, _AVX512_VBMI, _AVX512_BF16=ON.
 *
 * llama.cpp keeps its KV cache in F16. Above a context of 128 the steps at 128 are timed too, and
 * how much slower the longer ones are is told for both. Contexts above 512 llama.cpp computes once,
 * in the middle round, for it takes minutes; it decodes as many steps then as in all rounds.
 *
 * Ours runs in the environment of our launchers (huge pages), llama.cpp in its own. Our steps choose the likeliest id of each row; llama-batched-bench chooses none.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { RealClock } from "../../../device/clocks/real.ts";
import { CpuDevice, createCpuDevice } from "../../../device/cpu/device.ts";
import { heldBytes } from "../../../device/cpu/plan.ts";
import type { Architecture } from "../../../models/architecture.ts";
import { loadModel } from "../../../models/load.ts";
import type { Model } from "../../../models/model.ts";
import { weightsOf } from "../../../models/ops.ts";
import { peerEnvironment, rerunAsLaunched } from "./as-launched.ts";
import { decode, Greedy, median, PREFILL_TOKENS, prefill, readBandwidth } from "./device-steps.ts";
import { SHAPES } from "./peer/shapes.ts";
import { writeModels } from "./peer/write.ts";

/** Steps that decode: as many in both. */
const DECODED = 32;

/** What a longer context is compared with. */
const SHORT = 128;

/** Of the process beside weights and KV cache. */
const MOST_OTHER_BYTES = 250e6;

/** Tokens a second by what was done. */
type Speeds = Map<string, number>;

const MIB = 2 ** 20;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      llama: { type: "string" },
      model: { type: "string", default: "494m" },
      copies: { type: "string", default: "auto" },
      quantization: { type: "string", default: "int4" },
      rounds: { type: "string", default: "5" },
      context: { type: "string", default: "32" },
      streams: { type: "string", default: "1,4,8,16" },
      "kv-cache-dtype": { type: "string", default: "auto" },
      "tensor-parallel-size": { type: "string", default: "1" },
      folder: { type: "string", default: join(tmpdir(), "trainyard-peer") },
    },
  });
  const shape = SHAPES[values.model];
  if (values.llama === undefined || shape === undefined)
    throw new Error("--llama BIN and a --model of 494m, 135m, moe are needed.");
  const folder = join(values.folder, values.model);
  if (!existsSync(join(folder, "model.gguf"))) writeModels(folder, shape);
  const gguf = quantised(folder, values.llama);
  const work = {
    context: Number(values.context),
    streams: values.streams.split(",").map(Number),
    cache: values["kv-cache-dtype"],
    copies: values.copies,
    quantization: values.quantization,
    ranks: Number(values["tensor-parallel-size"]),
    rounds: Number(values.rounds),
  };
  const threads = availableParallelism();
  const before = process.memoryUsage().rss;
  const model = await loadModel(folder);
  const device = await open(model, join(values.folder, "converted"), work);
  for (const line of device.loadLines) console.log(line);
  const bandwidth = await readBandwidth(threads);
  const { plan } = device;
  const bytesRead = (rows: number): number =>
    plan.ranks * plan.weightBytes * shareRead(model.architecture, rows);
  console.log(
    `${values.model}, ${threads} threads, context ${work.context}; memory read ${(bandwidth / 1e9).toFixed(1)} GB/s; load ${loadavg()[0]?.toFixed(1)}`,
  );
  const peer = { llama: values.llama, gguf, threads };
  const [ours, theirs]: [Speeds[], Speeds[]] = [[], []];
  let long: Theirs | undefined;
  let resident = 0;
  for (let round = 0; round < work.rounds; round++) {
    ours.push(await runOurs(device, work));
    const run = await runTheirs(peer, work);
    theirs.push(run.speeds);
    if (work.context > PREFILL_TOKENS && round === work.rounds >> 1)
      long = await runBatches(peer, work, { tokens: work.context, decoded: work.rounds * DECODED });
    resident = Math.max(resident, run.resident, long?.resident ?? 0);
  }
  for (const speeds of theirs)
    for (const [name, speed] of long?.speeds ?? []) speeds.set(name, speed);
  print(ours, theirs, { bytesRead, bandwidth });
  if (work.context > SHORT) printSlowdowns(ours, theirs, work);
  printMemory(device, work, { mine: process.memoryUsage().rss - before, gguf, resident });
  await device.close();
}

/** Of the weights, what a step of so many rows reads: of a layer's experts those that are likely chosen. */
function shareRead({ layers, epilogue }: Architecture, rows: number): number {
  let [read, all] = [0, 0];
  for (const op of [...layers.flatMap((layer) => layer.ops), ...epilogue]) {
    const chosen = op.op === "experts" ? 1 - (1 - op.topK / op.experts) ** rows : 1;
    for (const { shape } of weightsOf(op)) {
      const elements = shape.reduce((product, size) => product * size, 1);
      all += elements;
      read += elements * chosen;
    }
  }
  return read / all;
}

/** `mine` and `resident`: what this process has grown by, and what the peer holds. */
function printMemory(
  device: CpuDevice,
  work: Work,
  of: { readonly mine: number; readonly gguf: string; readonly resident: number },
): void {
  const { mine, gguf, resident } = of;
  const weights = device.plan.ranks * heldBytes(device.plan);
  const other = mine - weights - cacheBytes(device, work);
  console.log(
    `weights here ${mib(weights)}, KV of the streams ${mib(cacheBytes(device, work))} (${device.kvCache.format}), resident ${mib(mine)}: ` +
      `${mib(Math.max(0, other))} beside them, ${other <= MOST_OTHER_BYTES ? "at most" : "more than"} 250 MB; GGUF ${mib(statSync(gguf).size)}, resident ${mib(resident)}`,
  );
}

/** Of the blocks that the longest step touches. */
function cacheBytes({ plan }: CpuDevice, { context, streams }: Work): number {
  const blocks = Math.ceil((context + DECODED) / plan.blockSize);
  return plan.ranks * plan.kvBytesPerBlock * blocks * Math.max(...streams);
}

/** How many times as long a step takes at the context as at SHORT. */
function printSlowdowns(ours: readonly Speeds[], theirs: readonly Speeds[], work: Work): void {
  for (const count of work.streams) {
    const [short, long] = [named(count, SHORT, work), named(count, work.context, work)];
    const slower = (rounds: readonly Speeds[]): string =>
      `${spread(
        rounds.map((round) => (round.get(short) ?? 0) / (round.get(long) ?? 0)),
        2,
      )}x`;
    console.log(
      `${count} streams, ${SHORT} → ${work.context} tokens: ours ${slower(ours)} slower, llama.cpp ${slower(theirs)}`,
    );
  }
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`;

function quantised(folder: string, llama: string): string {
  const path = join(folder, "q4_0.gguf");
  if (existsSync(path)) return path;
  const program = join(llama, "llama-quantize");
  const args = ["--pure", join(folder, "model.gguf"), path, "Q4_0"];
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`llama-quantize ended with ${status}: ${stderr}`);
  return path;
}

interface Work {
  readonly context: number;
  readonly streams: readonly number[];
  readonly cache: string;
  readonly copies: string;
  readonly quantization: string;
  readonly ranks: number;
  readonly rounds: number;
}

const contexts = ({ context }: Work): readonly number[] =>
  context > SHORT ? [context, SHORT] : [context];

const named = (streams: number, context: number, work: Work): string =>
  `${streams} streams${context === work.context ? "" : ` at ${context}`}`;

async function open(
  model: Model,
  store: string,
  { context, streams, cache, copies, quantization, ranks }: Work,
): Promise<CpuDevice> {
  mkdirSync(store, { recursive: true });
  const maxContext = Math.max(PREFILL_TOKENS, context + 2 * DECODED) + 1;
  const device = await createCpuDevice({
    model,
    clock: new RealClock(),
    sampler: new Greedy(),
    tensorParallelSize: ranks,
    quantization,
    maxContext,
    maxRows: Math.max(...streams),
    kvCacheBytes: 3 * 2 ** 30,
    seed: 0,
    own: { "weight-copies": copies, "kv-cache-dtype": cache },
    convertedWeights: { folder: store, mostBytes: 2 ** 36 },
  });
  if (!(device instanceof CpuDevice)) throw new Error("createCpuDevice made another device.");
  return device;
}

async function runOurs(device: CpuDevice, work: Work): Promise<Speeds> {
  const speeds = new Map<string, number>();
  for (const context of contexts(work)) {
    for (const count of work.streams) {
      const { tokensPerSecond } = await decode(device, count, context);
      speeds.set(named(count, context, work), tokensPerSecond);
    }
  }
  speeds.set("prefill", (await prefill(device, PREFILL_TOKENS)).tokensPerSecond);
  return speeds;
}

interface Peer {
  readonly llama: string;
  readonly gguf: string;
  readonly threads: number;
}

interface Theirs {
  readonly speeds: Speeds;
  readonly resident: number;
}

async function runTheirs(peer: Peer, work: Work): Promise<Theirs> {
  const { llama, gguf, threads } = peer;
  const speeds: Speeds = new Map();
  let resident = 0;
  for (const tokens of contexts(work).filter((each) => each <= PREFILL_TOKENS)) {
    const run = await runBatches(peer, work, { tokens, decoded: DECODED });
    for (const [name, speed] of run.speeds) speeds.set(name, speed);
    resident = Math.max(resident, run.resident);
  }
  const prompts = await batchedBench(join(llama, "llama-batched-bench"), [
    ...["-m", gguf, "-t", String(threads), "-c", String(PREFILL_TOKENS + 1)],
    ...["-ub", String(PREFILL_TOKENS), "-npp", String(PREFILL_TOKENS), "-ntg", "1", "-npl", "1"],
    ...["--output-format", "jsonl"],
  ]);
  for (const { speed_pp } of prompts.lines) speeds.set("prefill", speed_pp);
  return { speeds, resident: Math.max(resident, prompts.resident) };
}

/** Decodes so many tokens after so many, with each number of streams. */
async function runBatches(
  { llama, gguf, threads }: Peer,
  work: Work,
  { tokens, decoded }: { readonly tokens: number; readonly decoded: number },
): Promise<Theirs> {
  const cells = Math.max(...work.streams) * (tokens + decoded);
  const { lines, resident } = await batchedBench(join(llama, "llama-batched-bench"), [
    ...["-m", gguf, "-t", String(threads), "-c", String(cells), "-ub", String(PREFILL_TOKENS)],
    ...["-npp", String(tokens), "-ntg", String(decoded), "-npl", work.streams.join()],
    ...["--output-format", "jsonl"],
  ]);
  const speeds: Speeds = new Map();
  for (const { pl, speed_tg } of lines) speeds.set(named(pl, tokens, work), speed_tg);
  return { speeds, resident };
}

/** A line of llama-batched-bench: sequences, tokens a second of prompts and of outputs. */
interface Line {
  readonly pl: number;
  readonly speed_pp: number;
  readonly speed_tg: number;
}

async function batchedBench(
  program: string,
  args: readonly string[],
): Promise<{ readonly lines: readonly Line[]; readonly resident: number }> {
  const child = spawn(program, args, {
    env: peerEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [text, errors, resident] = ["", "", 0];
  child.stdout.on("data", (data: Buffer) => (text += data));
  child.stderr.on("data", (data: Buffer) => (errors += data));
  const poll = setInterval(() => {
    resident = Math.max(resident, peakOf(child.pid));
  }, 100);
  const ending = await new Promise<number | string | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  clearInterval(poll);
  // The logger may write the lines to either.
  const lines = `${text}\n${errors}`.split("\n").filter((line) => line.startsWith('{"n_kv_max"'));
  if (ending !== 0 || lines.length === 0)
    throw new Error(`${program} ended with ${ending}: ${errors}`);
  return { lines: lines.map((line) => JSON.parse(line) as Line), resident };
}

function peakOf(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0; // it has ended
  }
}

function print(
  ours: readonly Speeds[],
  theirs: readonly Speeds[],
  limit: { readonly bytesRead: (rows: number) => number; readonly bandwidth: number },
): void {
  console.log(
    "work           ours (range)          llama.cpp (range)     ratio (range)        of the read limit",
  );
  for (const work of ours[0]?.keys() ?? []) {
    const mine = ours.map((round) => round.get(work) ?? 0);
    const its = theirs.map((round) => round.get(work) ?? 0);
    const ratios = mine.map((speed, round) => speed / (its[round] ?? 0));
    const streams = Number.parseInt(work, 10);
    const share = ((median(mine) / streams) * limit.bytesRead(streams)) / limit.bandwidth;
    const shown = Number.isNaN(share) ? "" : `${(100 * share).toFixed(0)} %`;
    const cells = [spread(mine, 0), spread(its, 0), spread(ratios, 2)];
    console.log(work.padEnd(14), cells.map((cell) => cell.padEnd(21)).join(" "), shown);
  }
}

/** Median (least to most). */
function spread(values: readonly number[], digits: number): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}

if (!(await rerunAsLaunched())) await main();
