/** What a step's price is made of: kernel calls, graphs of calls, and the parts that each nanosecond belongs to. */
import type { Op } from "../../../models/ops.ts";
import type { Engine } from "../chips/chip.ts";
import type { StepShape, Work } from "../kernels/kernel.ts";
import type { Role } from "../roles.ts";
import type { Collective } from "./collectives.ts";

/** What one rank calls: a kernel's work, or a collective. */
export interface KernelCall {
  readonly role: Role;
  /** Name of the kernel, or of the fusion that it is part of. */
  readonly kernel: string;
  /** Path of the op with the layer's number left as it is in the checkpoint. */
  readonly path: string;
  readonly work?: Work;
  readonly collective?: Collective;
  /** Its work inside a fusion, by the fusion's name, where that differs. */
  readonly within?: Readonly<Record<string, Work>>;
}

/** Layers of one structure: priced once, counted `indices.length` times. */
export interface LayerGroup {
  readonly indices: readonly number[];
  readonly ops: readonly Op[];
}

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
