/** Statistics as NumPy computes them: population deviation, percentiles by linear interpolation. */

export interface Summary {
  readonly mean: number;
  readonly median: number;
  readonly std: number;
  /** By percentile, as asked: 99 → p99. */
  readonly percentiles: ReadonlyMap<number, number>;
}

/** Percentile (0 to 100) of ascending values; 0 when there are none. */
export function percentileOf(sorted: ArrayLike<number>, percentile: number): number {
  if (sorted.length === 0) return 0;
  const position = ((sorted.length - 1) * percentile) / 100;
  const below = Math.floor(position);
  const low = sorted[below] ?? 0;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? low;
  return low + (high - low) * (position - below);
}

export function ascending(values: ArrayLike<number>): Float64Array {
  return new Float64Array(values).sort();
}

/** All zero when there are no values, as in vLLM's results. */
export function summarise(values: ArrayLike<number>, percentiles: readonly number[]): Summary {
  const { length } = values;
  const tally = tallied(values);
  const mean = length === 0 ? 0 : addedUp(tally, (value) => value) / length;
  const squares = addedUp(tally, (value) => (value - mean) ** 2);
  const at = (percentile: number): number => percentileIn(tally, length, percentile);
  return {
    mean,
    median: at(50),
    std: length === 0 ? 0 : Math.sqrt(squares / length),
    percentiles: new Map(percentiles.map((p) => [p, at(p)])),
  };
}

/** Values ascending, and how often each occurs. */
interface Tally {
  readonly values: Float64Array;
  readonly counts: Float64Array;
}

/** Different values up to which counting is quicker than sorting. */
const MOST_COUNTED = 2 ** 16;

/** Gaps of simulated time are few values, many million times, one after another: counted, not sorted. */
function tallied(values: ArrayLike<number>): Tally {
  const counts = new Map<number, number>();
  const { length } = values;
  for (let from = 0, to = 0; from < length; from = to) {
    const value = values[from] ?? 0;
    while (to < length && values[to] === value) to++;
    if (to === from) to++; // not a number
    counts.set(value, (counts.get(value) ?? 0) + to - from);
    if (counts.size > MOST_COUNTED) {
      return { values: ascending(values), counts: new Float64Array(length).fill(1) };
    }
  }
  const different = ascending([...counts.keys()]);
  return { values: different, counts: different.map((value) => counts.get(value) ?? 0) };
}

/** Sum of `of` each value, added one by one from the least on: rounded as if they stood in a list. */
function addedUp({ values, counts }: Tally, of: (value: number) => number): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) {
    const each = of(values[index] ?? 0);
    for (let left = counts[index] ?? 0; left > 0; left--) sum += each;
  }
  return sum;
}

/** `percentileOf` the values as a list of `length`. */
function percentileIn({ values, counts }: Tally, length: number, percentile: number): number {
  if (length === 0) return 0;
  const position = ((length - 1) * percentile) / 100;
  const below = Math.floor(position);
  let index = 0;
  let end = counts[0] ?? 0;
  while (end <= below) end += counts[++index] ?? length;
  const low = values[index] ?? 0;
  const high = below + 1 < end ? low : (values[index + 1] ?? low);
  return low + (high - low) * (position - below);
}
