/** Sliders and whoever computes for them: the newest is estimated, what is under way ends. */
import { describe, expect, it } from "vitest";
import type { Point } from "../../../scripts/report/point.ts";
import type { SweepTask } from "../../../server/web/src/curves/system.ts";
import { pairOf, WHAT_IF } from "../../../server/web/src/plan/what-if-ask.ts";
import {
  NOTHING,
  type Steady,
  WhatIfRun,
  type WhatIfState,
} from "../../../server/web/src/plan/what-if-run.ts";

const ASK = { ...WHAT_IF, users: "1,2" };

interface Simulation {
  readonly tasks: readonly SweepTask[];
  readonly take: (task: SweepTask, result: Point | string) => void;
  ended: boolean;
}

/** Computes nothing until the test answers for it; time passes when the test says so. */
function world() {
  const estimates: {
    readonly tasks: readonly SweepTask[];
    readonly done: (steady: readonly Steady[]) => void;
  }[] = [];
  const simulations: Simulation[] = [];
  let resting: (() => void) | undefined;
  let state: WhatIfState = NOTHING;
  const run = new WhatIfRun({
    estimate: (tasks, done) => void estimates.push({ tasks, done }),
    simulate: (tasks, take) => {
      const its: Simulation = { tasks, take, ended: false };
      simulations.push(its);
      return () => {
        its.ended = true;
      };
    },
    later: (then) => {
      resting = then;
      return () => {
        resting = undefined;
      };
    },
    tell: (next) => {
      state = next;
    },
  });
  return {
    estimates,
    simulations,
    state: () => state,
    set: (part: Partial<typeof ASK>) => run.show(pairOf({ ...ASK, ...part })),
    rest: () => {
      const then = resting;
      resting = undefined;
      then?.();
    },
    /** Answers all that is asked for. */
    settle: () => {
      for (let at = 0; at < estimates.length; at++) {
        const { tasks, done } = estimates[at] ?? { tasks: [], done: () => {} };
        done(tasks.map(({ concurrency }) => ({ concurrency, tokensPerUser: 1, prompt: 1 })));
      }
    },
  };
}

const setsOf = (tasks: readonly SweepTask[] | undefined): readonly unknown[] =>
  (tasks ?? []).map(({ spec }) => spec.own["set"] ?? "");
const pointAt = (concurrency: number): Point => ({ concurrency }) as Point; // no more is looked at

describe("what if", () => {
  it("changes nothing until a slider is moved, and then only what it says", () => {
    expect(pairOf(ASK).otherwise).toBeUndefined();
    const { asIs, otherwise } = pairOf({ ...ASK, hbm: "1.5", hop: "2", drafts: "2", accept: "9" });
    expect(asIs.set).toBe("");
    expect(otherwise?.set).toBe("hbm.bandwidth=1.5x,link.hop=2x");
    // No more ids than guesses and the one that is certain.
    expect(JSON.parse(otherwise?.speculative ?? "{}")).toEqual({
      method: "eagle3",
      num_speculative_tokens: 2,
      acceptance_length: 3,
    });
    expect(() => pairOf({ ...ASK, toRanks: "two" })).toThrow("TP cannot be “two”.");
  });

  it("estimates the newest of what was asked meanwhile", () => {
    const { estimates, set, settle, state } = world();
    for (const hbm of ["1.05", "1.25", "1.5", "2"]) set({ hbm });
    // Both sides of the first: the others wait for its answer.
    expect(estimates).toHaveLength(2);
    settle();
    expect(estimates).toHaveLength(4);
    expect(setsOf(estimates[3]?.tasks)).toEqual(["hbm.bandwidth=2x", "hbm.bandwidth=2x"]);
    expect(state().otherwise.steady.map(({ concurrency }) => concurrency)).toEqual([1, 2]);
    set({});
    settle();
    expect(state().otherwise.steady).toEqual([]);
  });

  it("simulates where a slider rests, few users first, and ends what it moves away from", () => {
    const { simulations, set, rest, state } = world();
    set({ hbm: "1.5" });
    set({ hbm: "2" });
    expect(simulations).toEqual([]);
    rest();
    const [first] = simulations;
    expect(first?.tasks.map(({ concurrency }) => concurrency)).toEqual([1, 1, 2, 2]);
    expect(new Set(setsOf(first?.tasks))).toEqual(new Set(["hbm.bandwidth=2x", ""]));
    const [task] = first?.tasks ?? [];
    if (task === undefined) throw new Error("no task");
    first?.take(task, pointAt(1));
    expect(state().otherwise.points).toEqual([pointAt(1)]);
    expect(state().left).toBe(3);
    set({ hbm: "3" });
    expect(first?.ended).toBe(true);
    expect(state().otherwise.points).toEqual([]);
    rest();
    expect(setsOf(simulations[1]?.tasks)).toContain("hbm.bandwidth=3x");
    // Back where it was: the point that came is there at once, and not asked for again.
    set({ hbm: "2" });
    expect(state().otherwise.points).toEqual([pointAt(1)]);
    rest();
    expect(simulations[2]?.tasks).toHaveLength(3);
  });

  it("says each refusal once", () => {
    const { simulations, set, rest, state } = world();
    set({ toRanks: "64" });
    rest();
    for (const task of simulations[0]?.tasks ?? []) simulations[0]?.take(task, "It does not fit.");
    expect(state().failed).toEqual(["It does not fit."]);
    expect(state().left).toBe(0);
  });
});
