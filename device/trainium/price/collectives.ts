/**
 * Time of a collective by size and topology: a floor of synchronisation, hops
 * across the diameter of the group's chips, and bytes over the algorithm's
 * bandwidth. Algorithms by size as in SDK 2.32 intranode-collective-comm.rst:
 * mesh below 1 MB, RDH to 56 MB, KangaRing above; hierarchical over EFA.
 */
import type { TopologyKind } from "../chips/chip.ts";
import { constant } from "../constants.ts";
import type { Plan } from "../plan.ts";

export type CollectiveKind = "all-reduce" | "all-gather" | "reduce-scatter" | "all-to-all";

export interface Collective {
  readonly kind: CollectiveKind;
  /** Bytes of the whole vector, as one rank sees it before (all-reduce) or after (all-gather). */
  readonly bytes: number;
  readonly ranks: number;
}

/** Hops between the farthest chips of a group. */
export function diameter(topology: TopologyKind, chips: number): number {
  if (chips <= 1) return 0;
  switch (topology) {
    case "ring":
      return Math.floor(chips / 2);
    case "torus-2d": {
      const side = Math.sqrt(chips);
      return Math.max(1, 2 * Math.floor(side / 2));
    }
    case "torus-3d": {
      const layers = Math.max(1, Math.ceil(chips / 16));
      return diameter("torus-2d", Math.min(chips, 16)) + Math.floor(layers / 2);
    }
    case "switch":
      return chips <= 4 ? 1 : chips <= 36 ? 2 : 3;
  }
}

/** Bytes that cross each rank's links, as a share of the vector. */
function traffic(kind: CollectiveKind, ranks: number): number {
  const others = (ranks - 1) / ranks;
  return kind === "all-reduce" ? 2 * others : others;
}

/** Bytes a second that the links of the group's chips allow one rank of them. */
export function linkBandwidth(plan: Plan, kind: CollectiveKind, ranks: number): number {
  const { chip, topology, chipsPerServer } = plan.instance;
  const ranksPerChip = Math.max(1, Math.floor(chip.cores / plan.logicalCore));
  const chips = Math.ceil(ranks / ranksPerChip);
  if (chips <= 1) return Number.POSITIVE_INFINITY;
  const inner = chip.link.bytesPerSecond / ranksPerChip;
  // On a torus an all-to-all message crosses a quarter of each axis on average and shares its links.
  const spread =
    kind === "all-to-all" && topology !== "switch" ? Math.max(1, diameter(topology, chips) / 2) : 1;
  if (chips <= chipsPerServer) return inner / spread;
  const outer =
    (chip.link.interBytesPerSecond ?? plan.instance.networkBytesPerSecond / plan.instance.chips) /
    ranksPerChip;
  return Math.min(inner / spread, outer * (kind === "all-to-all" ? 1 : ranksPerChip));
}

/** Mesh below this, RDH and KangaRing above (intranode-collective-comm.rst). */
const MESH_BYTES = 2 ** 20;

/** ns of one collective within a graph. */
export function collectiveNanos(plan: Plan, { kind, bytes, ranks }: Collective): number {
  if (ranks <= 1) return 0;
  const { chip, topology } = plan.instance;
  const key = (name: string): number => constant(plan.constants, name);
  const ranksPerChip = Math.max(1, Math.floor(chip.cores / plan.logicalCore));
  const chips = Math.ceil(ranks / ranksPerChip);
  const rounds = kind === "all-reduce" ? 2 : 1;
  const faster =
    topology === "switch"
      ? key(`collective.switch-${kind === "all-reduce" ? "all-reduce" : "all-gather"}`)
      : 1;
  // Below 1 MB a mesh: every rank writes to every other at once, so hops overlap and ranks count.
  const mesh = bytes * traffic(kind, ranks) < MESH_BYTES;
  const base = key(`collective.base.${chip.core}`) + key("collective.rank") * ranks;
  const hops = mesh ? 0 : rounds * diameter(topology, chips) * chip.link.hopNanos;
  const bandwidth = Math.min(
    key(`collective.bandwidth.${chip.core}`),
    key("collective.links") * linkBandwidth(plan, kind, ranks),
  );
  return (
    ((base * (1 + rounds)) / 3 + hops) / faster + ((bytes * traffic(kind, ranks)) / bandwidth) * 1e9
  );
}
