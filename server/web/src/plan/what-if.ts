/**
 * A system and what it would be otherwise: the steady state of both at once, then
 * their simulated points one after another. What is set anew ends what is under way.
 */
import { signal } from "@preact/signals";
import { parseConcurrency, parseShape } from "../../../../scripts/commands/sweep/protocol.ts";
import type { Point } from "../../../../scripts/report/point.ts";
import { type SweepTask, type System, simulate, specFor } from "../curves/sweep.ts";
import { startEngine } from "../start-engine.ts";
import type { Steady, SteadyAnswer, SteadyAsk } from "./steady-job.ts";

/** As the link says it. */
export interface WhatIfAsk {
  readonly model: string;
  readonly machine: string;
  readonly ranks: string;
  /** As --quantization; empty: as the model declares. */
  readonly weights: string;
  readonly shape: string;
  readonly users: string;
  /** Times the machine's own. */
  readonly hbm: string;
  readonly link: string;
  readonly hop: string;
  /** Empty: as it is. */
  readonly toRanks: string;
  readonly toWeights: string;
  /** Guesses of a step; 0: no speculation. */
  readonly drafts: string;
  /** Ids that a step is expected to yield. */
  readonly accept: string;
}

export const WHAT_IF: WhatIfAsk = {
  model: "meta-llama/Llama-3.1-8B-Instruct",
  machine: "trn2.3xlarge",
  ranks: "4",
  weights: "",
  shape: "1024/256",
  users: "1..32",
  hbm: "1",
  link: "1",
  hop: "1",
  toRanks: "",
  toWeights: "",
  drafts: "0",
  accept: "2",
};

export function whatIfOf(link: URLSearchParams): WhatIfAsk {
  return Object.fromEntries(
    Object.entries(WHAT_IF).map(([name, value]) => [name, link.get(name) ?? value]),
  ) as unknown as WhatIfAsk; // the same names as WHAT_IF
}

export interface Pair {
  readonly asIs: System;
  /** Undefined: no slider was moved. */
  readonly otherwise: System | undefined;
  readonly users: readonly number[];
}

/** Throws a sentence for what is no system. */
export function pairOf(ask: WhatIfAsk): Pair {
  const ranks = ranksOf(ask.ranks);
  const asIs: System = {
    model: ask.model,
    instance: ask.machine,
    tensorParallel: ranks,
    quantization: ask.weights === "" ? undefined : ask.weights,
    kernels: "",
    set: "",
    shape: parseShape(ask.shape),
  };
  const weights = ask.toWeights === "" ? asIs.quantization : ask.toWeights;
  const otherwise: System = {
    ...asIs,
    tensorParallel: ask.toRanks === "" ? ranks : ranksOf(ask.toRanks),
    quantization: weights,
    set: changesOf(ask),
    speculative: speculationOf(ask),
  };
  const moved = JSON.stringify(otherwise) !== JSON.stringify(asIs);
  return { asIs, otherwise: moved ? otherwise : undefined, users: parseConcurrency(ask.users) };
}

function ranksOf(text: string): number {
  const ranks = Number(text);
  if (!Number.isInteger(ranks) || ranks < 1) throw new Error(`TP cannot be “${text}”.`);
  return ranks;
}

/** As --set takes them. */
function changesOf({ hbm, link, hop }: WhatIfAsk): string {
  const times = { "hbm.bandwidth": hbm, "link.bandwidth": link, "link.hop": hop };
  return Object.entries(times)
    .filter(([, value]) => Number(value) !== 1)
    .map(([name, value]) => `${name}=${value}x`)
    .join(",");
}

/** Heads whose acceptance is told: nobody knows it of a model that is not run. */
function speculationOf({ drafts, accept }: WhatIfAsk): string | undefined {
  const guesses = Number(drafts);
  if (guesses === 0) return undefined;
  return JSON.stringify({
    method: "eagle3",
    num_speculative_tokens: guesses,
    acceptance_length: Math.min(Number(accept), guesses + 1),
  });
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

const EMPTY: Curve = { steady: [], points: [] };
export const whatIf = signal<WhatIfState>({
  asIs: EMPTY,
  otherwise: EMPTY,
  left: 0,
  failed: [],
});

type Side = "asIs" | "otherwise";

/** Points by their task: a slider that comes back finds them. */
const known = new Map<string, Point>();
let stop: (() => void) | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** ms that a slider rests before points are simulated. */
const REST = 160;

export function show(pair: Pair): void {
  stop?.();
  clearTimeout(timer);
  const { asIs, otherwise, users } = pair;
  const tasks = (system: System | undefined): readonly SweepTask[] =>
    system === undefined
      ? []
      : users.map((concurrency) => ({
          spec: specFor(system, concurrency),
          shape: system.shape,
          concurrency,
        }));
  const both: Readonly<Record<Side, readonly SweepTask[]>> = {
    asIs: tasks(asIs),
    otherwise: tasks(otherwise),
  };
  const found = (side: Side): readonly Point[] =>
    both[side].flatMap((task) => known.get(JSON.stringify(task)) ?? []);
  // The estimates before stay until the new ones are there, a moment later.
  const before = whatIf.value;
  whatIf.value = {
    asIs: { steady: before.asIs.steady, points: found("asIs") },
    otherwise: {
      steady: otherwise === undefined ? [] : before.otherwise.steady,
      points: found("otherwise"),
    },
    left: 0,
    failed: [],
  };
  estimate(both);
  timer = setTimeout(() => follow(both), REST);
}

function follow(both: Readonly<Record<Side, readonly SweepTask[]>>): void {
  const open = (["otherwise", "asIs"] as const).flatMap((side) =>
    both[side]
      .map((task) => ({ side, task, key: JSON.stringify(task) }))
      .filter(({ key }) => !known.has(key)),
  );
  // Side by side, few users first: both curves grow together.
  open.sort((a, b) => a.task.concurrency - b.task.concurrency);
  if (open.length === 0) return;
  whatIf.value = { ...whatIf.value, left: open.length };
  stop = simulate(
    open.map(({ task }) => task),
    (answer) => {
      const its = open[answer.id];
      const state = whatIf.value;
      if (its === undefined) return;
      if ("failed" in answer) {
        const failed = [...new Set([...state.failed, answer.failed])];
        whatIf.value = { ...state, left: state.left - 1, failed };
        return;
      }
      known.set(its.key, answer.point);
      const curve = state[its.side];
      const points = [...curve.points, answer.point];
      points.sort((a, b) => a.concurrency - b.concurrency);
      whatIf.value = { ...state, left: state.left - 1, [its.side]: { ...curve, points } };
    },
  );
}

let estimator: Worker | undefined;
let turn = 0;
let busy = false;
/** What a slider asked for while the last estimate was made: the newest alone. */
let waiting: (() => void) | undefined;
const sides = new Map<number, Side>();

/** Both curves by the price of their steps. */
function estimate(both: Readonly<Record<Side, readonly SweepTask[]>>): void {
  const ask = (): void => {
    busy = true;
    for (const side of ["asIs", "otherwise"] as const) {
      sides.set(++turn, side);
      const message: SteadyAsk = { turn, tasks: both[side] };
      estimatorOf().postMessage(message);
    }
  };
  if (busy) waiting = ask;
  else ask();
}

function estimatorOf(): Worker {
  if (estimator !== undefined) return estimator;
  estimator = startEngine("steady");
  estimator.addEventListener("message", ({ data }: MessageEvent<SteadyAnswer>) => {
    const side = sides.get(data.turn);
    sides.delete(data.turn);
    const state = whatIf.value;
    if (side !== undefined) {
      // What cannot be built is said by the simulation, which tries every number of users.
      const steady = "failed" in data ? [] : data.steady;
      whatIf.value = { ...state, [side]: { ...state[side], steady } };
    }
    if (sides.size > 0) return;
    busy = false;
    const next = waiting;
    waiting = undefined;
    next?.();
  });
  return estimator;
}
