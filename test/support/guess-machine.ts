/**
 * A machine that guesses, by counting alone: steps, drafting and the host cost what
 * its curves say, guesses hold with its rates, and time is a sum. Nothing is known of
 * it to whoever chooses the lengths but what is measured.
 */
import { expect } from "vitest";
import { AdaptiveLength } from "../../engine/speculate/adaptive.ts";
import { type Machine, MEAN_NOISE, randomMachine, seeded } from "./random-machine.ts";

export interface Course {
  readonly time: number;
  readonly ids: number;
  /** The dearest round. */
  readonly dearest: number;
  /** Rounds with guesses. */
  readonly guessed: number;
}

/** Rounds that a draft model takes in by the way. */
const NEAR = 16;

/** `rounds` steps, lengths chosen by what is measured. */
export function play(machine: Machine, rounds: number, random: () => number): Course {
  const adaptive = new AdaptiveLength(machine.most);
  const { rows, host } = machine;
  const course = { time: 0, ids: 0, dearest: 0, guessed: 0 };
  /** Round in which each was last drafted for. */
  const drafted = new Map<number, number>();
  let rested = false;
  let born = 0;
  let ids = Array.from({ length: rows }, () => born++);
  for (let round = 0; round < rounds; round++) {
    if (machine.lasts !== undefined && round % machine.lasts === machine.lasts - 1) {
      ids.forEach((id) => {
        adaptive.release(id);
      });
      ids = Array.from({ length: rows }, () => born++);
    }
    const now = ids;
    const caughtUp = (id: number): boolean => round - (drafted.get(id) ?? -NEAR - 1) <= NEAR;
    const lengths = adaptive.resting
      ? now.map(() => 0)
      : adaptive.choose(
          now,
          now.map(() => machine.most),
          (row) => caughtUp(now[row] ?? -1),
        );
    const chosen = now.filter((_, row) => (lengths[row] ?? 0) > 0);
    const longest = Math.max(...lengths);
    const behind = chosen.filter((id) => !caughtUp(id)).length;
    const noise = machine.noise?.(round) ?? 1;
    const drafting =
      chosen.length === 0
        ? undefined
        : {
            duration: machine.draft(chosen.length, longest) + behind * machine.catchUp,
            rows: chosen.length,
            longest,
            behind,
          };
    const guesses = lengths.reduce((sum, length) => sum + length, 0);
    let accepted = 0;
    lengths.forEach((length, row) => {
      let held = 0;
      while (held < length && random() < machine.rate) held++;
      accepted += held;
      adaptive.observeGuess(now[row] ?? 0, length, held);
    });
    const duration = machine.step(rows + guesses) * noise;
    // Two steps under way hide the host's work.
    const hidden = adaptive.resting && rested;
    const interval = (drafting?.duration ?? 0) + duration + (hidden ? 0 : host);
    rested = adaptive.resting;
    adaptive.observe({
      ids: now,
      tokens: rows + guesses,
      drafted: guesses,
      accepted,
      short: true,
      duration,
      interval,
      drafting,
    });
    for (const id of chosen) drafted.set(id, round);
    course.time += interval;
    course.ids += rows + accepted;
    course.dearest = Math.max(course.dearest, interval);
    if (guesses > 0) course.guessed++;
  }
  return course;
}

/** ns of an id where nobody guesses, two steps under way. */
export function plainPace({ rows, step }: Machine, noise = 1): number {
  return (step(rows) * noise) / rows;
}

/** ns of an id with every guess of the length that is best on this machine; Infinity where none is worth it. */
export function bestPace(machine: Machine): number {
  const { rows, host, rate } = machine;
  let best = plainPace(machine);
  for (let length = 1; length <= machine.most; length++) {
    let ids = 0;
    for (let power = 0; power <= length; power++) ids += rate ** power;
    const time = machine.step(rows * (1 + length)) + machine.draft(rows, length) + host;
    best = Math.min(best, time / (rows * ids));
  }
  return best;
}

/**
 * A random machine loses next to nothing by guessing: two hundredths of its time, and
 * once what it takes to find out.
 */
export function expectNoLoss(seed: number, rounds: number): void {
  const machine = randomMachine(seed);
  const { time, ids, dearest } = play(machine, rounds, seeded(seed + 1000));
  const plain = plainPace(machine, machine.noise === undefined ? 1 : MEAN_NOISE) * ids;
  const once = 20 * machine.step(machine.rows) + 2 * dearest;
  expect(time, `machine ${seed}`).toBeLessThan(1.02 * plain + once);
}
