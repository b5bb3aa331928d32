/** A job of the engine: systems in their steady state, by the price of their steps alone. */
import { type SteadyState, steadyState } from "../../../../scripts/commands/plan/steady.ts";
import { INFERENCEX, meanLengths } from "../../../../scripts/commands/sweep/protocol.ts";
import { buildSystemIn } from "../../../../scripts/virtual/build.ts";
import type { SweepTask } from "../curves/system.ts";
import { WORLD } from "../world.ts";
import type { Steady } from "./what-if-run.ts";

export type SteadyAnswer =
  | { readonly turn: number; readonly steady: readonly Steady[] }
  | { readonly turn: number; readonly failed: string };

export interface SteadyAsk {
  readonly turn: number;
  readonly tasks: readonly SweepTask[];
}

export async function steadyJob({ turn, tasks }: SteadyAsk): Promise<void> {
  const answer = (message: SteadyAnswer): void => postMessage(message);
  try {
    const steady: Steady[] = [];
    for (const task of tasks) steady.push(await steadyOf(task));
    answer({ turn, steady });
  } catch (error) {
    answer({ turn, failed: error instanceof Error ? error.message : String(error) });
  }
}

async function steadyOf({ spec, shape, concurrency }: SweepTask): Promise<Steady> {
  const system = await buildSystemIn(WORLD, spec);
  try {
    const [inputLen, outputLen] = shape;
    const state: SteadyState = steadyState(
      system,
      meanLengths({ inputLen, outputLen, ratio: INFERENCEX.ratio }),
    );
    return {
      concurrency,
      tokensPerUser: concurrency <= state.capacity ? 1 / state.tpot(concurrency) : undefined,
      prompt: state.prompt,
    };
  } finally {
    await system.close();
  }
}
