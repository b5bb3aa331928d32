/**
 * Instances and UltraServers. Sources: SDK 2.32 {inf2,trn1,trn2,trn3}-arch.rst;
 * prices: on demand, US east, agreeing third-party tables; absent where none is printed.
 */
import type { ChipSpec, TopologyKind } from "./chips/chip.ts";
import { inferentia2 } from "./chips/inferentia2.ts";
import { trainium1, trainium1n } from "./chips/trainium1.ts";
import { trainium2 } from "./chips/trainium2.ts";
import { trainium3 } from "./chips/trainium3.ts";

export interface InstanceSpec {
  readonly name: string;
  readonly chip: ChipSpec;
  readonly chips: number;
  /** Chips that share the instance's own links; beyond them the inter-instance links carry. */
  readonly chipsPerServer: number;
  readonly topology: TopologyKind;
  /** EFA, bytes a second one way, whole machine. */
  readonly networkBytesPerSecond: number;
  readonly dollarsPerHour?: number;
  /** What was asked to be other than the data sheet says, e.g. `hbm.bandwidth=2x`. */
  readonly changes?: string;
}

const GBIT = 1e9 / 8;

const instance = (
  name: string,
  chip: ChipSpec,
  chips: number,
  rest: Partial<InstanceSpec> & { readonly gbits: number },
): InstanceSpec => ({
  name,
  chip,
  chips,
  chipsPerServer: rest.chipsPerServer ?? chips,
  topology: rest.topology ?? chip.link.topology,
  networkBytesPerSecond: rest.gbits * GBIT,
  ...(rest.dollarsPerHour !== undefined && { dollarsPerHour: rest.dollarsPerHour }),
});

export const INSTANCES: readonly InstanceSpec[] = Object.freeze([
  instance("inf2.xlarge", inferentia2, 1, { gbits: 15, dollarsPerHour: 0.7582 }),
  instance("inf2.8xlarge", inferentia2, 1, { gbits: 25, dollarsPerHour: 1.96786 }),
  instance("inf2.24xlarge", inferentia2, 6, { gbits: 50, dollarsPerHour: 6.49063 }),
  instance("inf2.48xlarge", inferentia2, 12, { gbits: 100, dollarsPerHour: 12.98127 }),
  instance("trn1.2xlarge", trainium1, 1, { gbits: 12.5, dollarsPerHour: 1.34375 }),
  instance("trn1.32xlarge", trainium1, 16, { gbits: 800, dollarsPerHour: 21.5 }),
  instance("trn1n.32xlarge", trainium1n, 16, { gbits: 1600, dollarsPerHour: 24.78 }),
  instance("trn2.3xlarge", trainium2, 1, { gbits: 200 }),
  instance("trn2.48xlarge", trainium2, 16, { gbits: 3200 }),
  instance("trn2u.48xlarge", trainium2, 16, { gbits: 3200 }),
  instance("trn2-ultraserver", trainium2, 64, {
    gbits: 12_800,
    chipsPerServer: 16,
    topology: "torus-3d",
  }),
  instance("trn3-gen1-ultraserver", trainium3, 64, { gbits: 12_800 }),
  instance("trn3-gen2-ultraserver", trainium3, 144, { gbits: 28_800 }),
]);

export const DEFAULT_INSTANCE = "trn2.3xlarge";

/** By name; throws listing the known ones. */
export function findInstance(name: string): InstanceSpec {
  const found = INSTANCES.find((its) => its.name === name.toLowerCase());
  if (found === undefined) {
    const known = INSTANCES.map((its) => its.name).join(", ");
    throw new Error(`--instance "${name}" is not known; known: ${known}.`);
  }
  return found;
}
