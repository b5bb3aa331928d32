/**
 * Decode and prefill speed of the cpu device: the embedded model as stored and a
 * random model of 494M parameters in int4. Each figure stands beside its limit,
 * measured in the same run: memory read as fast as two threads can, once per
 * step over the bytes of the weights. Usage:
 *
 *     tsx scripts/maintain/bench/cpu.ts [--model tiny|494m] [--quantization int4|int8|none] [--tp N] [--context N]
 *
 * "verify" is what speculation rests on: a row of k guesses and one more token against a row
 * of one, and the speed-up that this allows if guessing itself cost nothing.
 */
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { argmax } from "../../../device/argmax.ts";
import { RealClock } from "../../../device/clocks/real.ts";
import { CpuDevice, createCpuDevice } from "../../../device/cpu/device.ts";
import type { Batch, BatchRow, Device, Sampled, Sampler } from "../../../device/device.ts";
import { architectureWeights } from "../../../models/architecture.ts";
import { loadModel } from "../../../models/load.ts";
import type { Checkpoint, Model, StoredTensor } from "../../../models/model.ts";
import { describe } from "../../../models/registry.ts";
import { projectPath } from "../../../models/weights/project-files.ts";

const STREAMS = [1, 4, 8, 16];
const PROMPT_TOKENS = 32;
const PREFILL_TOKENS = 512;
const GUESSES = [1, 2, 4, 8];
/** Chances that a guess holds which speed-ups are told for. */
const CHANCES = [0.6, 0.8, 0.95];

/** Shape of Qwen2.5-0.5B: huggingface.co/Qwen/Qwen2.5-0.5B/blob/main/config.json */
const SHAPE_494M = {
  architectures: ["Qwen2ForCausalLM"],
  model_type: "qwen2",
  hidden_size: 896,
  num_hidden_layers: 24,
  num_attention_heads: 14,
  num_key_value_heads: 2,
  intermediate_size: 4864,
  vocab_size: 151_936,
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  tie_word_embeddings: true,
};

interface Figures {
  readonly streams: number;
  readonly stepMs: number;
  readonly tokensPerSecond: number;
  /** Processor time of all threads, a step: what the step costs whoever else is running. */
  readonly cpuMs: number;
}

class Greedy implements Sampler {
  sample(row: BatchRow, logits: Float32Array): Sampled {
    const width = logits.length / (row.drafted + 1);
    return { tokens: [argmax(logits.subarray(0, width)) ?? 0], accepted: 0 };
  }

  prompt(): readonly [] {
    return [];
  }
}

/**
 * A model of that shape whose tensors all lie over one file of random BF16
 * numbers: as much to read and to compute as distinct ones, in a quarter of the disk.
 */
function randomModel(folder: string, config: Readonly<Record<string, unknown>>): Model {
  const architecture = describe(config);
  const weights = architectureWeights(architecture);
  const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  const largest = Math.max(...weights.map(({ shape }) => count(shape)));
  const chunk = new Uint16Array(1 << 20);
  let state = 0x9e3779b9;
  for (let i = 0; i < chunk.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    // Sign and fraction at random, magnitudes in [2^-6, 2^-5).
    chunk[i] = (state & 0x807f) | (121 << 7);
  }
  const file = openSync(join(folder, "random.bin"), "w");
  for (let done = 0; done < largest; done += chunk.length) writeSync(file, chunk);
  closeSync(file);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, shape } of weights) {
    tensors.set(name, {
      name,
      file: "random.bin",
      dtype: "BF16",
      shape,
      begin: 0,
      end: 2 * count(shape),
    });
  }
  const bytes = [...tensors.values()].reduce((sum, { end }) => sum + end, 0);
  const checkpoint: Checkpoint = { folder, tensors, bytes };
  return {
    source: "random-494m",
    config,
    architecture,
    format: "bf16",
    checkpoint,
    generation: { eosTokenIds: [] },
  };
}

/** Bytes a second that `threads` threads read together, comparing buffers larger than any cache. */
async function readBandwidth(threads: number): Promise<number> {
  const size = 192 << 20;
  const rounds = 6;
  const code = `
    const { parentPort } = require("node:worker_threads");
    const a = Buffer.alloc(${size}, 1), b = Buffer.alloc(${size}, 1);
    a.equals(b);
    parentPort.once("message", () => {
      for (let i = 0; i < ${rounds}; i++) a.equals(b);
      parentPort.postMessage("done");
    });
    parentPort.postMessage("ready");`;
  const workers = Array.from({ length: threads }, () => new Worker(code, { eval: true }));
  const all = (): Promise<unknown> =>
    Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("message", resolve))));
  await all();
  const begun = performance.now();
  const finished = all();
  for (const worker of workers) worker.postMessage("go");
  await finished;
  const seconds = (performance.now() - begun) / 1000;
  await Promise.all(workers.map((worker) => worker.terminate()));
  return (threads * rounds * 2 * size) / seconds;
}

let steps = 0;

function execute(device: Device, rows: readonly BatchRow[]): Promise<ReadonlyMap<number, Sampled>> {
  const batch: Batch = { step: steps++, rows, copies: [] };
  return new Promise((resolve, reject) => {
    device.execute(batch, (result) => (result.ok ? resolve(result.sampled) : reject(result.error)));
  });
}

/** Median step of `count` rows that decode at about `context` tokens. */
async function decode(device: Device, count: number, context: number): Promise<Figures> {
  const { blockSize } = device.limits;
  const measured = 24;
  const each = Math.ceil((context + measured + 8) / blockSize);
  const rows = Array.from({ length: count }, (_, id) => ({
    id,
    tokens: Array.from({ length: context }, (_, i) => (i * 7 + id * 13 + 1) % device.vocabSize),
    blocks: Array.from({ length: each }, (_, i) => id * each + i),
  }));
  const step = async (only = rows, from?: number, to?: number): Promise<void> => {
    const batch = only.map(({ id, tokens, blocks }): BatchRow => {
      const end = to ?? tokens.length;
      const start = from ?? tokens.length - 1;
      const context = Int32Array.from(tokens);
      return {
        id,
        context,
        start,
        count: end - start,
        drafted: 0,
        blocks,
        want: end === tokens.length ? "last" : "none",
      };
    });
    const sampled = await execute(device, batch);
    for (const row of only) row.tokens.push(...(sampled.get(row.id)?.tokens ?? []));
  };
  for (const row of rows) {
    for (let start = 0; start < context; start += PREFILL_TOKENS) {
      await step([row], start, Math.min(start + PREFILL_TOKENS, context));
    }
  }
  for (let i = 0; i < 4; i++) await step();
  const { stepMs, cpuMs } = await measure(measured, () => step());
  return { streams: count, stepMs, cpuMs, tokensPerSecond: (count * 1000) / stepMs };
}

async function prefill(device: Device, tokens: number): Promise<Figures> {
  const context = Int32Array.from({ length: tokens }, (_, i) => (i * 7 + 1) % device.vocabSize);
  const count = Math.ceil(tokens / device.limits.blockSize);
  const blocks = Array.from({ length: count }, (_, i) => i);
  const row: BatchRow = {
    id: 0,
    context,
    start: 0,
    count: tokens,
    drafted: 0,
    blocks,
    want: "last",
  };
  await execute(device, [row]);
  const { stepMs, cpuMs } = await measure(3, () => execute(device, [row]));
  return { streams: 1, stepMs, cpuMs, tokensPerSecond: (tokens * 1000) / stepMs };
}

/** Milliseconds of a row of `drafted` + 1 tokens to verify. */
async function verify(device: Device, drafted: number): Promise<number> {
  const context = 128;
  const tokens = Int32Array.from(
    { length: context + 1 + drafted },
    (_, i) => (i * 7 + 1) % device.vocabSize,
  );
  const blocks = Array.from(
    { length: Math.ceil(tokens.length / device.limits.blockSize) },
    (_, i) => i,
  );
  const base = { id: 0, context: tokens, blocks };
  await execute(device, [{ ...base, start: 0, count: context, drafted: 0, want: "none" }]);
  const verifying: BatchRow = {
    ...base,
    start: context,
    count: drafted + 1,
    drafted,
    want: "last",
  };
  for (let warm = 0; warm < 8; warm++) await execute(device, [verifying]);
  return (await measure(40, () => execute(device, [verifying]))).stepMs;
}

/** Output tokens of a step whose guesses hold with the chance `p` each, until one fails. */
const emitted = (k: number, p: number): number => (1 - p ** (k + 1)) / (1 - p);

async function speculation(device: Device): Promise<void> {
  const one = await verify(device, 0);
  const heads = CHANCES.map((p) => `p = ${p}`.padStart(9)).join("");
  console.log(`verify: k    ms/step   of 1 row   speed-up if a guess holds with${heads}`);
  for (const k of GUESSES) {
    const cost = (await verify(device, k)) / one;
    const gains = CHANCES.map((p) => `${(emitted(k, p) / cost).toFixed(2)}x`.padStart(9)).join("");
    const figures = `${(cost * one).toFixed(2).padStart(10)} ${cost.toFixed(2).padStart(9)}x`;
    console.log(`${String(k).padStart(9)} ${figures} ${"".padStart(30)}${gains}`);
  }
}

/** Median wall time and mean processor time of `count` runs, in milliseconds. */
async function measure(
  count: number,
  run: () => Promise<unknown>,
): Promise<{ readonly stepMs: number; readonly cpuMs: number }> {
  const times: number[] = [];
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const begun = performance.now();
    await run();
    times.push(performance.now() - begun);
  }
  const { user, system } = process.cpuUsage(before);
  return { stepMs: median(times), cpuMs: (user + system) / 1000 / count };
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1] ?? 0;
}

function embeddedFolder(): string {
  const tiny = projectPath("models", "bundled", "trainyard-tiny");
  return existsSync(tiny) ? tiny : projectPath("models", "bundled", "trainyard-draft");
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: "string" },
      quantization: { type: "string" },
      tp: { type: "string", default: "1" },
      context: { type: "string", default: String(PROMPT_TOKENS) },
    },
  });
  const folder = mkdtempSync(join(tmpdir(), "trainyard-bench-"));
  try {
    const threads = availableParallelism();
    const bandwidth = await readBandwidth(threads);
    console.log(`memory read, ${threads} threads: ${(bandwidth / 1e9).toFixed(1)} GB/s`);
    for (const name of values.model === undefined ? ["tiny", "494m"] : [values.model]) {
      const large = name === "494m";
      const model = large ? randomModel(folder, SHAPE_494M) : await loadModel(embeddedFolder());
      const quantization = values.quantization ?? (large ? "int4" : "none");
      await bench(model, quantization, Number(values.tp), bandwidth, Number(values.context));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function bench(
  model: Model,
  quantization: string,
  ranks: number,
  bandwidth: number,
  wanted: number,
): Promise<void> {
  const begun = performance.now();
  const device = await createCpuDevice({
    model,
    clock: new RealClock(),
    sampler: new Greedy(),
    tensorParallelSize: ranks,
    quantization,
    maxContext: Math.min(model.architecture.maxContext, 8192),
    seed: 0,
    own: {},
  });
  if (!(device instanceof CpuDevice)) throw new Error("createCpuDevice made another device.");
  const seconds = (performance.now() - begun) / 1000;
  const bytes = device.plan.weightBytes * ranks;
  const limit = (bytes / bandwidth) * 1000;
  console.log(
    `\n${model.source}, ${quantization}, ${ranks} rank(s): ${(bytes / 1e6).toFixed(1)} MB of weights a step, ` +
      `read in ${limit.toFixed(2)} ms at best; loaded in ${seconds.toFixed(1)} s`,
  );
  console.log("streams   ms/step    tok/s   of the read limit   processor ms/step");
  const print = ({ streams, stepMs, cpuMs, tokensPerSecond }: Figures): void =>
    console.log(
      `${String(streams).padStart(7)} ${stepMs.toFixed(2).padStart(9)} ${tokensPerSecond.toFixed(0).padStart(8)} ${((100 * limit) / stepMs).toFixed(0).padStart(10)} % ${cpuMs.toFixed(2).padStart(18)}`,
    );
  const context = Math.min(wanted, device.limits.maxContext - 40);
  for (const streams of STREAMS) print(await decode(device, streams, context));
  await speculation(device);
  const tokens = Math.min(PREFILL_TOKENS, device.limits.maxContext - 1);
  const { stepMs, tokensPerSecond } = await prefill(device, tokens);
  console.log(`prefill of ${tokens}: ${stepMs.toFixed(1)} ms, ${tokensPerSecond.toFixed(0)} tok/s`);
  await device.close();
}

await main();
