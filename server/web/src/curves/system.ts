/** What a worker of the page simulates: a system under so many users. Plain data. */
import { contextFor, powerAbove } from "../../../../scripts/commands/sweep/protocol.ts";
import type { Point } from "../../../../scripts/report/point.ts";
import type { SystemSpec } from "../../../../scripts/virtual/build.ts";

export interface SweepTask {
  readonly spec: SystemSpec;
  readonly shape: readonly [number, number];
  readonly concurrency: number;
}

export type SweepAnswer =
  | { readonly id: number; readonly point: Point; readonly busyMs: number }
  | { readonly id: number; readonly failed: string };

/** A system under any number of users. */
export interface System {
  readonly model: string;
  readonly instance: string;
  readonly tensorParallel: number;
  /** As --quantization; absent: as the model declares. */
  readonly quantization?: string | undefined;
  readonly kernels: string;
  /** As --set; empty: the machine as it is. */
  readonly set: string;
  /** As --speculative-config; absent: none. */
  readonly speculative?: string | undefined;
  /** Tokens in and out. */
  readonly shape: readonly [number, number];
}

/** A server compiled for its point: as many rows as users, to a power of two, a context of prompt and output. */
function specFor(system: System, concurrency: number): SystemSpec {
  const { model, instance, tensorParallel, quantization, kernels, set, speculative } = system;
  const [inputLen, outputLen] = system.shape;
  return {
    model,
    device: "trainium",
    instance,
    tensorParallel,
    dataParallel: 1,
    expertParallel: false,
    kernels,
    own: set === "" ? {} : { set },
    maxNumSeqs: powerAbove(concurrency),
    maxModelLen: contextFor({ inputLen, outputLen }),
    ...(quantization !== undefined && { quantization }),
    ...(speculative !== undefined && { speculative }),
    prefixCaching: false,
    seed: 0,
  };
}

export function taskOf(system: System, concurrency: number): SweepTask {
  return { spec: specFor(system, concurrency), shape: system.shape, concurrency };
}
