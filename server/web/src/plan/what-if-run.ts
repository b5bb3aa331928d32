/**
 * The steady state of both systems at once, then their simulated points one after
 * another. What is set anew ends what is under way; a point that came is kept.
 */
import type { Point } from "../../../../scripts/report/point.ts";
import { type SweepTask, type System, taskOf } from "../curves/system.ts";
import type { Pair } from "./what-if-ask.ts";

/** One system's steady state under so many users. */
export interface Steady {
  readonly concurrency: number;
  /** By the estimate; undefined where the KV pool does not hold as many users at once. */
  readonly tokensPerUser: number | undefined;
  /** Seconds of a prompt that nothing waits before. */
  readonly prompt: number;
}

export interface Curve {
  readonly steady: readonly Steady[];
  readonly points: readonly Point[];
}

export interface WhatIfState {
  readonly asIs: Curve;
  readonly otherwise: Curve;
  /** Points that are still simulated. */
  readonly left: number;
  readonly failed: readonly string[];
}

type Side = "asIs" | "otherwise";
type Tasks = Readonly<Record<Side, readonly SweepTask[]>>;

/** Whoever computes, and whoever is told. */
export interface Hands {
  /** Answers once; with none where a system cannot be built. */
  estimate(tasks: readonly SweepTask[], done: (steady: readonly Steady[]) => void): void;
  /** A point or a refusal for each; what is given ends it. */
  simulate(
    tasks: readonly SweepTask[],
    take: (task: SweepTask, result: Point | string) => void,
  ): () => void;
  /** What is given calls it off. */
  later(run: () => void, ms: number): () => void;
  tell(state: WhatIfState): void;
}

/** ms that a slider rests before points are simulated. */
const REST = 160;

const EMPTY: Curve = { steady: [], points: [] };
export const NOTHING: WhatIfState = { asIs: EMPTY, otherwise: EMPTY, left: 0, failed: [] };

export class WhatIfRun {
  readonly #hands: Hands;
  /** Points by their task: a slider that comes back finds them. */
  readonly #known = new Map<string, Point>();
  #state = NOTHING;
  #stop: () => void = () => {};
  #estimating = 0;
  /** What was asked for while an estimate was made: the newest alone. */
  #waiting: Tasks | undefined;

  constructor(hands: Hands) {
    this.#hands = hands;
  }

  show({ asIs, otherwise, users }: Pair): void {
    this.#stop();
    const of = (system: System | undefined): readonly SweepTask[] =>
      system === undefined ? [] : users.map((concurrency) => taskOf(system, concurrency));
    const tasks: Tasks = { asIs: of(asIs), otherwise: of(otherwise) };
    const before = this.#state;
    // The estimates before stay until the new ones are there, a moment later.
    const steady = otherwise === undefined ? [] : before.otherwise.steady;
    this.#set({
      asIs: { steady: before.asIs.steady, points: this.#found(tasks.asIs) },
      otherwise: { steady, points: this.#found(tasks.otherwise) },
      left: 0,
      failed: [],
    });
    this.#estimate(tasks);
    this.#stop = this.#hands.later(() => this.#follow(tasks), REST);
  }

  #found(tasks: readonly SweepTask[]): readonly Point[] {
    return tasks.flatMap((task) => this.#known.get(keyOf(task)) ?? []);
  }

  #estimate(tasks: Tasks): void {
    if (this.#estimating > 0) {
      this.#waiting = tasks;
      return;
    }
    for (const side of ["asIs", "otherwise"] as const) {
      this.#estimating++;
      this.#hands.estimate(tasks[side], (steady) => {
        this.#estimating--;
        this.#set({ [side]: { ...this.#state[side], steady } });
        const next = this.#waiting;
        if (this.#estimating > 0 || next === undefined) return;
        this.#waiting = undefined;
        this.#estimate(next);
      });
    }
  }

  #follow(tasks: Tasks): void {
    const open = [...tasks.otherwise, ...tasks.asIs].filter(
      (task) => !this.#known.has(keyOf(task)),
    );
    if (open.length === 0) return;
    // Few users first, side by side: both curves grow together.
    open.sort((a, b) => a.concurrency - b.concurrency);
    this.#set({ left: open.length });
    this.#stop = this.#hands.simulate(open, (task, result) => {
      const { left, failed } = this.#state;
      if (typeof result === "string") {
        this.#set({ left: left - 1, failed: [...new Set([...failed, result])] });
        return;
      }
      this.#known.set(keyOf(task), result);
      const side = tasks.otherwise.includes(task) ? "otherwise" : "asIs";
      const points = this.#found(tasks[side]);
      this.#set({ left: left - 1, [side]: { ...this.#state[side], points } });
    });
  }

  #set(part: Partial<WhatIfState>): void {
    this.#state = { ...this.#state, ...part };
    this.#hands.tell(this.#state);
  }
}

const keyOf = (task: SweepTask): string => JSON.stringify(task);
