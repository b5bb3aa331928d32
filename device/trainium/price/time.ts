/** Time of one kernel call on one rank: what its DMA, engines, regions or links take. */
import type { Engine } from "../chips/chip.ts";
import type { Site, Work } from "../kernels/kernel.ts";
import { collectiveNanos } from "./collectives.ts";
import type { KernelCall, Part, Parts, TimedCall } from "./receipt.ts";

/** Time of one call: the slower of DMA and engines (or their sum), regions, exposed collective. */
export function timeCall(call: KernelCall, site: Site): TimedCall {
  if (call.collective !== undefined) {
    const exposed = 1 - site.plan.principles.collectiveOverlap;
    const nanos = collectiveNanos(site.plan, call.collective) * exposed;
    return { call, nanos, parts: { collectives: nanos }, busy: {} };
  }
  const work = call.work;
  if (work === undefined) return { call, nanos: 0, parts: {}, busy: {} };
  const { dma, byCause } = dmaTime(work, site);
  const busy: Partial<Record<Engine | "dma", number>> = { dma };
  let engines = 0;
  for (const [engine, cycles] of Object.entries(work.cycles) as [Engine, number][]) {
    const nanos = (cycles / site.rank.cores / site.plan.instance.chip.clockHz[engine]) * 1e9;
    busy[engine] = nanos;
    engines = Math.max(engines, nanos);
  }
  const launch = work.regions * site.core("region") * site.stack("regions") + work.fixed;
  const serial = work.serial === true || !site.plan.principles.pipelined;
  const parts: Parts = { launch };
  if (serial || dma >= engines) for (const [cause, nanos] of byCause) add(parts, cause, nanos);
  if (serial || engines > dma) add(parts, "compute", engines);
  const nanos = Object.values(parts).reduce((sum, its) => sum + its, 0);
  return { call, nanos, parts, busy };
}

function dmaTime(
  work: Work,
  site: Site,
): { dma: number; byCause: readonly (readonly [Part, number])[] } {
  const saturates = site.constant("dma.chunk");
  const ceiling = site.constant("dma.ceiling");
  const chunkOf = (bytes: number): number =>
    Math.min(bytes, site.plan.principles.dmaChunkBytes ?? Number.POSITIVE_INFINITY);
  const byCause = work.moves.map((move) => {
    // Relative to large chunks: `efficiency` was fitted where DMAs run at their ceiling.
    const relative = Math.min(ceiling, chunkOf(move.chunkBytes) / saturates) / ceiling;
    const nanos = (move.bytes / (site.rank.bytesPerSecond * move.efficiency * relative)) * 1e9;
    return [move.cause, nanos] as const;
  });
  return { dma: byCause.reduce((sum, [, nanos]) => sum + nanos, 0), byCause };
}

function add(parts: Parts, part: Part, nanos: number): void {
  parts[part] = (parts[part] ?? 0) + nanos;
}
