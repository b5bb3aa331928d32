/**
 * What a model of 494M random parameters costs to load, in each format: seconds and the most
 * memory of the process, the first time, from the kept conversion, and with nothing kept.
 *
 *     npx tsx scripts/maintain/bench/load/main.ts [FORMAT …]
 *
 * Folders are made in the system's temporary folder and removed. Memory is VmHWM of a process
 * that loads and computes two steps; "over" is what it is above the weights in memory.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RealClock } from "../../../../device/clocks/real.ts";
import { CpuDevice, createCpuDevice } from "../../../../device/cpu/device.ts";
import { heldBytes } from "../../../../device/cpu/plan.ts";
import type { Device } from "../../../../device/device.ts";
import { loadModel } from "../../../../models/load.ts";
import { FORMATS, writeFolder } from "./folder.ts";
import { MIXES, writeGguf } from "./gguf.ts";

interface Cost {
  readonly seconds: number;
  readonly peakBytes: number;
  readonly weightBytes: number;
  readonly line: string;
}

const GGUF = "GGUF ";

/** Formats of the folder, and of `--quantization` where it is another. */
const CASES: readonly (readonly [format: string, quantization?: string])[] = [
  ...Object.keys(FORMATS).map((format) => [format] as const),
  ["BF16", "int8"],
  ["BF16", "int4"],
  ...Object.keys(MIXES).map((mix) => [`${GGUF}${mix}`] as const),
];

const MEGABYTE = 1e6;

async function child(folder: string, cache: string, quantization: string): Promise<void> {
  const model = await loadModel(folder);
  const began = performance.now();
  const device = await createCpuDevice({
    model,
    clock: new RealClock(),
    sampler: { sample: () => ({ tokens: [0], accepted: 0 }), prompt: () => [] },
    tensorParallelSize: 1,
    maxContext: 4096,
    seed: 0,
    own: {},
    ...(quantization !== "" && { quantization }),
    ...(cache !== "" && { convertedWeights: { folder: cache, mostBytes: 2 ** 36 } }),
  });
  const seconds = (performance.now() - began) / 1000;
  await step(device);
  const status = readFileSync("/proc/self/status", "utf8");
  const peakBytes = 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
  if (!(device instanceof CpuDevice)) throw new Error("createCpuDevice made another device.");
  const weightBytes = heldBytes(device.plan);
  const cost: Cost = { seconds, peakBytes, weightBytes, line: device.loadLines.join("; ") };
  process.stdout.write(`${JSON.stringify(cost)}\n`);
  await device.close();
}

/** Touches every weight: 16 tokens, and one more. */
async function step(device: Device): Promise<void> {
  const context = Int32Array.from({ length: 17 }, (_, index) => index + 1);
  const row = { id: 0, context, drafted: 0, blocks: [0, 1], want: "last" } as const;
  for (const [start, count] of [
    [0, 16],
    [16, 1],
  ] as const) {
    await new Promise<void>((resolve, reject) => {
      device.execute({ step: start, rows: [{ ...row, start, count }], copies: [] }, (result) =>
        result.ok ? resolve() : reject(result.error),
      );
    });
  }
}

function measure(folder: string, cache: string, quantization: string): Cost {
  const own = fileURLToPath(import.meta.url);
  const argv = ["--import", "tsx", own, "--child", folder, cache, quantization];
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: "utf8" })) as Cost; // `child`'s line
}

function table(wanted: readonly string[]): void {
  const base = mkdtempSync(join(tmpdir(), "trainyard-load-"));
  process.stdout.write(
    "format               start       seconds   peak MB   weights MB   over MB\n",
  );
  try {
    for (const [format, quantization = ""] of CASES) {
      const name = quantization === "" ? format : `${format} to ${quantization}`;
      if (wanted.length > 0 && !wanted.includes(name)) continue;
      const folder = join(base, "model");
      const cache = join(base, "cache");
      const gguf = format.startsWith(GGUF);
      if (gguf) writeGguf(folder, format.slice(GGUF.length));
      else writeFolder(folder, format);
      const path = gguf ? join(folder, "model.gguf") : folder;
      for (const [start, kept] of [
        ["first", cache],
        ["second", cache],
        ["--no-cache", ""],
      ] as const) {
        const { seconds, peakBytes, weightBytes, line } = measure(path, kept, quantization);
        const cells = [peakBytes, weightBytes, peakBytes - weightBytes].map((bytes) =>
          (bytes / MEGABYTE).toFixed(0),
        );
        const [peak = "", weights = "", over = ""] = cells;
        process.stdout.write(
          `${name.padEnd(20)} ${start.padEnd(11)} ${seconds.toFixed(1).padStart(7)} ${peak.padStart(9)} ${weights.padStart(12)} ${over.padStart(9)}   ${line}\n`,
        );
      }
      rmSync(folder, { recursive: true });
      rmSync(cache, { recursive: true, force: true });
    }
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

const [first, folder = "", cache = "", quantization = ""] = process.argv.slice(2);
if (first === "--child") await child(folder, cache, quantization);
else table(process.argv.slice(2));
