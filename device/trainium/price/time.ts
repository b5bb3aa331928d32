/** Time of one kernel call on one rank: what its DMA, engines, regions or links take. */
import type { Engine } from "../chips/chip.ts";
import type { Move, Site, Work } from "../kernels/kernel.ts";
import { collectiveNanos } from "./collectives.ts";
import type { KernelCall, Part, Parts, TimedCall } from "./receipt.ts";

const ENGINES: readonly Engine[] = ["tensor", "vector", "scalar", "gpsimd"];

/** Time of one call: the slower of DMA and engines (or their sum), regions, exposed collective. */
export function timeCall(call: KernelCall, site: Site): TimedCall {
  if (call.collective !== undefined) {
    const exposed = 1 - site.plan.principles.collectiveOverlap;
    const nanos = collectiveNanos(site.plan, call.collective) * exposed;
    return { call, nanos, parts: { collectives: nanos }, busy: {} };
  }
  const work = call.work;
  if (work === undefined) return { call, nanos: 0, parts: {}, busy: {} };
  const dma = dmaNanos(work, site);
  const busy: Partial<Record<Engine | "dma", number>> = { dma };
  for (const engine of ENGINES) {
    const cycles = work.cycles[engine];
    if (cycles !== undefined) busy[engine] = engineNanos(cycles, engine, site);
  }
  const engines = enginesNanos(work, site);
  const launch = launchNanos(work, site);
  const serial = isSerial(work, site);
  const parts: Parts = { launch };
  if (serial || dma >= engines)
    for (const move of work.moves) add(parts, move.cause, moveNanos(move, site));
  if (serial || engines > dma) add(parts, "compute", engines);
  return { call, nanos: together(launch, dma, engines, serial), parts, busy };
}

/** ns of a kernel's work, without what they are made of: graphs are chosen among many by it. */
export function workNanos(work: Work, site: Site): number {
  const engines = enginesNanos(work, site);
  return together(launchNanos(work, site), dmaNanos(work, site), engines, isSerial(work, site));
}

function together(launch: number, dma: number, engines: number, serial: boolean): number {
  return launch + (serial ? dma + engines : Math.max(dma, engines));
}

function isSerial(work: Work, { plan }: Site): boolean {
  return work.serial === true || !plan.principles.pipelined;
}

function launchNanos(work: Work, site: Site): number {
  return work.regions * site.region + work.fixed;
}

/** The slowest engine. */
function enginesNanos(work: Work, site: Site): number {
  let slowest = 0;
  for (const engine of ENGINES) {
    const cycles = work.cycles[engine];
    if (cycles !== undefined) slowest = Math.max(slowest, engineNanos(cycles, engine, site));
  }
  return slowest;
}

function engineNanos(cycles: number, engine: Engine, { plan, rank }: Site): number {
  return (cycles / rank.cores / plan.instance.chip.clockHz[engine]) * 1e9;
}

function dmaNanos(work: Work, site: Site): number {
  let sum = 0;
  for (const move of work.moves) sum += moveNanos(move, site);
  return sum;
}

/** Relative to large chunks: `efficiency` was fitted where DMAs run at their ceiling. */
function moveNanos(move: Move, { plan, rank, dma }: Site): number {
  const chunk = Math.min(
    move.chunkBytes,
    plan.principles.dmaChunkBytes ?? Number.POSITIVE_INFINITY,
  );
  const relative = Math.min(dma.ceiling, chunk / dma.saturates) / dma.ceiling;
  return (move.bytes / (rank.bytesPerSecond * move.efficiency * relative)) * 1e9;
}

function add(parts: Parts, part: Part, nanos: number): void {
  parts[part] = (parts[part] ?? 0) + nanos;
}
