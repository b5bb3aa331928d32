/** What the sliders ask for, computed by workers of the page. */
import { signal } from "@preact/signals";
import { simulate } from "../curves/sweep.ts";
import type { SweepTask } from "../curves/system.ts";
import { startEngine } from "../start-engine.ts";
import type { SteadyAnswer, SteadyAsk } from "./steady-job.ts";
import { type Hands, NOTHING, type Steady, WhatIfRun } from "./what-if-run.ts";

export const whatIf = signal(NOTHING);

let estimator: Worker | undefined;
let turn = 0;
const waiting = new Map<number, (steady: readonly Steady[]) => void>();

function estimate(tasks: readonly SweepTask[], done: (steady: readonly Steady[]) => void): void {
  if (estimator === undefined) {
    estimator = startEngine("steady");
    estimator.addEventListener("message", ({ data }: MessageEvent<SteadyAnswer>) => {
      const answered = waiting.get(data.turn);
      waiting.delete(data.turn);
      // What cannot be built is said by the simulation, which tries every number of users.
      answered?.("failed" in data ? [] : data.steady);
    });
  }
  waiting.set(++turn, done);
  const message: SteadyAsk = { turn, tasks };
  estimator.postMessage(message);
}

const HANDS: Hands = {
  estimate,
  simulate: (tasks, take) =>
    simulate(tasks, (answer) => {
      const task = tasks[answer.id];
      if (task !== undefined) take(task, "failed" in answer ? answer.failed : answer.point);
    }),
  later: (run, ms) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  tell: (state) => {
    whatIf.value = state;
  },
};

export const sliders = new WhatIfRun(HANDS);
