/**
 * Fits the constants that rows may move, in logarithms, from their priors: a
 * hierarchical least squares. A table (source × release) has an effect of its own
 * that all its rows share, so that a hundred rows of one hand count as little more
 * than one; those effects make the bands and are never used for another table.
 * Deterministic. `--fit` prints the values; constants.ts is edited with them.
 */
import type { Constant } from "../../../device/trainium/constant.ts";
import { CONSTANTS, DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import { Bench, type Sample } from "./bench.ts";
import { isMiddle } from "./read/metric.ts";
import type { Row } from "./rows.ts";

/** Spread of set-ups within a table, and of tables around the model, in logarithms. */
interface Spread {
  readonly within: number;
  readonly between: number;
}

/** By part; parts not named are not fitted. */
const STEPS: Readonly<Record<string, Spread>> = {
  "dense decode": { within: 0.05, between: 0.06 },
  "MoE decode": { within: 0.1, between: 0.25 },
  "bucketed prefill": { within: 0.08, between: 0.15 },
  "static prefill": { within: 0.25, between: 0.2 },
  "MoE prefill": { within: 0.15, between: 0.3 },
};

/** Spreads of every part that is fitted. */
export const SERVED: Readonly<Record<string, Spread>> = {
  ...STEPS,
  "rates and paces": { within: 0.08, between: 0.12 },
  TGI: { within: 0.1, between: 0.15 },
  "first tokens": { within: 0.25, between: 0.3 },
};

/** Constants of stacks that a load generator's tables alone tell of. */
export const SERVED_STACKS =
  /^stack\.(step|row|prompt|arrival)\.(optimum|tgi)|^runtime\.cpu-sampling/;

/** Degrees of freedom of the errors: a row far off counts less. */
const FREEDOM = 4;

/** Most that a round may move a logarithm. */
const LONGEST = 0.7;

/** Rows that fix constants: marked so, no tail percentiles. */
export function fittingRows(rows: readonly Row[]): readonly Row[] {
  return rows.filter((row) => row.split === "calibrate" && isMiddle(row));
}

/** Half of a fit: rows, the constants that they move, and how far rows of each part lie apart. */
export interface Half {
  readonly bench: Bench;
  readonly free: readonly Constant[];
  readonly spreads: Readonly<Record<string, Spread>>;
}

export function stepsHalf(rows: readonly Row[], constants = DEFAULT_CONSTANTS): Half {
  return {
    bench: new Bench(rows, constants, { parts: new Set(Object.keys(STEPS)), served: false }),
    free: CONSTANTS.filter((its) => its.fitted && !SERVED_STACKS.test(its.key)),
    spreads: STEPS,
  };
}

export function servedHalf(rows: readonly Row[], constants = DEFAULT_CONSTANTS): Half {
  const free = CONSTANTS.filter((its) => its.fitted && SERVED_STACKS.test(its.key));
  const bench = new Bench(rows, constants, {
    parts: new Set(Object.keys(SERVED)),
    served: true,
    reading: free.map(({ key }) => key),
  });
  return { bench, free, spreads: SERVED };
}

/** Served rows that ask for none of those constants: no fit moves on them, steps' constants price them. */
export function otherServed(rows: readonly Row[], { bench }: Half): Bench {
  const known = new Set(bench.samples.map((its) => its.row.id));
  const parts = new Set(Object.keys(SERVED).filter((part) => !Object.hasOwn(STEPS, part)));
  const left = rows.filter((row) => !known.has(row.id));
  return new Bench(left, DEFAULT_CONSTANTS, { parts, served: true });
}

export interface Fit {
  readonly values: ReadonlyMap<string, number>;
  readonly loss: number;
}

/** Steps first, then the stacks that only served rows know, then steps again with their host's times. */
export function fit(rows: readonly Row[], rounds = 5): Fit {
  const steps = stepsHalf(rows);
  descend(steps, rounds);
  const served = servedHalf(rows, steps.bench.values());
  descend(served, rounds);
  steps.bench.set(valuesOf(served));
  const loss = descend(steps, 3);
  return { values: steps.bench.values(), loss };
}

function valuesOf({ bench, free }: Half): ReadonlyMap<string, number> {
  return new Map(free.map(({ key }) => [key, bench.value(key)]));
}

/** Rounds of Gauss–Newton with fresh slopes; the bench ends at the best values. */
export function descend(half: Half, rounds: number): number {
  const { bench, free } = half;
  const all = (): boolean => true;
  let errors = bench.residuals();
  let best = lossOf(half, errors, all);
  for (let round = 0; round < rounds; round++) {
    const slopes = bench.slopes(free, errors);
    const step = solve(half, { slopes, errors, used: all });
    const before = free.map(({ key }) => bench.value(key));
    let improved = false;
    for (const length of [1, 0.5, 0.2]) {
      move(half, before, step, length);
      const tried = bench.residuals();
      const loss = lossOf(half, tried, all);
      if (loss >= best - 1e-6) continue;
      improved = true;
      best = loss;
      errors = tried;
      break;
    }
    if (!improved) {
      move(half, before, step, 0);
      break;
    }
  }
  return best;
}

/**
 * The constants without the rows of a fold: rows are priced anew at every round; the slopes
 * are those at the whole fit's values. The bench is left as it was found.
 */
export function without(
  half: Half,
  used: (index: number) => boolean,
  slopes: readonly Float64Array[],
  rounds = 3,
): ReadonlyMap<string, number> {
  const { bench, free } = half;
  const start = free.map(({ key }) => bench.value(key));
  let errors = bench.residuals(used);
  for (let round = 0; round < rounds; round++) {
    const step = solve(half, { slopes, errors, used });
    move(
      half,
      free.map(({ key }) => bench.value(key)),
      step,
      1,
    );
    if (step.every((its) => Math.abs(its) < 0.01)) break;
    errors = bench.residuals(used);
  }
  const found = valuesOf(half);
  bench.set(new Map(free.map(({ key }, index) => [key, start[index] ?? 0])));
  return found;
}

/** The same on slopes alone, from errors that are known: for rows that take a scheduler's run each. */
export function withoutOnSlopes(
  half: Half,
  used: (index: number) => boolean,
  known: { readonly slopes: readonly Float64Array[]; readonly errors: Float64Array },
  rounds = 4,
): ReadonlyMap<string, number> {
  const { bench, free } = half;
  const start = free.map(({ key }) => bench.value(key));
  let errors = known.errors;
  for (let round = 0; round < rounds; round++) {
    const step = solve(half, { slopes: known.slopes, errors, used });
    const from = free.map(({ key }) => bench.value(key));
    move(half, from, step, 1);
    errors = errors.map((error, row) =>
      free.reduce((sum, { key }, index) => {
        const moved = Math.log(bench.value(key) / (from[index] ?? 1));
        return sum + moved * (known.slopes[index]?.[row] ?? 0);
      }, error),
    );
  }
  const found = valuesOf(half);
  bench.set(new Map(free.map(({ key }, index) => [key, start[index] ?? 0])));
  return found;
}

function move(
  { bench, free }: Half,
  from: readonly number[],
  step: Float64Array,
  length: number,
): void {
  bench.set(
    new Map(
      free.map(({ key }, index) => {
        const size = Math.max(-LONGEST, Math.min(LONGEST, step[index] ?? 0));
        return [key, (from[index] ?? 0) * Math.exp(length * size)];
      }),
    ),
  );
}

/** Rows of one part of one table: they share an effect. */
interface Block {
  readonly rows: readonly number[];
  /** Precision of each row, a set-up's metrics sharing one. */
  readonly weights: readonly number[];
  /** Variance of the block's own effect. */
  readonly between: number;
}

function blocksOf(
  { bench, spreads }: Half,
  errors: Float64Array,
  used: (index: number) => boolean,
): readonly Block[] {
  const groups = new Map<string, number[]>();
  bench.samples.forEach((its, index) => {
    if (!used(index)) return;
    const name = `${its.part} ${its.table}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [index]);
    else group.push(index);
  });
  return [...groups.values()].map((rows) => blockOf(rows, bench.samples, spreads, errors));
}

function blockOf(
  rows: readonly number[],
  samples: readonly Sample[],
  spreads: Half["spreads"],
  errors: Float64Array,
): Block {
  const { within = 0.1, between = 0.1 } = spreads[samples[rows[0] ?? 0]?.part ?? ""] ?? {};
  const counts = new Map<string, number>();
  for (const row of rows) {
    const key = samples[row]?.key ?? "";
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const plain = rows.map((row) => 1 / (counts.get(samples[row]?.key ?? "") ?? 1) / within ** 2);
  const total = plain.reduce((sum, its) => sum + its, 0);
  const sum = rows.reduce((all, row, at) => all + (plain[at] ?? 0) * (errors[row] ?? 0), 0);
  const effect = sum / (total + 1 / between ** 2);
  const robust = (error: number, spread: number): number =>
    (FREEDOM + 1) / (FREEDOM + (error / spread) ** 2);
  return {
    rows,
    weights: rows.map((row, at) => (plain[at] ?? 0) * robust((errors[row] ?? 0) - effect, within)),
    between: between ** 2 / robust(effect, between),
  };
}

/** Half the squared errors in the metric of the blocks' covariances, and half those from the priors. */
function lossOf(half: Half, errors: Float64Array, used: (index: number) => boolean): number {
  const samples = half.bench.samples;
  let loss = 0;
  const log = (size: number): number => ((FREEDOM + 1) / 2) * Math.log(1 + size / FREEDOM);
  for (const { rows } of blocksOf(half, new Float64Array(errors.length), used)) {
    const { within = 0.1, between = 0.1 } = half.spreads[samples[rows[0] ?? 0]?.part ?? ""] ?? {};
    const block = blockOf(rows, samples, half.spreads, new Float64Array(errors.length));
    const scale = FREEDOM / (FREEDOM + 1); // weights of errors that are nought
    const plain = block.weights.map((its) => its * scale);
    const total = plain.reduce((sum, its) => sum + its, 0);
    const sum = rows.reduce((all, row, at) => all + (plain[at] ?? 0) * (errors[row] ?? 0), 0);
    const effect = sum / (total + 1 / between ** 2);
    loss += log((effect / between) ** 2);
    rows.forEach((row, at) => {
      const share = (plain[at] ?? 0) * within ** 2;
      loss += share * log((((errors[row] ?? 0) - effect) / within) ** 2);
    });
  }
  for (const { key, prior } of half.free) {
    if (prior === undefined) continue;
    loss += 0.5 * (Math.log(half.bench.value(key) / prior.value) / prior.spread) ** 2;
  }
  return loss;
}

/** Solves (Jᵀ V⁻¹ J + P) δ = −(Jᵀ V⁻¹ r + P (θ − θ₀)), V by blocks: rows on the diagonal, the table's effect on all. */
function solve(
  half: Half,
  its: {
    readonly slopes: readonly Float64Array[];
    readonly errors: Float64Array;
    readonly used: (index: number) => boolean;
  },
): Float64Array {
  const { bench, free } = half;
  const { slopes, errors, used } = its;
  const size = free.length;
  const matrix = Array.from({ length: size }, () => new Float64Array(size + 1));
  const at = (column: number, row: number): number =>
    column === size ? -(errors[row] ?? 0) : (slopes[column]?.[row] ?? 0);
  for (const { rows, weights, between } of blocksOf(half, errors, used)) {
    const active = Array.from({ length: size + 1 }, (_, column) => column).filter((column) =>
      rows.some((row) => at(column, row) !== 0),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const shrink = between / (1 + between * total);
    const sums = new Map(
      active.map((column) => [
        column,
        rows.reduce((sum, row, index) => sum + (weights[index] ?? 0) * at(column, row), 0),
      ]),
    );
    for (const a of active) {
      const line = matrix[a];
      if (line === undefined) continue;
      for (const b of active) {
        let sum = 0;
        rows.forEach((row, index) => {
          sum += (weights[index] ?? 0) * at(a, row) * at(b, row);
        });
        line[b] = (line[b] ?? 0) + sum - shrink * (sums.get(a) ?? 0) * (sums.get(b) ?? 0);
      }
    }
  }
  free.forEach(({ key, prior }, index) => {
    const line = matrix[index];
    if (line === undefined || prior === undefined) return;
    line[index] = (line[index] ?? 0) + 1 / prior.spread ** 2;
    line[size] = (line[size] ?? 0) - Math.log(bench.value(key) / prior.value) / prior.spread ** 2;
  });
  return eliminate(matrix);
}

function eliminate(matrix: readonly Float64Array[]): Float64Array {
  const size = matrix.length;
  for (let pivot = 0; pivot < size; pivot++) {
    const top = matrix[pivot];
    const lead = top?.[pivot] ?? 0;
    if (top === undefined || Math.abs(lead) < 1e-12) continue;
    for (const line of matrix) {
      const factor = line === top ? 0 : (line[pivot] ?? 0) / lead;
      if (factor === 0) continue;
      for (let column = pivot; column <= size; column++)
        line[column] = (line[column] ?? 0) - factor * (top[column] ?? 0);
    }
  }
  return Float64Array.from(matrix, (line, index) => {
    const lead = line[index] ?? 0;
    return Math.abs(lead) < 1e-12 ? 0 : (line[size] ?? 0) / lead;
  });
}
