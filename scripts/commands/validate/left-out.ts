/**
 * Leaving out: what each group's errors are on rows that the fit did not see, and
 * the 80 % bands that follow. A band is the conformal quantile of the other
 * models' left-out errors, so that no model sets the band it is judged by.
 */
import { type LeftOut, leaveOut } from "./fit.ts";
import { PARTS, type Priced } from "./price.ts";
import { bySetUp, errorOf, table } from "./report.ts";
import type { Row } from "./rows.ts";

/** The ⌈(n + 1) · 0.8⌉-th smallest size: what holds a new one with probability 0.8. */
export function conformal(logs: readonly number[]): number {
  const sizes = logs.map(Math.abs).sort((a, b) => a - b);
  return sizes[Math.min(sizes.length, Math.ceil((sizes.length + 1) * 0.8)) - 1] ?? Number.NaN;
}

const percent = (value: number): string =>
  Number.isFinite(value) ? `${(value * 100).toFixed(1)}%` : "–";

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Rows by what is left out together, one kind of leaving out after another. */
const FOLDS: readonly (readonly [string, (row: Row) => string])[] = [
  ["model", (row) => row.model.toLowerCase().split(" (")[0] ?? ""],
  ["instance", (row) => row.instance.split(/[ .]/)[0] ?? ""],
  ["source", (row) => row.source],
];

/**
 * Errors in sample and with each model, machine family and source left out.
 * `served`: priced rows of served set-ups; few stacks are known from one model
 * alone, so their constants stay and only their bands leave the model out.
 */
export function leftOutTable(rows: readonly Row[], served: readonly Priced[]): string {
  const folds = FOLDS.map(([name, of]) => ({ name, rows: leaveOut(rows, of) }));
  const byModel: readonly LeftOut[] = [
    ...(folds[0]?.rows ?? []),
    ...served
      .filter((its) => PARTS[its.part] === "serving")
      .map((priced) => {
        const error = Math.log(priced.predicted / priced.measured);
        return { priced, inSample: error, leftOut: error };
      }),
  ];
  const modelOf = FOLDS[0]?.[1] ?? ((row: Row) => row.model);
  const lines = [...new Set(byModel.map((its) => PARTS[its.priced.part]))].sort().map((group) => {
    const within = (all: readonly LeftOut[]): readonly LeftOut[] =>
      all.filter((its) => PARTS[its.priced.part] === group);
    const its = within(byModel);
    let held = 0;
    for (const one of its) {
      const others = its.filter((other) => modelOf(other.priced.row) !== modelOf(one.priced.row));
      if (Math.abs(one.leftOut) <= conformal(others.map((other) => other.leftOut))) held++;
    }
    return [
      group,
      `${its.length}`,
      percent(meanError(its, (one) => one.inSample)),
      ...folds.map((fold) => percent(meanError(within(fold.rows), (one) => one.leftOut))),
      `±${percent(Math.expm1(conformal(its.map((one) => one.leftOut))))}`,
      percent(held / its.length),
    ];
  });
  return `Leaving out all rows of one model, machine family or source (linearised refits):\n${table(
    [["group", "rows", "in sample", ...FOLDS.map(([name]) => name), "80% band", "held"], ...lines],
  )}`;
}

/** Mean over set-ups of relative errors, as in the other tables. */
function meanError(all: readonly LeftOut[], of: (its: LeftOut) => number): number {
  const logs = new Map(all.map((its) => [its.priced, of(its)]));
  const errors = bySetUp([...logs.keys()], (one) => errorOf(Math.exp(logs.get(one) ?? 0), 1));
  return mean([...errors.values()]);
}
