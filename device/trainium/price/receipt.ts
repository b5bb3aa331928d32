/** What a step's price is made of: kernel calls, graphs of calls, and the parts that each nanosecond belongs to. */
import type { Engine } from "../chips/chip.ts";
import type { StepShape } from "../kernels/kernel.ts";
import type { KernelCall, LayerGroup } from "./lower.ts";

/** Where the time of a step goes. */
export type Part =
  | "weights"
  | "kv"
  | "activations"
  | "compute"
  | "launch"
  | "collectives"
  | "sampling"
  | "host"
  | "padding";

export type Parts = Partial<Record<Part, number>>;

/** A kernel call with its time, ns. */
export interface TimedCall {
  readonly call: KernelCall;
  readonly nanos: number;
  readonly parts: Parts;
  /** Busy time of each engine and of DMA within it, ns. */
  readonly busy: Readonly<Partial<Record<Engine | "dma", number>>>;
}

/** One compiled graph's price: its device time and what it is made of. */
export interface GraphCost {
  readonly shape: StepShape;
  readonly nanos: number;
  readonly parts: Parts;
  readonly prologue: readonly TimedCall[];
  readonly layers: readonly { readonly group: LayerGroup; readonly calls: readonly TimedCall[] }[];
  readonly epilogue: readonly TimedCall[];
}

/** A compiled graph that a step runs, and the shape of the live rows in it. */
export interface GraphRun {
  readonly graph: GraphCost;
  readonly live: StepShape;
}
