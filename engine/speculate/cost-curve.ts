/**
 * What something costs by its size, from noisy measurements. Noise only ever adds, and
 * comes in bursts of several steps: each size keeps its last eight and answers with
 * their lower quartile (or what the owner asks for). A size not measured lies between
 * its neighbours (costs have steps: buckets, cores), beyond all on their Theil–Sen line.
 * (Tried and dropped: least squares. One slow first call bent it for a hundred steps.
 * The median of three: a burst ended guessing where it paid, twice a second.)
 */
const KEPT_OF_A_SIZE = 8;
const SHARE = 1 / 4;
const KEPT_SIZES = 16;

export class CostCurve {
  readonly #kept: number;
  readonly #share: number;
  /** Latest measurements by size; the size measured last stands last. */
  readonly #measured = new Map<number, number[]>();
  /** What each size answers, kept: it is asked often. */
  readonly #answers = new Map<number, number>();
  #line: { readonly slope: number; readonly intercept: number } | undefined;

  /** `kept`: measurements of a size; `share`: the quantile of them that answers. */
  constructor({ kept = KEPT_OF_A_SIZE, share = SHARE } = {}) {
    this.#kept = kept;
    this.#share = share;
  }

  /** By what factor the size differs from the nearest one measured; infinite when none is. */
  nearest(size: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const known of this.#measured.keys()) {
      least = Math.min(least, Math.max(size, known) / Math.min(size, known));
    }
    return least;
  }

  add(size: number, cost: number): void {
    const costs = this.#measured.get(size) ?? [];
    costs.push(cost);
    if (costs.length > this.#kept) costs.shift();
    this.#measured.delete(size);
    this.#measured.set(size, costs);
    if (this.#measured.size > KEPT_SIZES) {
      const [oldest] = this.#measured.keys();
      if (oldest !== undefined) {
        this.#measured.delete(oldest);
        this.#answers.delete(oldest);
      }
    }
    this.#answers.set(size, quantile(costs, this.#share));
    this.#line = undefined;
  }

  /** Never below 0; 0 when nothing is known. */
  at(size: number): number {
    const known = this.#answers.get(size);
    if (known !== undefined && (this.#measured.get(size)?.length ?? 0) > 1) return known;
    const between = this.#between(size);
    if (between !== undefined) return between;
    this.#line ??= this.#fit();
    return Math.max(0, this.#line.intercept + this.#line.slope * size);
  }

  /** What one more costs, by the line. */
  get slope(): number {
    this.#line ??= this.#fit();
    return this.#line.slope;
  }

  /** On the line through the nearest sizes below and above. */
  #between(size: number): number | undefined {
    let below: readonly [number, number] | undefined;
    let above: readonly [number, number] | undefined;
    for (const point of this.#answers) {
      const [known] = point;
      if (known < size && known > (below?.[0] ?? 0)) below = point;
      if (known > size && known < (above?.[0] ?? Number.POSITIVE_INFINITY)) above = point;
    }
    if (below === undefined || above === undefined) return undefined;
    return below[1] + ((above[1] - below[1]) * (size - below[0])) / (above[0] - below[0]);
  }

  /** More never costs less: the slope is not below 0. */
  #fit(): { slope: number; intercept: number } {
    const points = [...this.#answers];
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
