/**
 * What something costs by its size, from noisy measurements. Noise only ever adds, and
 * comes in bursts of several steps: each size keeps its last eight and answers with
 * their lower quartile; sizes not measured lie on the Theil–Sen line through the others.
 * (Tried and dropped: least squares. One slow first call bent it for a hundred steps.
 * The median of three: a burst ended guessing where it paid, twice a second.)
 */
const KEPT_OF_A_SIZE = 8;
const KEPT_SIZES = 16;

export class CostCurve {
  /** Latest measurements by size; the size measured last stands last. */
  readonly #measured = new Map<number, number[]>();
  #line: { readonly slope: number; readonly intercept: number } | undefined;

  add(size: number, cost: number): void {
    const costs = this.#measured.get(size) ?? [];
    costs.push(cost);
    if (costs.length > KEPT_OF_A_SIZE) costs.shift();
    this.#measured.delete(size);
    this.#measured.set(size, costs);
    if (this.#measured.size > KEPT_SIZES) {
      const [oldest] = this.#measured.keys();
      if (oldest !== undefined) this.#measured.delete(oldest);
    }
    this.#line = undefined;
  }

  /** Never below 0; 0 when nothing is known. */
  at(size: number): number {
    const costs = this.#measured.get(size);
    if (costs !== undefined && costs.length > 1) return quantile(costs, 1 / 4);
    this.#line ??= this.#fit();
    return Math.max(0, this.#line.intercept + this.#line.slope * size);
  }

  /** What one more costs, by the line. */
  get slope(): number {
    this.#line ??= this.#fit();
    return this.#line.slope;
  }

  /** More never costs less: the slope is not below 0. */
  #fit(): { slope: number; intercept: number } {
    const points: [number, number][] = [];
    for (const [size, costs] of this.#measured) points.push([size, quantile(costs, 1 / 4)]);
    const slopes: number[] = [];
    points.forEach(([x, y], index) => {
      for (const [otherX, otherY] of points.slice(index + 1)) {
        if (x !== otherX) slopes.push((otherY - y) / (otherX - x));
      }
    });
    const slope = Math.max(0, quantile(slopes, 1 / 2));
    return {
      slope,
      intercept: quantile(
        points.map(([x, y]) => y - slope * x),
        1 / 2,
      ),
    };
  }
}

/** Between two values the lower one. 0 of none. */
function quantile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? 0;
}
