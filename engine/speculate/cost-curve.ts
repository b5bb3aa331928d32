/**
 * What something costs by its size, from noisy measurements. Each size keeps its
 * last three and answers with their median, so that a cold start or a busy moment
 * is outvoted; sizes not measured lie on the Theil–Sen line through the others.
 * (Tried and dropped: least squares. One slow first call bent it for a hundred steps.)
 */
const KEPT_OF_A_SIZE = 3;
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
    if (costs !== undefined && costs.length > 1) return lowerMedian(costs);
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
    for (const [size, costs] of this.#measured) points.push([size, lowerMedian(costs)]);
    const slopes: number[] = [];
    points.forEach(([x, y], index) => {
      for (const [otherX, otherY] of points.slice(index + 1)) {
        if (x !== otherX) slopes.push((otherY - y) / (otherX - x));
      }
    });
    const slope = Math.max(0, lowerMedian(slopes));
    return { slope, intercept: lowerMedian(points.map(([x, y]) => y - slope * x)) };
  }
}

/** Of an even count the lower one: of two times the better. 0 of none. */
function lowerMedian(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[(values.length - 1) >> 1] ?? 0;
}
