/**
 * What nccom-test prints for one collective, dispatch included. Inside a graph a
 * collective costs less (collectives.ts): the benchmark adds its own launch. Two
 * runtimes are in the published tables; the page warns that they are old.
 */
import type { Nanos } from "../clock.ts";

export interface Benchmarked {
  readonly kind: "all-reduce" | "all-gather";
  readonly ranks: number;
  readonly bytes: number;
  readonly nodes: number;
  readonly olderRuntime: boolean;
}

/** Floors, ns: rows v2140–v2155 (older), v2156–v2179 (newer). */
const OLDER_FLOOR = { few: 58_000, many: 150_000 } as const;
const NEWER_FLOOR = { few: 10_000, many: 6_200 } as const;
/** Bus bandwidth, bytes a second: v2147–v2151 (older, 2 ranks), v2179 (8 ranks), v2159 (32 ranks). */
const BUS = { older: 56.5e9, few: 95e9, many: 30e9 } as const;
/** Between two instances: floor, growth a doubling from 128 B to 64 KiB, bus bandwidth. v2200–v2227. */
const INTER = { floor: 520_000, double: 88_000, from: 128, to: 65_536, bus: 51e9 } as const;

export function measuredCollective(its: Benchmarked): Nanos {
  const { kind, ranks, bytes, nodes, olderRuntime } = its;
  const others = (ranks - 1) / ranks;
  const factor = kind === "all-reduce" ? 2 * others : others;
  const traffic = bytes * factor;
  if (nodes > 1) {
    const within = Math.min(Math.max(bytes, INTER.from), INTER.to);
    const doublings = Math.log2(within / INTER.from);
    return INTER.floor + INTER.double * doublings + (traffic / INTER.bus) * 1e9;
  }
  const many = ranks > 16;
  if (olderRuntime) {
    const floor = many ? OLDER_FLOOR.many : OLDER_FLOOR.few;
    return floor + (traffic / (many ? BUS.many / 1.6 : BUS.older)) * 1e9;
  }
  return (
    (many ? NEWER_FLOOR.many : NEWER_FLOOR.few) + (traffic / (many ? BUS.many : BUS.few)) * 1e9
  );
}
