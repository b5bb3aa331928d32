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

/** All zero when there are no values, as in vLLM's results. `counts`: how often each value stands in the list. */
export function summarise(
  values: ArrayLike<number>,
  percentiles: readonly number[],
  counts?: ArrayLike<number>,
): Summary {
  const length = counts === undefined ? values.length : sumOf(counts);
  const tally = tallied(values, counts);
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

/** Gaps of simulated time are few values, many million times: counted, not sorted. */
function tallied(values: ArrayLike<number>, given?: ArrayLike<number>): Tally {
  /** Each different value's place in `counts`. A Map is asked once a value: of numbers with fractions it is slow. */
  const places = new Map<number, number>();
  const counts: number[] = [];
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? 0;
    const count = given === undefined ? 1 : (given[index] ?? 0);
    const place = places.get(value);
    if (place !== undefined) counts[place] = (counts[place] ?? 0) + count;
    else {
      places.set(value, counts.length);
      counts.push(count);
      if (counts.length > MOST_COUNTED) return sortedTally(values, given);
    }
  }
  const different = ascending([...places.keys()]);
  return {
    values: different,
    counts: different.map((value) => counts[places.get(value) ?? 0] ?? 0),
  };
}

/** Of too many different values. */
function sortedTally(values: ArrayLike<number>, given?: ArrayLike<number>): Tally {
  if (given === undefined)
    return { values: ascending(values), counts: new Float64Array(values.length).fill(1) };
  const order = Int32Array.from({ length: values.length }, (_, index) => index);
  order.sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const sorted = (list: ArrayLike<number>): Float64Array =>
    Float64Array.from(order, (index) => list[index] ?? 0);
  return { values: sorted(values), counts: sorted(given) };
}

function sumOf(counts: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < counts.length; index++) sum += counts[index] ?? 0;
  return sum;
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
