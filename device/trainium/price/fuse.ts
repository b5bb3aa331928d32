/**
 * Fusions over a layer's calls. Of the fusions that a plan names, those are taken
 * that make the layer quicker: the stacks fall back to the plain graph where a
 * kernel does not fit, so a named kernel is never dearer than the graph without it.
 */
import { FUSIONS, type Fusion } from "../kernels/fusions.ts";
import type { Site, Work } from "../kernels/kernel.ts";
import type { KernelCall } from "./receipt.ts";
import { workNanos } from "./time.ts";

/** The quickest of the layer's calls as they are and under each combination of the plan's fusions. */
export function fuse(calls: readonly KernelCall[], site: Site): readonly KernelCall[] {
  let best = calls;
  /** Of work as it is, which most combinations leave alone. */
  const known = new Map<Work, number>();
  for (const side of ["attention", "mlp"] as const) {
    const named = FUSIONS.filter(
      (fusion) =>
        fusion.side === side &&
        site.plan.kernels.has(fusion.name) &&
        fusion.regions(site, 0) !== undefined,
    );
    let quickest = named.length === 0 ? 0 : timeOf(best, site, known);
    const before = best;
    for (const fusions of combinations(named)) {
      const tried = fusions.reduce((its, fusion) => applyFusion(its, fusion, site), before);
      if (tried === before) continue;
      const nanos = timeOf(tried, site, known);
      if (nanos < quickest) {
        quickest = nanos;
        best = tried;
      }
    }
  }
  return best;
}

/** Every fusion alone, then every pair in order. */
function combinations(named: readonly Fusion[]): readonly (readonly Fusion[])[] {
  const pairs = named.flatMap((one) =>
    named.filter((other) => other !== one).map((other) => [one, other]),
  );
  return [...named.map((one) => [one]), ...pairs];
}

function timeOf(calls: readonly KernelCall[], site: Site, known: Map<Work, number>): number {
  let sum = 0;
  for (const { work } of calls) {
    if (work === undefined) continue;
    const nanos = known.get(work) ?? workNanos(work, site);
    known.set(work, nanos);
    sum += nanos;
  }
  return sum;
}

/** Gives fused calls their share of the fusion's regions: the first all, the others none. */
function applyFusion(
  calls: readonly KernelCall[],
  fusion: Fusion,
  site: Site,
): readonly KernelCall[] {
  let count = 0;
  let plain = 0;
  for (const call of calls) {
    if (!covers(fusion, call)) continue;
    count++;
    plain += call.work?.regions ?? 0;
  }
  if (count < 2) return calls;
  const regions = fusion.regions(site, plain);
  if (regions === undefined) return calls;
  let first = true;
  return calls.map((call) => {
    if (!covers(fusion, call) || call.work === undefined) return call;
    const own = call.within?.[fusion.name] ?? call.work;
    const work = { ...own, regions: first ? regions : 0 };
    first = false;
    return { ...call, kernel: fusion.name, work };
  });
}

/** Names of the other fusions: what they have is theirs. */
const OTHERS: ReadonlyMap<Fusion, ReadonlySet<string>> = new Map(
  FUSIONS.map((fusion) => [
    fusion,
    new Set(FUSIONS.filter((other) => other !== fusion).map(({ name }) => name)),
  ]),
);

function covers(fusion: Fusion, { work, role, kernel }: KernelCall): boolean {
  return (
    work !== undefined && fusion.covers.includes(role) && OTHERS.get(fusion)?.has(kernel) !== true
  );
}
