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
  const sorted = ascending(values);
  let sum = 0;
  for (const value of sorted) sum += value;
  const mean = sorted.length === 0 ? 0 : sum / sorted.length;
  let squares = 0;
  for (const value of sorted) squares += (value - mean) ** 2;
  return {
    mean,
    median: percentileOf(sorted, 50),
    std: sorted.length === 0 ? 0 : Math.sqrt(squares / sorted.length),
    percentiles: new Map(percentiles.map((p) => [p, percentileOf(sorted, p)])),
  };
}
