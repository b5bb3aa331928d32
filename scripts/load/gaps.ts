/** Gaps between the chunks of an answer, equal ones in a row taken together: in simulated time most are. */

export class Gaps implements Iterable<number> {
  /** Of each run: its gap in seconds, and how many there are. */
  readonly values: number[] = [];
  readonly counts: number[] = [];
  /** Of all runs. */
  length = 0;

  add(value: number, count = 1): void {
    const last = this.values.length - 1;
    if (this.values[last] === value) this.counts[last] = (this.counts[last] ?? 0) + count;
    else {
      this.values.push(value);
      this.counts.push(count);
    }
    this.length += count;
  }

  addAll({ values, counts }: Gaps): void {
    for (let run = 0; run < values.length; run++) this.add(values[run] ?? 0, counts[run] ?? 0);
  }

  *[Symbol.iterator](): Iterator<number> {
    for (const [run, value] of this.values.entries())
      for (let left = this.counts[run] ?? 0; left > 0; left--) yield value;
  }
}

/** Values, and how often each comes in a row; absent counts: once. */
export interface Runs {
  readonly values: ArrayLike<number>;
  readonly counts?: ArrayLike<number>;
}

export function runsOf(gaps: ArrayLike<number> | Gaps): Runs {
  return gaps instanceof Gaps ? gaps : { values: gaps };
}
