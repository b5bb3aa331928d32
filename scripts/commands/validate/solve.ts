/**
 * The effects of a set-up from a few measurements of it: factors on the graphs of steps and of prompts
 * that bring predictions closest in logs, held near 1 by a weak prior. Gauss-Newton over two logs.
 */

import { type Effects, NO_EFFECTS } from "../../../device/trainium/effects.ts";
import { SERVED as SPREADS } from "./fit.ts";

/** One measurement: what the model says of it under effects, and what was measured. */
export interface Measurement {
  readonly measured: number;
  readonly predicted: (effects: Effects) => number;
  /** How far set-ups of one table lie apart, in logarithms; absent: as far as repeats of one set-up. */
  readonly within?: number;
}

export interface Solution {
  readonly effects: Effects;
  /** Effects that no measurement moves: they stay at 1. */
  readonly unknown: readonly (keyof Effects)[];
  /** Mean |p/m − 1| before and after. */
  readonly before: number;
  readonly after: number;
}

const NAMES = ["decode", "prefill"] as const;

/** Repeats of one set-up differ by some 2 %; a table lies off by a quarter, in logarithms, as bands have it. */
const REPEATS = 0.02;
const BETWEEN = 0.25;

/** Step of the numeric slopes, in logs. */
const STEP = 0.02;

/** Of a row of a table, as the fit takes its part: what one set-up says of the others is worth so much. */
export function withinOf(part: string): Pick<Measurement, "within"> {
  const spread = SPREADS[part];
  return spread === undefined ? {} : { within: spread.within };
}

const ROUNDS = 8;

/** A measurement moves with an effect when a tenth of the change arrives. */
const MOVES = 0.1;

export function solve(measurements: readonly Measurement[]): Solution {
  const logs = [0, 0];
  const moved = [0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    const system = slopesAt(measurements, logs);
    for (const index of [0, 1])
      moved[index] = Math.max(
        moved[index] ?? 0,
        ...system.map((one) => Math.abs(one.slopes[index] ?? 0)),
        0,
      );
    const change = newton(system, logs);
    logs.forEach((value, index) => {
      logs[index] = value + (change[index] ?? 0);
    });
    if (Math.max(...change.map(Math.abs)) < 1e-4) break;
  }
  const known = NAMES.map((_, index) => (moved[index] ?? 0) >= MOVES);
  const effects = effectsOf(logs.map((value, index) => (known[index] ? value : 0)));
  return {
    effects,
    unknown: NAMES.filter((_, index) => !known[index]),
    before: meanError(measurements, NO_EFFECTS),
    after: meanError(measurements, effects),
  };
}

export function meanError(measurements: readonly Measurement[], effects: Effects): number {
  const sum = measurements.reduce(
    (all, its) => all + Math.abs(its.predicted(effects) / its.measured - 1),
    0,
  );
  return sum / Math.max(1, measurements.length);
}

const effectsOf = (logs: readonly number[]): Effects => ({
  decode: Math.exp(logs[0] ?? 0),
  prefill: Math.exp(logs[1] ?? 0),
});

interface Slope {
  /** ln(measured / predicted) */
  readonly residual: number;
  readonly slopes: readonly number[];
  /** 1 ÷ variance of its set-up around its table. */
  readonly weight: number;
}

function slopesAt(measurements: readonly Measurement[], logs: readonly number[]): readonly Slope[] {
  return measurements.map(({ measured, predicted, within = REPEATS }) => {
    const here = Math.log(predicted(effectsOf(logs)));
    const slopes = [0, 1].map((index) => {
      const there = logs.map((value, at) => (at === index ? value + STEP : value));
      return (Math.log(predicted(effectsOf(there))) - here) / STEP;
    });
    return { residual: Math.log(measured) - here, slopes, weight: 1 / within ** 2 };
  });
}

/** Solves (SᵀWS + prior) Δ = SᵀWr − prior · logs, two by two. */
function newton(system: readonly Slope[], logs: readonly number[]): readonly number[] {
  const prior = 1 / BETWEEN ** 2;
  const sum = (of: (one: Slope) => number): number =>
    system.reduce((all, one) => all + one.weight * of(one), 0);
  const at = ({ slopes }: Slope, index: number): number => slopes[index] ?? 0;
  const a = sum((one) => at(one, 0) ** 2) + prior;
  const d = sum((one) => at(one, 1) ** 2) + prior;
  const b = sum((one) => at(one, 0) * at(one, 1));
  const x = sum((one) => at(one, 0) * one.residual) - prior * (logs[0] ?? 0);
  const y = sum((one) => at(one, 1) * one.residual) - prior * (logs[1] ?? 0);
  const determinant = a * d - b * b;
  return [(x * d - y * b) / determinant, (a * y - b * x) / determinant];
}
