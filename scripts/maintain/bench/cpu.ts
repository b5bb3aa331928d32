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
import { RealClock } from "../../../device/clocks/real.ts";
import { CpuDevice, createCpuDevice } from "../../../device/cpu/device.ts";
import type { BatchRow, Device } from "../../../device/device.ts";
import { architectureWeights } from "../../../models/architecture.ts";
import { loadModel } from "../../../models/load.ts";
import type { Checkpoint, Model, StoredTensor } from "../../../models/model.ts";
import { describe } from "../../../models/registry.ts";
import { projectPath } from "../../../models/weights/project-files.ts";
import { rerunAsLaunched } from "./as-launched.ts";
import {
  decode,
  execute,
  type Figures,
  Greedy,
  measure,
  PREFILL_TOKENS,
  prefill,
  readBandwidth,
} from "./device-steps.ts";
import { SHAPE_494M } from "./shapes.ts";

const STREAMS = [1, 4, 8, 16];
const PROMPT_TOKENS = 32;
const GUESSES = [1, 2, 4, 8];
/** Chances that a guess holds which speed-ups are told for. */
const CHANCES = [0.6, 0.8, 0.95];

/**
 * A model of a shape whose tensors all lie over one file of random BF16
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

if (!(await rerunAsLaunched())) await main();
