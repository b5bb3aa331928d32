/** A job of the engine: systems in virtual time, as the command line runs them. */
import { INFERENCEX } from "../../../../scripts/commands/sweep/protocol.ts";
import { runPoint } from "../../../../scripts/commands/sweep/run-point.ts";
import { buildSystemIn } from "../../../../scripts/virtual/build.ts";
import { WORLD } from "../world.ts";
import type { SweepAnswer, SweepTask } from "./system.ts";

export async function sweepJob(tasks: readonly SweepTask[]): Promise<void> {
  for (const [id, task] of tasks.entries()) postMessage(await answer(id, task));
}

async function answer(id: number, { spec, shape, concurrency }: SweepTask): Promise<SweepAnswer> {
  const [inputLen, outputLen] = shape;
  try {
    const began = performance.now();
    const system = await buildSystemIn(WORLD, spec);
    const workload = { ...INFERENCEX, inputLen, outputLen, seed: spec.seed };
    const { point } = await runPoint(system, workload, concurrency);
    return { id, point, busyMs: performance.now() - began };
  } catch (error) {
    return { id, failed: error instanceof Error ? error.message : String(error) };
  }
}
