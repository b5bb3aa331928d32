/**
 * What a device that stands for another machine says of it, as data: whoever shows,
 * meters or bills that machine reads this and knows no device.
 */
import type { Span, StepCost } from "./trace.ts";
import type { Trust } from "./trust.ts";

/** A graph that the machine compiles at its first start and may keep. */
export interface CompiledGraph {
  /** As the machine's software labels its metrics, e.g. `decode_8x4096`. */
  readonly name: string;
  /** What a change of recompiles: versions, model, shapes, flags, target, ranks. */
  readonly key: string;
  readonly compileSeconds: number;
}

/** What a start of the machine takes. */
export interface MachineStart {
  readonly graphs: readonly CompiledGraph[];
  readonly loadSeconds: number;
  readonly loadBytes: number;
}

/** Adds up priced steps under the names of the machine's own profiler. */
export interface StepTotals {
  /** `spans`: the step's, where they were made already. */
  add(step: StepCost, spans?: readonly Span[]): void;
  /** The summary of the steps so far; times in seconds, shares as fractions. */
  fields(profile: string): Readonly<Record<string, number | string | boolean>>;
}

export interface Machine {
  /** Whose time is kept, for people: `trn2.48xlarge at TP 4 (extrapolated)`. */
  readonly title: string;
  readonly instanceType: string;
  /** (optional) Listed dollars an hour of the whole instance; absent: nobody says. */
  readonly dollarsPerHour?: number;
  /** Chips of the instance, and cores of one as this device counts them. */
  readonly chips: number;
  readonly coresPerChip: number;
  /** Cores that this device takes. */
  readonly cores: number;
  /** Bytes in use on one core. */
  readonly memory: { readonly weights: number; readonly runtime: number; readonly kv: number };
  /** What a core's memory goes to, a line each, for people. */
  readonly memoryLines: readonly string[];
  readonly start: MachineStart;
  /** How far its times can be believed. */
  readonly trust: Trust;
  /** A rank's row in a profile: one stands for all that work alike. */
  readonly rank: string;
  totals(): StepTotals;
}
