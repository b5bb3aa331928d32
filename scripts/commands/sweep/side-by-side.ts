/**
 * Points of simulated systems side by side: none knows of another, so each is what it would be
 * alone. Threads take the next one from a common count, the dearest first; this one is one of them.
 */
import { availableParallelism } from "node:os";
import { setImmediate } from "node:timers/promises";
import { startThread } from "../../../device/thread.ts";
import { reason } from "../../usage.ts";
import type { SystemSpec } from "../../virtual/build.ts";
import type { Workload } from "./protocol.ts";
import type { MeasuredPoint } from "./to-point.ts";
import { ModelShelf, virtualPoint } from "./virtual-point.ts";

export interface VirtualTask {
  readonly spec: SystemSpec;
  readonly workload: Workload;
  readonly concurrency: number;
}

/** What came of a point, or why nothing did. */
export type Outcome = MeasuredPoint | string;

/** What threads have in common. */
export interface Shared {
  readonly tasks: readonly VirtualTask[];
  /** Numbers of tasks in the order in which they are taken, and how many are. */
  readonly order: readonly number[];
  readonly taken: SharedArrayBuffer;
}

/** From a thread to the one that started it. */
export interface Told {
  readonly task: number;
  readonly outcome: Outcome;
}

/** What a point came to is told to this, and waited for: it may be written down. */
export type Tell = (told: Told) => void | Promise<void>;

/**
 * What a thread has to take over before it pays, in `costOf`'s unit: it takes 0.3 s to start, and its
 * code is compiled anew, for which the first thread waits where cores are two. Nine points up to 256
 * users of 1024 tokens an answer (0.3) on two threads and on one: 1.76 s and 1.60; of 8192 (2.1): 3.5 and 4.0.
 */
const WORTH_A_THREAD = 1e9;

/** So much memory has to be free for each thread beside this one. */
const THREAD_BYTES = 2 ** 28;

/** Roughly what a point costs: each answer is a step of all users, and the longer it gets the oftener blocks run out. */
const costOf = ({ workload, concurrency }: VirtualTask): number =>
  concurrency ** 2 * (workload.requestsPerUser + workload.warmupsPerUser) * workload.outputLen;

/** As many as pay, in memory that can be had. */
export function threadsFor(
  tasks: readonly VirtualTask[],
  free = process.availableMemory(),
): number {
  const costs = tasks.map(costOf);
  const all = costs.reduce((sum, cost) => sum + cost, 0);
  const beside = all - Math.max(0, ...costs);
  const paid = 1 + Math.floor(beside / WORTH_A_THREAD);
  const held = 1 + Math.floor(free / THREAD_BYTES);
  return Math.min(availableParallelism(), tasks.length, paid, held);
}

/** `tell` hears of each task as it ends, in any order. */
export async function measureAll(
  tasks: readonly VirtualTask[],
  threads: number,
  tell: Tell,
): Promise<void> {
  const order = [...tasks.keys()];
  const cost = (task: number): number => costOf(tasks[task] as VirtualTask); // a key of it
  if (threads > 1) order.sort((a, b) => cost(b) - cost(a));
  const shared: Shared = { tasks, order, taken: new SharedArrayBuffer(4) };
  const open = new Set(order);
  let failure = "its thread ended early";
  const heard: Promise<void>[] = [];
  const hear = (told: Told): Promise<void> => {
    open.delete(told.task);
    const one = (async () => tell(told))();
    one.catch(() => {}); // awaited below
    heard.push(one);
    return one;
  };
  const others = Array.from({ length: threads - 1 }, () => {
    const thread = startThread("./point-thread", import.meta.url, shared);
    thread.on("message", hear);
    thread.on("error", (error) => {
      failure = reason(error);
    });
    return { thread, ended: new Promise((resolve) => thread.on("exit", resolve)) };
  });
  try {
    await takeTasks(shared, hear);
    await Promise.all(others.map(({ ended }) => ended));
    await Promise.all(heard);
  } finally {
    for (const { thread } of others) void thread.terminate();
  }
  for (const task of open) await tell({ task, outcome: failure });
}

/** Takes tasks until none is left. */
export async function takeTasks({ tasks, order, taken }: Shared, tell: Tell): Promise<void> {
  const shelf = new ModelShelf();
  const count = new Int32Array(taken);
  for (;;) {
    const number = order[Atomics.add(count, 0, 1)];
    const task = tasks[number ?? -1];
    if (number === undefined || task === undefined) return;
    const { spec, workload, concurrency } = task;
    const outcome = await virtualPoint(spec, workload, concurrency, shelf).catch(reason);
    await tell({ task: number, outcome });
    await setImmediate(); // what other threads tell comes through, and signals do
  }
}
