/**
 * Fits the constants that have a range to the rows that may fix them: damped
 * Gauss–Newton on log errors, reweighted towards absolute error, each group and
 * each set-up with its own share. Deterministic. Prints the values; constants.ts
 * is edited with them.
 */
import type { Constant } from "../../../device/trainium/constant.ts";
import { CONSTANTS, DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import { type Priced, priceRow } from "./price.ts";
import type { Row } from "./rows.ts";
import { onceASetUp } from "./serving.ts";
import type { SetUp } from "./setup.ts";
import { forgetCosts } from "./static.ts";

export interface Fit {
  readonly values: ReadonlyMap<string, number>;
  readonly loss: number;
}

/** Rows that fix constants: marked so, no tail percentiles. */
export function fittingRows(rows: readonly Row[]): readonly Row[] {
  return rows.filter((row) => row.split === "calibrate" && row.percentile !== "p99");
}

/** Share of each part in the loss; parts not named are not fitted. */
type Weights = Readonly<Record<string, number>>;

const STEPS: Weights = {
  "dense decode": 3,
  "MoE decode": 0.7,
  "bucketed prefill": 1.5,
  "static prefill": 0.7,
  "MoE prefill": 0.3,
};

/** Of the stacks that are known from a load generator's tables alone. */
const SERVED: Weights = { ...STEPS, "rates and paces": 8, TGI: 7, "first tokens": 2 };
const SERVED_STACKS = /^stack\..*\.(optimum|tgi|tgi-1\.4)$/;

/** Errors below this count as if they were quadratic, above it as absolute. */
const SOFT = 0.04;

/** Steps first, then the stacks that only served rows know, with those rows through the scheduler. */
export function fit(rows: readonly Row[], rounds = 6): Fit {
  const free = CONSTANTS.filter((its) => its.range !== undefined);
  const steps = descend(rows, {
    weights: STEPS,
    free: free.filter((its) => !SERVED_STACKS.test(its.key)),
    start: DEFAULT_CONSTANTS,
    rounds,
  });
  return descend(rows, {
    weights: SERVED,
    free: free.filter((its) => SERVED_STACKS.test(its.key)),
    start: steps.values,
    rounds,
  });
}

interface Descent {
  readonly weights: Weights;
  readonly free: readonly Constant[];
  readonly start: ReadonlyMap<string, number>;
  readonly rounds: number;
}

function descend(rows: readonly Row[], { weights, free, start, rounds }: Descent): Fit {
  const table = new Map(start);
  const setUps = new Map<string, SetUp | string>();
  const price = (its: readonly Row[]): readonly Priced[] => {
    forgetCosts();
    const serve = weights["rates and paces"] === undefined ? {} : { serve: onceASetUp() };
    return its
      .map((row) => priceRow(row, { constants: table, setUps, ...serve }))
      .filter((one): one is Priced => "predicted" in one && weights[one.part] !== undefined);
  };
  const first = price(rows);
  const used = first.map((its) => its.row);
  const shares = sharesOf(first, weights);
  const residuals = (): Float64Array =>
    Float64Array.from(price(used), (its) => Math.log(its.predicted / its.measured));
  const lossOf = (errors: Float64Array): number =>
    errors.reduce((sum, error, index) => sum + (shares[index] ?? 0) * soft(error), 0);
  let errors = residuals();
  let best = lossOf(errors);
  let damping = 0.02;
  for (let round = 0; round < rounds; round++) {
    const columns = free.map((its) => slope(its, table, errors, residuals));
    const step = solve(columns, errors, shares, damping);
    const before = new Map(table);
    let improved = false;
    for (const length of [1, 0.5, 0.2, 0.05]) {
      free.forEach((its, index) => {
        const [low, high] = its.range ?? [0, 1];
        const moved = (before.get(its.key) ?? low) + length * (step[index] ?? 0) * (high - low);
        table.set(its.key, Math.min(high, Math.max(low, moved)));
      });
      const tried = residuals();
      const loss = lossOf(tried);
      if (loss < best) {
        improved = true;
        best = loss;
        errors = tried;
        break;
      }
    }
    if (!improved) {
      for (const [key, value] of before) table.set(key, value);
      damping *= 10;
      if (damping > 10) break;
    } else damping = Math.max(0.002, damping / 2);
  }
  forgetCosts();
  return { values: table, loss: best };
}

/** Left-out predictions: log errors of rows under constants fitted without their fold. */
export interface LeftOut {
  readonly priced: Priced;
  /** log(predicted / measured) with every row fitted, and with this one's fold left out. */
  readonly inSample: number;
  readonly leftOut: number;
}

/**
 * Leaves one fold out at a time. The predictions are linear in the constants near
 * their values (log errors are, within their ranges), so each refit is a reweighted
 * least-squares solve over one table of slopes instead of a new search.
 */
export function leaveOut(rows: readonly Row[], foldOf: (row: Row) => string): readonly LeftOut[] {
  const table = new Map(DEFAULT_CONSTANTS);
  const setUps = new Map<string, SetUp | string>();
  const price = (its: readonly Row[]): readonly Priced[] => {
    forgetCosts();
    return its
      .map((row) => priceRow(row, { constants: table, setUps }))
      .filter((one): one is Priced => "predicted" in one && STEPS[one.part] !== undefined);
  };
  const priced = price(rows);
  const used = priced.map((its) => its.row);
  const shares = sharesOf(priced, STEPS);
  const residuals = (): Float64Array =>
    Float64Array.from(price(used), (its) => Math.log(its.predicted / its.measured));
  const base = residuals();
  const free = CONSTANTS.filter((its) => its.range !== undefined);
  const columns = free.map((its) => slope(its, table, base, residuals));
  const bounds = free.map((its) => {
    const [low, high] = its.range ?? [0, 1];
    const at = ((table.get(its.key) ?? low) - low) / (high - low);
    return [-at, 1 - at] as const;
  });
  const solveWithout = (fold: string | undefined): Float64Array => {
    const kept = priced.map((its, index) => (foldOf(its.row) === fold ? 0 : (shares[index] ?? 0)));
    let total = new Float64Array(free.length);
    let errors = base;
    for (let round = 0; round < 4; round++) {
      const step = solve(columns, errors, kept, 0.01);
      total = total.map((value, index) => {
        const [low, high] = bounds[index] ?? [0, 0];
        return Math.min(high, Math.max(low, value + 0.6 * (step[index] ?? 0)));
      });
      errors = base.map((error, row) =>
        columns.reduce(
          (sum, column, index) => sum + (column[row] ?? 0) * (total[index] ?? 0),
          error,
        ),
      );
    }
    return errors;
  };
  const whole = solveWithout(undefined);
  const folds = new Set(priced.map((its) => foldOf(its.row)));
  const without = new Map([...folds].map((fold) => [fold, solveWithout(fold)]));
  forgetCosts();
  return priced.map((its, index) => {
    // What the left-out solve changes against the whole one, on top of the true error.
    const change = (without.get(foldOf(its.row))?.[index] ?? 0) - (whole[index] ?? 0);
    const inSample = base[index] ?? 0;
    return { priced: its, inSample, leftOut: inSample + change };
  });
}

function soft(error: number): number {
  const size = Math.min(Math.abs(error), 0.45);
  return size < SOFT ? size ** 2 / (2 * SOFT) + SOFT / 2 : size;
}

/** Change of every residual with one constant, over its whole range. */
function slope(
  { key, range = [0, 1] }: Constant,
  table: Map<string, number>,
  errors: Float64Array,
  residuals: () => Float64Array,
): Float64Array {
  const [low, high] = range;
  const current = table.get(key) ?? low;
  const sign = current + 0.02 * (high - low) <= high ? 1 : -1;
  table.set(key, current + sign * 0.02 * (high - low));
  const moved = residuals();
  table.set(key, current);
  return moved.map((error, index) => (sign * (error - (errors[index] ?? 0))) / 0.02);
}

/** Solves (JᵀWJ + damping) δ = −JᵀWr by elimination. */
function solve(
  columns: readonly Float64Array[],
  errors: Float64Array,
  shares: readonly number[],
  damping: number,
): Float64Array {
  const size = columns.length;
  const weights = errors.map(
    (error, index) => (shares[index] ?? 0) / Math.max(Math.abs(error), SOFT),
  );
  const matrix = columns.map((a, row) => {
    const line = new Float64Array(size + 1);
    columns.forEach((b, column) => {
      let sum = 0;
      for (let index = 0; index < a.length; index++)
        sum += (a[index] ?? 0) * (b[index] ?? 0) * (weights[index] ?? 0);
      line[column] = sum + (row === column ? damping : 0);
    });
    let right = 0;
    for (let index = 0; index < a.length; index++)
      right -= (a[index] ?? 0) * (errors[index] ?? 0) * (weights[index] ?? 0);
    line[size] = right;
    return line;
  });
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
  return Float64Array.from(matrix, (line, row) => (line[size] ?? 0) / (line[row] || 1));
}

/** Each group's weight over its set-ups, each set-up's over its rows. */
function sharesOf(priced: readonly Priced[], weights: Weights): readonly number[] {
  const keys = new Map<string, Set<string>>();
  const counts = new Map<string, number>();
  for (const { part, key } of priced) {
    keys.set(part, (keys.get(part) ?? new Set()).add(key));
    counts.set(`${part} ${key}`, (counts.get(`${part} ${key}`) ?? 0) + 1);
  }
  const total = [...keys.keys()].reduce((sum, part) => sum + (weights[part] ?? 0), 0);
  return priced.map(
    ({ part, key }) =>
      (weights[part] ?? 0) /
      total /
      (keys.get(part)?.size ?? 1) /
      (counts.get(`${part} ${key}`) ?? 1),
  );
}
