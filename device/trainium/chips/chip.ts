/** What a chip is: numbers with units. One file a chip; no code names a generation. */
import type { WeightFormat } from "../../../models/ops.ts";

export type Engine = "tensor" | "vector" | "scalar" | "gpsimd";

export type TopologyKind = "ring" | "torus-2d" | "torus-3d" | "switch";

export interface ChipSpec {
  readonly name: string;
  /** Key of the core's constants in constants.ts. */
  readonly core: string;
  /** Physical cores. */
  readonly cores: number;
  /** Physical cores that one logical core may join. */
  readonly logicalCores: readonly number[];
  readonly defaultLogicalCore: number;
  readonly hbmBytes: number;
  readonly hbmBytesPerSecond: number;
  readonly hbmStacks: number;
  /** What the DMA engines of one core sustain, bytes a second: a second ceiling beside HBM. */
  readonly dmaBytesPerSecondPerCore: number;
  readonly dmaEnginesPerCore: number;
  readonly sbufBytesPerCore: number;
  readonly psumBytesPerCore: number;
  readonly clockHz: Readonly<Record<Engine, number>>;
  /** Elements a cycle on BF16 data. */
  readonly vectorWidth: number;
  readonly scalarWidth: number;
  /** Rate of the systolic array by operand format, BF16 = 1. Absent: not computed natively. */
  readonly tensorRate: Readonly<Partial<Record<WeightFormat, number>>>;
  readonly link: {
    readonly topology: TopologyKind;
    /** One way, all links of a chip within an instance, bytes a second. */
    readonly bytesPerSecond: number;
    /** One way between instances of an UltraServer; absent: EFA only. */
    readonly interBytesPerSecond?: number;
    readonly hopNanos: number;
  };
  /** Third party (SemiAnalysis 2025-12-04); absent where nobody printed one. */
  readonly watts?: number;
  /** Are figures measured on it among the calibration rows? If not, its prices are extrapolated. */
  readonly calibrated: boolean;
}
