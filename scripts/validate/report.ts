/** Errors per group: mean over set-ups, worst, bootstrap interval, beside the baseline. */
import type { Group, Priced } from "./price.ts";

export interface GroupReport {
  readonly group: string;
  readonly rows: number;
  readonly setUps: number;
  readonly models: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly worst: number;
  readonly worstKey: string;
  readonly baseline: number;
}

export function errorOf(predicted: number, measured: number): number {
  return Math.abs(predicted - measured) / Math.abs(measured);
}

/** Mean error of each set-up (all its metrics of the group together). */
export function bySetUp(
  priced: readonly Priced[],
  of: (its: Priced) => number,
): ReadonlyMap<string, number> {
  const sums = new Map<string, { sum: number; count: number }>();
  for (const its of priced) {
    const error = of(its);
    if (!Number.isFinite(error)) continue;
    const entry = sums.get(its.key) ?? { sum: 0, count: 0 };
    entry.sum += error;
    entry.count++;
    sums.set(its.key, entry);
  }
  return new Map([...sums].map(([key, { sum, count }]) => [key, sum / count]));
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Seeded: the same rows print the same interval. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** 90 % interval of the mean, over resampled set-ups. */
export function bootstrap(values: readonly number[], draws = 1000): readonly [number, number] {
  if (values.length === 0) return [Number.NaN, Number.NaN];
  const next = random(1);
  const means = Array.from({ length: draws }, () =>
    mean(values.map(() => values[Math.floor(next() * values.length)] ?? 0)),
  ).sort((a, b) => a - b);
  return [means[Math.floor(draws * 0.05)] ?? 0, means[Math.floor(draws * 0.95)] ?? 0];
}

export function reportGroups(priced: readonly Priced[]): readonly GroupReport[] {
  const groups = [...new Set(priced.map((its) => its.group))].sort();
  return groups.map((group: Group) => {
    const its = priced.filter((one) => one.group === group);
    const errors = bySetUp(its, (one) => errorOf(one.predicted, one.measured));
    const values = [...errors.values()];
    const [low, high] = bootstrap(values);
    const worst = [...errors].sort((a, b) => b[1] - a[1])[0] ?? ["", Number.NaN];
    return {
      group,
      rows: its.length,
      setUps: values.length,
      models: new Set(its.map((one) => one.row.model)).size,
      mean: mean(values),
      low,
      high,
      worst: worst[1],
      worstKey: worst[0],
      baseline: mean([...bySetUp(its, (one) => errorOf(one.baseline, one.measured)).values()]),
    };
  });
}

const percent = (value: number): string =>
  Number.isFinite(value) ? `${(value * 100).toFixed(1)}%` : "–";

export function printGroups(reports: readonly GroupReport[]): string {
  const head = ["group", "rows", "set-ups", "models", "mean", "90% interval", "worst", "baseline"];
  const lines = reports.map((its) => [
    its.group,
    `${its.rows}`,
    `${its.setUps}`,
    `${its.models}`,
    percent(its.mean),
    `${percent(its.low)}–${percent(its.high)}`,
    percent(its.worst),
    percent(its.baseline),
  ]);
  return table([head, ...lines]);
}

export function table(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? "").length)),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
