/** Steps of a device without an engine, timed; and how fast memory can be read. */
import { Worker } from "node:worker_threads";
import { argmax } from "../../../device/argmax.ts";
import type { Batch, BatchRow, Device, Sampled, Sampler } from "../../../device/device.ts";

type Copies = Batch["copies"];

export const PREFILL_TOKENS = 512;

export interface Figures {
  readonly streams: number;
  readonly stepMs: number;
  readonly tokensPerSecond: number;
  /** Processor time of all threads, a step: what the step costs whoever else is running. */
  readonly cpuMs: number;
}

export class Greedy implements Sampler {
  sample(row: BatchRow, logits: Float32Array): Sampled {
    const width = logits.length / (row.drafted + 1);
    return { tokens: [argmax(logits.subarray(0, width)) ?? 0], accepted: 0 };
  }

  greedy(): boolean {
    return true;
  }

  prompt(): readonly [] {
    return [];
  }
}

/** Bytes a second that `threads` threads read together, comparing buffers larger than any cache. */
export async function readBandwidth(threads: number): Promise<number> {
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

export function execute(
  device: Device,
  rows: readonly BatchRow[],
  copies: Copies = [],
): Promise<ReadonlyMap<number, Sampled>> {
  const batch: Batch = { step: steps++, rows, copies };
  return new Promise((resolve, reject) => {
    device.execute(batch, (result) => (result.ok ? resolve(result.sampled) : reject(result.error)));
  });
}

/**
 * Median step of `count` rows that decode at about `context` tokens. A context that is longer than
 * PREFILL_TOKENS is not computed: its blocks are copies of the first one, which cost as much to read.
 */
export async function decode(device: Device, count: number, context: number): Promise<Figures> {
  const { blockSize } = device.limits;
  const measured = 24;
  const each = Math.ceil((context + measured + 8) / blockSize);
  const rows = Array.from({ length: count }, (_, id) => ({
    id,
    tokens: Array.from({ length: context }, (_, i) => (i * 7 + id * 13 + 1) % device.vocabSize),
    blocks: Array.from({ length: each }, (_, i) => id * each + i),
  }));
  const step = async (
    only = rows,
    from?: number,
    to?: number,
    copies: Copies = [],
  ): Promise<void> => {
    const batch = only.map(({ id, tokens, blocks }): BatchRow => {
      const end = to ?? tokens.length;
      const start = from ?? tokens.length - 1;
      const context = new Int32Array(tokens);
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
    const sampled = await execute(device, batch, copies);
    for (const row of only) row.tokens.push(...(sampled.get(row.id)?.tokens ?? []));
  };
  let copies: Copies = [];
  if (context > PREFILL_TOKENS) {
    await step(rows.slice(0, 1), 0, blockSize);
    const [first = 0, ...others] = rows.flatMap(({ blocks }) => blocks);
    copies = others.map((to) => ({ from: first, to }));
  } else for (const row of rows) await step([row], 0, context);
  await step(rows, undefined, undefined, copies);
  for (let i = 0; i < 3; i++) await step();
  const { stepMs, cpuMs } = await measure(measured, () => step());
  return { streams: count, stepMs, cpuMs, tokensPerSecond: (count * 1000) / stepMs };
}

export async function prefill(device: Device, tokens: number): Promise<Figures> {
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

/** Median wall time and mean processor time of `count` runs, in milliseconds. */
export async function measure(
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

export function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1] ?? 0;
}
