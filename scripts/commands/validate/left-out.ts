/**
 * Leaving out: what every row's error is under constants that never saw its table,
 * or any table of its release. Each fold is fitted anew, rows priced at every round; the
 * few host times of served stacks are on slopes, and the fold's own rows run again.
 */
import { DEFAULT_CONSTANTS } from "../../../device/trainium/constants.ts";
import type { Bench } from "./bench.ts";
import { type Half, otherServed, servedHalf, stepsHalf, without, withoutOnSlopes } from "./fit.ts";
import type { Priced } from "./price.ts";
import type { Row } from "./rows.ts";
import { FOLDS, tableOf } from "./tables.ts";

/** One row's errors, log(predicted / measured). */
export interface LeftOut {
  readonly priced: Priced;
  readonly table: string;
  readonly calibrated: number;
  /** With its table, and with every table of its release, out of the fit. */
  readonly withoutTable: number;
  readonly withoutRelease: number;
}

/** `served`: with the rows that schedulers answer, which takes minutes. */
export function leaveOut(
  rows: readonly Row[],
  options: { readonly served: boolean; readonly tell?: (text: string) => void },
): readonly LeftOut[] {
  const steps = prepared(stepsHalf(rows));
  const served = options.served ? prepared(servedHalf(rows)) : undefined;
  const others = served === undefined ? undefined : otherServed(rows, served.half);
  const own = new Set(steps.half.bench.samples.map((its) => its.row.id));
  const priced = new Map<string, Priced>();
  for (const bench of [steps.half.bench, served?.half.bench, others]) {
    bench?.prices.forEach((its) => {
      if (!priced.has(its.row.id)) priced.set(its.row.id, its);
    });
  }
  const errors = {
    table: refits(FOLDS.table, { steps, served, others, own }, options.tell),
    release: refits(FOLDS.release, { steps, served, others, own }, options.tell),
  };
  return [...priced.values()].map((its): LeftOut => {
    const calibrated = Math.log(its.predicted / its.measured);
    return {
      priced: its,
      table: tableOf(its.row),
      calibrated,
      withoutTable: errors.table.get(its.row.id) ?? calibrated,
      withoutRelease: errors.release.get(its.row.id) ?? calibrated,
    };
  });
}

interface Prepared {
  readonly half: Half;
  readonly slopes: readonly Float64Array[];
  readonly errors: Float64Array;
}

function prepared(half: Half): Prepared {
  const errors = half.bench.first();
  return { half, errors, slopes: half.bench.slopes(half.free, errors) };
}

/** Errors of each fold's rows under constants fitted without them, by row id. */
function refits(
  foldOf: (row: Row) => string,
  its: {
    readonly steps: Prepared;
    readonly served: Prepared | undefined;
    /** Served rows that ask for no constant of their own: the fold's steps price them. */
    readonly others: Bench | undefined;
    readonly own: ReadonlySet<string>;
  },
  tell: (text: string) => void = () => {},
): ReadonlyMap<string, number> {
  const { steps, served, others, own } = its;
  const found = new Map<string, number>();
  const benches = [steps.half.bench, served?.half.bench, others];
  const folds = new Set(
    benches.flatMap((bench) => (bench?.samples ?? []).map((one) => foldOf(one.row))),
  );
  for (const fold of folds) {
    const within = (bench: Bench) => (index: number) => {
      const row = bench.samples[index]?.row;
      return row !== undefined && foldOf(row) === fold;
    };
    const refitted = constantsWithout(within, its);
    if (served !== undefined) {
      const bench = served.half.bench;
      const inside = within(bench);
      if (keysWithin(served.half, inside).length > 0) {
        bench.set(refitted);
        collect(
          bench,
          (index) => inside(index) && !own.has(bench.samples[index]?.row.id ?? ""),
          found,
        );
      }
      bench.set(DEFAULT_CONSTANTS);
    }
    for (const bench of [steps.half.bench, others]) {
      if (bench === undefined) continue;
      bench.set(refitted);
      collect(bench, within(bench), found);
      bench.set(DEFAULT_CONSTANTS);
    }
    tell(fold);
  }
  return found;
}

/** Constants fitted without a fold's rows: those of served stacks where its own rows ask for them. */
function constantsWithout(
  within: (bench: Bench) => (index: number) => boolean,
  { steps, served }: { readonly steps: Prepared; readonly served: Prepared | undefined },
): Map<string, number> {
  const inSteps = within(steps.half.bench);
  const refitted = new Map(without(steps.half, (index) => !inSteps(index), steps.slopes));
  if (served === undefined) return refitted;
  const { bench } = served.half;
  const inside = within(bench);
  const keys = keysWithin(served.half, inside);
  if (keys.length === 0) return refitted;
  const near = (index: number): boolean =>
    !inside(index) && keys.some((key) => bench.reads(index, key));
  for (const [key, value] of withoutOnSlopes(served.half, near, served))
    if (keys.includes(key)) refitted.set(key, value);
  return refitted;
}

/** Constants of a half that rows inside a fold ask for. */
function keysWithin({ bench, free }: Half, inside: (index: number) => boolean): readonly string[] {
  return free
    .filter(({ key }) => bench.samples.some((_, index) => inside(index) && bench.reads(index, key)))
    .map(({ key }) => key);
}

/** Every table with the constants that a fit without it has. */
export function* fitsWithoutTables(
  rows: readonly Row[],
  { served }: { readonly served: boolean },
): Generator<{ readonly table: string; readonly constants: ReadonlyMap<string, number> }> {
  const halves = {
    steps: prepared(stepsHalf(rows)),
    served: served ? prepared(servedHalf(rows)) : undefined,
  };
  for (const table of new Set(rows.map(tableOf))) {
    const within = (bench: Bench) => (index: number) => {
      const row = bench.samples[index]?.row;
      return row !== undefined && tableOf(row) === table;
    };
    const refitted = constantsWithout(within, halves);
    yield { table, constants: new Map([...DEFAULT_CONSTANTS, ...refitted]) };
  }
}

function collect(
  bench: Bench,
  wanted: (index: number) => boolean,
  into: Map<string, number>,
): void {
  const errors = bench.residuals(wanted);
  bench.samples.forEach(({ row, sign }, index) => {
    if (wanted(index)) into.set(row.id, sign * (errors[index] ?? 0));
  });
}
