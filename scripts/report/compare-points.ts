/**
 * Two sweeps or benches, point by point: what was set otherwise, what differs by
 * more than chance, and, of simulated ones, what the time between them was spent
 * on. Differences of the parts sum to that of the whole.
 */
import { INTERACTIVITY, type Point } from "./point.ts";
import { studentT } from "./student-t.ts";

export interface Measured {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly a: number;
  readonly b: number;
  /** b ÷ a − 1. */
  readonly change: number;
  /**
   * What chance alone moves it by, as a share; 0 where nothing is drawn, `Infinity` where the
   * runs were too short to tell. 997 of 1,000 comparisons of equals have no measure beyond it.
   */
  readonly noise: number;
  /** Is the change more than that? */
  readonly differs: boolean;
}

/** `Measured.noise` in words. */
export function chanceText(noise: number): string {
  if (noise === 0) return "none";
  return noise === Number.POSITIVE_INFINITY ? "too short" : `± ${(100 * noise).toFixed(1)} %`;
}

export interface PointPair {
  readonly name: string;
  readonly a: Point;
  readonly b: Point;
  readonly measures: readonly Measured[];
  /** Seconds of the engines' time, by what they were spent on; none where nothing was priced. */
  readonly parts: readonly { readonly name: string; readonly a: number; readonly b: number }[];
}

export interface PointComparison {
  readonly settings: readonly { readonly name: string; readonly a: string; readonly b: string }[];
  readonly pairs: readonly PointPair[];
  /** Points of either without a counterpart of the same workload and users. */
  readonly alone: number;
}

export function comparePoints(a: readonly Point[], b: readonly Point[]): PointComparison {
  const left = [...b];
  const matched: (readonly [Point, Point])[] = [];
  const sorted = [...a].sort((one, other) => one.concurrency - other.concurrency);
  for (const point of sorted) {
    const at = counterpart(point, left);
    if (at < 0) continue;
    const [other] = left.splice(at, 1);
    if (other !== undefined) matched.push([point, other]);
  }
  const pairs = matched.map(([point, other]) => pairOf(point, other, matched.length));
  const first = pairs[0] ?? { a: a[0], b: b[0] };
  return {
    settings: settingsOf(first.a, first.b),
    pairs,
    alone: a.length - pairs.length + left.length,
  };
}

/** The same load: users and lengths; among several, the one whose system is most alike. */
function counterpart(point: Point, others: readonly Point[]): number {
  let best = -1;
  let most = -1;
  for (const [index, other] of others.entries()) {
    const { concurrency, inputLen, outputLen } = other;
    if (concurrency !== point.concurrency) continue;
    if (inputLen !== point.inputLen || outputLen !== point.outputLen) continue;
    const alike = Object.entries(point.identity).filter(
      ([part, value]) => other.identity[part] === value,
    ).length;
    if (alike > most) {
      most = alike;
      best = index;
    }
  }
  return best;
}

function settingsOf(a: Point | undefined, b: Point | undefined): PointComparison["settings"] {
  const [of, at] = [a?.identity ?? {}, b?.identity ?? {}];
  return [...new Set([...Object.keys(of), ...Object.keys(at)])]
    .map((name) => ({ name, a: of[name] ?? "", b: at[name] ?? "" }))
    .filter((its) => its.a !== its.b);
}

interface Measure {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly of: (point: Point) => number;
  /** The latency whose spread says how far chance moves it. */
  readonly spread: "ttft" | "tpot" | "itl" | "e2el";
}

const MEASURES: readonly Measure[] = [
  {
    key: "output_throughput",
    title: "output tokens/s",
    unit: "tokens/s",
    better: "higher",
    of: (point) => point.outputThroughput,
    spread: "e2el",
  },
  {
    key: "interactivity",
    title: "tokens/s/user",
    unit: "tokens/s",
    better: "higher",
    of: INTERACTIVITY.inferencex.of,
    spread: "tpot",
  },
  ...(["ttft", "tpot", "itl", "e2el"] as const).map(
    (name): Measure => ({
      key: `mean_${name}_ms`,
      title: `${name.toUpperCase()} mean`,
      unit: "ms",
      better: "lower",
      of: (point) => point.latency[name].mean,
      spread: name,
    }),
  ),
];

/** Comparisons of equals that call some measure different. */
const FALSE_ALARMS = 0.003;
/**
 * Requests of one second share what disturbs a machine (a collector's cycle, a neighbour's burst)
 * and count as one draw of it: a convention.
 */
const DRAWS_A_SECOND = 1;
/** Fewer draws of either run say nothing. */
const FEWEST_DRAWS = 5;

function pairOf(a: Point, b: Point, loads: number): PointPair {
  const tail = FALSE_ALARMS / 2 / (loads * MEASURES.length);
  const measures = MEASURES.map(({ of, spread, ...measure }): Measured => {
    const noise = a.simulated && b.simulated ? 0 : chance(a, b, spread, tail);
    const change = of(b) / of(a) - 1;
    return { ...measure, a: of(a), b: of(b), change, noise, differs: Math.abs(change) > noise };
  }).filter((measure) => Number.isFinite(measure.change));
  const names = [...new Set([...Object.keys(a.parts ?? {}), ...Object.keys(b.parts ?? {})])];
  const parts =
    a.parts === undefined || b.parts === undefined
      ? []
      : names
          .map((name) => ({ name, a: a.parts?.[name] ?? 0, b: b.parts?.[name] ?? 0 }))
          .sort((one, other) => Math.abs(other.b - other.a) - Math.abs(one.b - one.a));
  const users = `${a.concurrency} user${a.concurrency === 1 ? "" : "s"}`;
  return { name: `${users}, ${a.inputLen} in / ${a.outputLen} out`, a, b, measures, parts };
}

/** What chance moves the ratio of two means by, all but `tail` of the times either way: Welch's interval. */
function chance(a: Point, b: Point, of: Measure["spread"], tail: number): number {
  const [drawnA, drawnB] = [draws(a), draws(b)];
  if (Math.min(drawnA, drawnB) < FEWEST_DRAWS) return Number.POSITIVE_INFINITY;
  const [errorA, errorB] = [variance(a, of) / drawnA, variance(b, of) / drawnB];
  const both = errorA + errorB;
  if (both === 0) return 0;
  const freedom = both ** 2 / (errorA ** 2 / (drawnA - 1) + errorB ** 2 / (drawnB - 1));
  return studentT(tail, freedom) * Math.sqrt(both);
}

/** Requests that share a batch vary together, so users count, not requests; a simulated run draws nothing of a machine. */
function draws({ completed, concurrency, duration, simulated }: Point): number {
  const turns = completed / Math.max(1, concurrency);
  return simulated ? turns : Math.min(turns, duration * DRAWS_A_SECOND);
}

/** Of one draw, as a share of the mean squared; the deviation is of a population. */
function variance(point: Point, of: Measure["spread"]): number {
  const { mean, std } = point.latency[of];
  const turns = point.completed / Math.max(1, point.concurrency);
  return mean > 0 ? ((std / mean) ** 2 * turns) / Math.max(1, turns - 1) : 0;
}
