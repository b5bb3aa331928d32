/**
 * Time of a collective: a floor by algorithm and links, and bytes over the bandwidth
 * that the algorithm reaches. One formula for the collectives of a step and for what
 * nccom-test prints; the benchmark's runtimes have floors and bandwidths of their own.
 * Algorithms by size as in SDK 2.32 intranode-collective-comm.rst: mesh below 1 MB (every
 * rank writes to every other at once: O(1) latency, a link where there is more than one chip),
 * RDH to 56 MB (a phase a doubling), KangaRing above (a hop a chip); over EFA a hop more.
 */
import type { Nanos } from "../../clock.ts";
import type { TopologyKind } from "../chips/chip.ts";
import { constant } from "../constants.ts";
import { type Plan, rankOf } from "../plan.ts";

export type CollectiveKind = "all-reduce" | "all-gather" | "reduce-scatter" | "all-to-all";

export interface Collective {
  readonly kind: CollectiveKind;
  /** Bytes of the whole vector, as one rank sees it before (all-reduce) or after (all-gather). */
  readonly bytes: number;
  readonly ranks: number;
}

/** What a group's links and its runtime allow. */
export interface Fabric {
  /** Synchronisation of one phase of the algorithm, ns. */
  readonly phase: Nanos;
  /** Links between the farthest chips of the group, and chips in it. */
  readonly diameter: number;
  readonly chips: number;
  /** One link, ns. */
  readonly hop: Nanos;
  /** Between servers that no NeuronLink joins, a phase, ns. */
  readonly outer: Nanos;
  /** Bytes a second that the algorithm reaches. */
  readonly bandwidth: number;
}

const MESH_BYTES = 2 ** 20;
const RDH_BYTES = 56 * 2 ** 20;

/** ns of one collective over a fabric. */
export function transferNanos({ kind, bytes, ranks }: Collective, fabric: Fabric): Nanos {
  if (ranks <= 1) return 0;
  const { phase, diameter: far, chips, hop, outer, bandwidth } = fabric;
  const rounds = kind === "all-reduce" ? 2 : 1;
  const moved = bytes * traffic(kind, ranks);
  // Larger vectors take an algorithm of more hops; it is not taken where the mesh would be quicker.
  const hops =
    moved < MESH_BYTES
      ? Math.min(far, 1)
      : moved < RDH_BYTES
        ? Math.max(far, Math.log2(Math.max(1, chips)))
        : Math.max(far, chips - 1);
  return rounds * (phase + hops * hop + outer) + (moved / bandwidth) * 1e9;
}

/** Bytes that cross each rank's links, as a share of the vector. */
function traffic(kind: CollectiveKind, ranks: number): number {
  const others = (ranks - 1) / ranks;
  return kind === "all-reduce" ? 2 * others : others;
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

/** ns of one collective within a graph. */
export function collectiveNanos(plan: Plan, its: Collective): Nanos {
  const { kind, ranks } = its;
  const { chip, topology, chipsPerServer } = plan.instance;
  const key = (name: string): number => constant(plan.constants, name);
  const chips = Math.ceil(ranks / Math.max(1, Math.floor(chip.cores / plan.logicalCore)));
  const faster =
    topology === "switch"
      ? key(`collective.switch-${kind === "all-reduce" ? "all-reduce" : "all-gather"}`)
      : 1;
  const apart = chips > chipsPerServer && chip.link.interBytesPerSecond === undefined;
  return transferNanos(its, {
    phase: key("collective.phase") / faster,
    diameter: diameter(topology, chips),
    chips,
    hop: chip.link.hopNanos / faster,
    outer: apart ? key("collective.efa-hop") : 0,
    bandwidth: Math.min(
      key("collective.dma") * rankOf(plan).bytesPerSecond,
      key("collective.links") * linkBandwidth(plan, kind, ranks),
    ),
  });
}

export interface Benchmarked extends Collective {
  readonly nodes: number;
  readonly olderRuntime: boolean;
}

/**
 * Floors (of a whole collective, ns) and bus bandwidths (bytes a second) that nccom-test.rst prints: the
 * older runtime's at 2 and 32 ranks (v2140–v2155), the newer's at 8 and 32 (v2156–v2179).
 */
const RUNTIMES = {
  older: {
    few: { floor: 58_000, bandwidth: 56.5e9 },
    many: { floor: 150_000, bandwidth: 30e9 / 1.6 },
  },
  newer: { few: { floor: 10_000, bandwidth: 95e9 }, many: { floor: 6200, bandwidth: 30e9 } },
} as const;
/** Between two instances: floor, growth a doubling from 128 B to 64 KiB, bus bandwidth. v2200–v2227. */
const INTER = { floor: 520_000, double: 88_000, from: 128, to: 65_536, bandwidth: 51e9 } as const;

/** What nccom-test prints for one collective, its own dispatch included. */
export function benchmarkedNanos(its: Benchmarked): Nanos {
  const { kind, ranks, bytes, nodes, olderRuntime } = its;
  const rounds = kind === "all-reduce" ? 2 : 1;
  const runtime = RUNTIMES[olderRuntime ? "older" : "newer"][ranks > 16 ? "many" : "few"];
  const within = Math.min(Math.max(bytes, INTER.from), INTER.to);
  const doubled = INTER.floor + INTER.double * Math.log2(within / INTER.from);
  const floor = nodes > 1 ? doubled : runtime.floor;
  const bandwidth = nodes > 1 ? INTER.bandwidth : runtime.bandwidth;
  return transferNanos(its, {
    phase: floor / rounds,
    diameter: 0,
    chips: 1,
    hop: 0,
    outer: 0,
    bandwidth,
  });
}
