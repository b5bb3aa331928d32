/** Errors per group and part: mean over set-ups, worst, bootstrap interval, share within bands, baseline. */
import { halfWidth } from "../../../device/trainium/price/bands.ts";
import { table } from "../../report/table.ts";
import { PARTS, type Part, type Priced } from "./price.ts";

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
  /** Share of rows within the 80 % band of their prediction. */
  readonly held: number;
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

export function reportGroups(
  priced: readonly Priced[],
  nameOf: (its: Priced) => string = (its) => its.part,
): readonly GroupReport[] {
  const groups = [...new Set(priced.map(nameOf))].sort();
  return groups.map((group) => {
    const its = priced.filter((one) => nameOf(one) === group);
    const errors = bySetUp(its, (one) => errorOf(one.predicted, one.measured));
    const values = [...errors.values()];
    const [low, high] = bootstrap(values);
    const worst = [...errors].sort((a, b) => b[1] - a[1])[0] ?? ["", Number.NaN];
    const held = its.map(withinBand).filter((one): one is boolean => one !== undefined);
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
      held: held.filter(Boolean).length / held.length,
    };
  });
}

/** Does the 80 % band of a prediction hold what was measured? undefined: its part has no band. */
export function withinBand(its: Priced): boolean | undefined {
  const half = halfWidth(PARTS[its.part], its.tier);
  return half === undefined ? undefined : Math.abs(Math.log(its.predicted / its.measured)) <= half;
}

const percent = (value: number): string =>
  Number.isFinite(value) ? `${(value * 100).toFixed(1)}%` : "–";

/** The groups, each followed by its parts where there are several. */
export function printGroups(priced: readonly Priced[]): string {
  const head = [
    "group",
    "rows",
    "set-ups",
    "models",
    "mean",
    "90% interval",
    "worst",
    "in band",
    "baseline",
  ];
  const line = (its: GroupReport, name: string): readonly string[] => [
    name,
    `${its.rows}`,
    `${its.setUps}`,
    `${its.models}`,
    percent(its.mean),
    `${percent(its.low)}–${percent(its.high)}`,
    percent(its.worst),
    percent(its.held),
    percent(its.baseline),
  ];
  const parts = reportGroups(priced);
  const lines = reportGroups(priced, (its) => PARTS[its.part]).flatMap((its) => {
    const within = parts.filter((part) => PARTS[part.group as Part] === its.group);
    const below = within.length > 1 ? within.map((part) => line(part, `  ${part.group}`)) : [];
    return [line(its, its.group), ...below];
  });
  return table([head, ...lines]);
}
