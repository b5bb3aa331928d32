/**
 * What adapters cost: a batch of streams whose rows name none, one, four or sixteen adapters,
 * beside the same model without --enable-lora. Rounds alternate; each figure is the median of
 * a round's steps over that of the engine without adapters in the same round.
 *
 *     npx tsx scripts/maintain/bench/adapters.ts [FOLDER] [--rank 8] [--streams 16] [--rounds 7] [--quantization int4]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { RealClock } from "../../../device/clocks/real.ts";
import type { Adapter, Device } from "../../../device/device.ts";
import { createDevice } from "../../../device/registry.ts";
import { Engine } from "../../../engine/engine.ts";
import { TokenSampler } from "../../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../../engine/sequence.ts";
import { loadModel } from "../../../models/load.ts";
import { sha256 } from "../../../server/sha256.ts";
import { makeAdapter, makeBase } from "../goldens/adapter-folders.ts";

const MOST = 16;
const TOKENS = 48;
const PROMPT = 16;

interface Bench {
  readonly engine: Engine;
  readonly device: Device;
  /** Durations of steps, newest last. */
  readonly steps: number[];
}

async function open(
  folder: string,
  of: { readonly rank?: number; readonly streams: number; readonly quantization?: string },
): Promise<Bench> {
  const clock = new RealClock();
  const sampler = new TokenSampler({ seed: 0 });
  const { rank, streams, quantization } = of;
  const device = await createDevice("cpu", {
    ...{ model: await loadModel(folder), clock, sampler, tensorParallelSize: 1, seed: 0, own: {} },
    ...{ maxRows: streams, maxContext: 256, maxTokens: 512, inFlight: 1 },
    ...(quantization && { quantization }),
    ...(rank && { adapters: { inStep: MOST, inMemory: MOST, maxRank: rank } }),
  });
  const engine = new Engine(
    { device, clock, sampler, sha256 },
    { maxNumSeqs: streams, maxNumBatchedTokens: 512, enablePrefixCaching: false },
  );
  const steps: number[] = [];
  engine.subscribe((event) => {
    if (event.type === "step-finished" && event.tokens === streams) steps.push(event.duration);
  });
  return { engine, device, steps };
}

/** Median of the steps in which all streams decode, in milliseconds. */
async function round(
  { engine, steps }: Bench,
  streams: number,
  adapters: readonly Adapter[],
): Promise<number> {
  steps.length = 0;
  for (let row = 0; row < streams; row++) {
    const adapter = adapters[row % Math.max(1, adapters.length)];
    engine.submit({
      prompt: Array.from({ length: PROMPT }, (_, index) => 3 + ((row * 131 + index * 17) % 200)),
      params: { ...DEFAULT_SAMPLING, temperature: 0, maxTokens: TOKENS, ignoreEos: true },
      ...(adapter && { adapter }),
    });
  }
  await engine.idle();
  const sorted = [...steps].sort((a, b) => a - b);
  return (sorted[Math.floor(sorted.length / 2)] ?? 0) / 1e6;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rank: { type: "string", default: "8" },
      streams: { type: "string", default: "16" },
      rounds: { type: "string", default: "7" },
      quantization: { type: "string" },
    },
  });
  const [rank, streams, rounds] = [values.rank, values.streams, values.rounds].map(Number) as [
    number,
    number,
    number,
  ];
  const work = mkdtempSync(join(tmpdir(), "adapters-"));
  const folder = positionals[0] ?? join(work, "base");
  if (positionals[0] === undefined) makeBase(folder);
  const { config } = await loadModel(folder);
  const adapters = Array.from({ length: MOST }, (_, id): Adapter => {
    const path = join(work, `a${id}`);
    makeAdapter(path, { rank, alpha: rank, seed: 1 + id }, config);
    return { id: id + 1, name: `a${id}`, path, folder: path };
  });
  const { quantization } = values;
  const of = { streams, ...(quantization && { quantization }) };
  const plain = await open(folder, of);
  const adapted = await open(folder, { ...of, rank });
  for (const adapter of adapters) await adapted.device.adapters?.load(adapter);
  const counts = [0, 1, 4, MOST];
  const ratios = counts.map((): number[] => []);
  const bases: number[] = [];
  for (let index = 0; index < rounds + 1; index++) {
    const base = await round(plain, streams, []);
    for (const [place, count] of counts.entries()) {
      const taken = await round(adapted, streams, adapters.slice(0, count));
      if (index > 0) ratios[place]?.push(taken / base); // the first round warms up
    }
    if (index > 0) bases.push(base);
  }
  console.log(`${streams} streams, rank ${rank}, all seven modules; ${rounds} rounds`);
  console.log(`without --enable-lora   ${median(bases).toFixed(2)} ms a step`);
  for (const [place, count] of counts.entries()) {
    const its = [...(ratios[place] ?? [])].sort((a, b) => a - b);
    const range = `${(its[0] ?? 0).toFixed(2)} to ${(its.at(-1) ?? 0).toFixed(2)}`;
    console.log(`${String(count).padStart(2)} adapters  ${median(its).toFixed(2)}x (${range})`);
  }
  await plain.engine.close();
  await adapted.engine.close();
  rmSync(work, { recursive: true, force: true });
}

await main();
