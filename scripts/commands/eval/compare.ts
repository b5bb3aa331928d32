/**
 * Two evaluations of the same questions: what differs, question by question. Quality by
 * McNemar's exact test and a paired bootstrap; times by a paired bootstrap of the ratio of
 * medians. 95 % intervals, drawn from one seed.
 */
import { ALL, type EvalAnswer, type EvalResult, median } from "./result.ts";

const DRAWS = 4000;

export interface QualityDifference {
  readonly kind: string;
  readonly items: number;
  /** Shares. */
  readonly a: number;
  readonly b: number;
  readonly interval: readonly [number, number];
  /** Right in A alone, in B alone. */
  readonly lost: number;
  readonly won: number;
  /** Two-sided, that as unequal a split comes of chance. */
  readonly p: number;
}

export interface TimeRatio {
  readonly name: string;
  readonly a: number;
  readonly b: number;
  /** B over A. */
  readonly ratio: number;
  readonly interval: readonly [number, number];
}

export interface EvalDifference {
  /** Questions of one run that the other lacks. */
  readonly alone: number;
  readonly quality: readonly QualityDifference[];
  readonly times: readonly TimeRatio[];
}

type Pair = readonly [EvalAnswer, EvalAnswer];

export function compareEvals(a: EvalResult, b: EvalResult): EvalDifference {
  const others = new Map(b.answers.map((answer) => [answer.id, answer]));
  const pairs = a.answers.flatMap((answer): Pair[] => {
    const other = others.get(answer.id);
    return other === undefined || other.kind !== answer.kind ? [] : [[answer, other]];
  });
  const kinds = [...new Set(pairs.map(([{ kind }]) => kind))];
  const groups: readonly (readonly [string, readonly Pair[]])[] = [
    ...kinds.map((kind) => [kind, pairs.filter(([its]) => its.kind === kind)] as const),
    [ALL, pairs],
  ];
  const times = [
    ["TTFT p50 ms", ({ ttftMs }: EvalAnswer) => ttftMs],
    ["TPOT p50 ms", ({ tpotMs }: EvalAnswer) => tpotMs],
  ] as const;
  return {
    alone: a.answers.length + b.answers.length - 2 * pairs.length,
    quality: groups.map(([kind, group]) => qualityOf(kind, group)),
    times: times.flatMap(([name, of]) => ratioOf(name, pairs, of) ?? []),
  };
}

function qualityOf(kind: string, pairs: readonly Pair[]): QualityDifference {
  const score = (side: 0 | 1): number => pairs.filter((pair) => pair[side].right).length;
  const lost = pairs.filter(([a, b]) => a.right && !b.right).length;
  const won = pairs.filter(([a, b]) => !a.right && b.right).length;
  const differences = pairs.map(([a, b]) => Number(b.right) - Number(a.right));
  const items = pairs.length;
  return {
    ...{ kind, items, a: score(0) / items, b: score(1) / items, lost, won },
    interval: bootstrap(items, (at) => mean(at.map((index) => differences[index] ?? 0))),
    p: mcnemar(lost, won),
  };
}

function ratioOf(
  name: string,
  all: readonly Pair[],
  of: (answer: EvalAnswer) => number | undefined,
): TimeRatio | undefined {
  const pairs = all.flatMap(([a, b]) => {
    const [x, y] = [of(a), of(b)];
    return x === undefined || y === undefined ? [] : [[x, y] as const];
  });
  const at = (side: 0 | 1, places: readonly number[]): number =>
    median(places.map((place) => pairs[place]?.[side])) ?? 0;
  const places = pairs.map((_, place) => place);
  const [a, b] = [at(0, places), at(1, places)];
  if (a === 0) return undefined;
  const interval = bootstrap(pairs.length, (drawn) => at(1, drawn) / at(0, drawn));
  return { name, a, b, ratio: b / a, interval };
}

/** The middle 95 % of a statistic over samples drawn with replacement. */
function bootstrap(
  count: number,
  of: (places: readonly number[]) => number,
): readonly [number, number] {
  const random = randomOf(1);
  const values = Array.from({ length: DRAWS }, () =>
    of(Array.from({ length: count }, () => Math.floor(random() * count))),
  ).sort((a, b) => a - b);
  const at = (share: number): number => values[Math.round(share * (DRAWS - 1))] ?? 0;
  return [at(0.025), at(0.975)];
}

/** McNemar's exact test: of so many questions that one run alone has right, are they half and half? */
export function mcnemar(lost: number, won: number): number {
  const count = lost + won;
  const least = Math.min(lost, won);
  let term = 0.5 ** count;
  let sum = 0;
  for (let k = 0; k <= least; k++) {
    sum += term;
    term *= (count - k) / (k + 1);
  }
  return Math.min(1, 2 * sum);
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
