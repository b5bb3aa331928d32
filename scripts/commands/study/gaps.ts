/** Gaps between the tokens of streams, what a loop of timers makes of a period, and how both stand to a price. Times in ms. */
import type { Clock } from "../../../device/clock.ts";

/** How far the median may be off the price. */
export const MEDIAN_SHARE = 0.002;
/** How far above the price the 99th percentile may lie. */
export const TAIL_MILLISECONDS = 2;

export interface JudgedGaps {
  readonly median: number;
  /** The 99th percentile less the price. */
  readonly tail: number;
  readonly good: boolean;
}

/** Gaps between tokens while all of the streams decode: from the last one's third token to the first one's last but one. */
export function gapsOf(all: readonly (readonly number[])[]): number[] {
  const from = Math.max(...all.map((times) => times[2] ?? 0));
  const to = Math.min(...all.map((times) => times[times.length - 2] ?? 0));
  return all.flatMap((times) =>
    times
      .slice(1)
      .flatMap((at, index) =>
        (times[index] ?? 0) >= from && at <= to ? [at - (times[index] ?? 0)] : [],
      ),
  );
}

/** No gap at all is not good. */
export function judgeGaps(gaps: readonly number[], priced: number): JudgedGaps {
  const sorted = gaps.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const tail = (sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN) - priced;
  const good = Math.abs(median / priced - 1) <= MEDIAN_SHARE && tail <= TAIL_MILLISECONDS;
  return { median, tail, good };
}

/** Gaps of `count` deadlines `period` apart, nothing done at any. */
export async function bareLoop(clock: Clock, period: number, count: number): Promise<number[]> {
  const times: number[] = [];
  let when = clock.now();
  for (let index = 0; index < count; index++) {
    when += period * 1e6;
    await new Promise<void>((resolve) => {
      clock.at(Math.round(when), resolve, "step");
    });
    times.push(clock.now() / 1e6);
  }
  return times.slice(1).map((at, index) => at - (times[index] ?? 0));
}
