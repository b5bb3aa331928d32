/** What a sweep of this page is asked for, as the link says it, and its points one by one. */
import { signal } from "@preact/signals";
import { parseConcurrency, parseShape } from "../../../../scripts/commands/sweep/protocol.ts";
import type { Point } from "../../../../scripts/report/point.ts";
import { startEngine } from "../start-engine.ts";
import { addRun } from "./points.ts";
import { type SweepAnswer, type SweepTask, taskOf } from "./system.ts";

/** Lists are joined by commas, as the command line's. */
export interface SweepAsk {
  readonly models: string;
  readonly instances: string;
  readonly tp: string;
  readonly users: string;
  readonly shape: string;
  /** As --quantization; empty: as each model declares. */
  readonly formats: string;
  readonly kernels: string;
  /** As --set: figures of the machine otherwise. */
  readonly set: string;
}

export const FIRST: SweepAsk = {
  models: "meta-llama/Llama-3.1-8B-Instruct",
  instances: "trn2.3xlarge",
  tp: "4,2,1",
  users: "1..32",
  shape: "256/128",
  formats: "",
  kernels: "",
  set: "",
};

export interface SweepState {
  readonly done: number;
  readonly of: number;
  /** ms that the worker computed. */
  readonly busyMs: number;
  readonly failed: readonly string[];
}

export const sweeping = signal<SweepState | undefined>(undefined);

const list = (text: string): readonly string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

/** Every system of the lists under every number of users. Throws a sentence for what is no list. */
export function tasksOf(ask: SweepAsk): readonly SweepTask[] {
  const shape = parseShape(ask.shape);
  const formats = list(ask.formats);
  const ranks = list(ask.tp).map(Number);
  if (ranks.some((count) => !Number.isInteger(count) || count < 1)) {
    throw new Error("TP takes whole numbers, such as 4,8.");
  }
  const users = parseConcurrency(ask.users);
  const { kernels, set } = ask;
  return list(ask.models).flatMap((model) =>
    list(ask.instances).flatMap((instance) =>
      ranks.flatMap((tensorParallel) =>
        (formats.length === 0 ? [undefined] : formats).flatMap((quantization) =>
          users.map((concurrency) =>
            taskOf(
              { model, instance, tensorParallel, quantization, kernels, set, shape },
              concurrency,
            ),
          ),
        ),
      ),
    ),
  );
}

/** Points one by one in a worker; what is given ends it. */
export function simulate(
  tasks: readonly SweepTask[],
  take: (answer: SweepAnswer) => void,
): () => void {
  const worker = startEngine("sweep");
  let left = tasks.length;
  const end = (): void => {
    left = 0; // an answer may be under way already
    worker.terminate();
  };
  worker.addEventListener("message", ({ data }: MessageEvent<SweepAnswer>) => {
    if (left === 0) return;
    left--;
    if (left === 0) worker.terminate();
    take(data);
  });
  worker.postMessage(tasks);
  return end;
}

let stop: (() => void) | undefined;

/** Points come into `runs` under `name` as they are done. */
export function sweep(name: string, tasks: readonly SweepTask[]): void {
  stopSweep();
  const found: Point[] = [];
  let state: SweepState = { done: 0, of: tasks.length, busyMs: 0, failed: [] };
  sweeping.value = state;
  stop = simulate(tasks, (answer) => {
    if ("failed" in answer) {
      const failed = [...new Set([...state.failed, answer.failed])];
      state = { ...state, done: state.done + 1, failed };
    } else {
      found.push(answer.point);
      addRun({ name, points: [...found] });
      state = { ...state, done: state.done + 1, busyMs: state.busyMs + answer.busyMs };
    }
    sweeping.value = state;
  });
}

export function stopSweep(): void {
  stop?.();
  stop = undefined;
  sweeping.value = undefined;
}
