/** What a number of instances costs, and which plan comes first. */
import type { Candidate } from "./candidates.ts";

export interface Cost {
  readonly chips: number;
  /** Undefined when no price is listed or given. */
  readonly dollarsPerHour: number | undefined;
}

/** Dollars an hour, by instance. */
export type Prices = ReadonlyMap<string, number>;

export function costOf(
  { instance }: Pick<Candidate, "instance">,
  instances: number,
  prices: Prices,
): Cost {
  const price = prices.get(instance.name);
  return {
    chips: instances * instance.chips,
    dollarsPerHour: price === undefined ? undefined : price * instances,
  };
}

/** Among the priced by dollars, among the unpriced by chips; one of each does not compare: 0. */
export function compareCost(a: Cost, b: Cost): number {
  if (a.dollarsPerHour !== undefined && b.dollarsPerHour !== undefined) {
    return a.dollarsPerHour - b.dollarsPerHour;
  }
  return a.dollarsPerHour === b.dollarsPerHour ? a.chips - b.chips : 0;
}

interface Ranked extends Cost {
  readonly instances: number;
  readonly outputThroughput: number;
}

/** Cost, then chips, then what is given for them. Of plans that are both priced or both not. */
export function byCost(a: Ranked, b: Ranked): number {
  return compareCost(a, b) || a.chips - b.chips || b.outputThroughput - a.outputThroughput;
}

/**
 * Best first. Those with a price and those without have an order each, and are merged:
 * a plan whose price is not known comes before one with a price where it needs fewer
 * chips and no more instances, since its unknown price is no reason to call more
 * machines the better choice; else it comes after.
 */
export function rank<P extends Ranked>(plans: readonly P[]): P[] {
  const priced = plans.filter(({ dollarsPerHour }) => dollarsPerHour !== undefined).sort(byCost);
  const unpriced = plans.filter(({ dollarsPerHour }) => dollarsPerHour === undefined).sort(byCost);
  const merged: P[] = [];
  for (const plan of priced) {
    for (;;) {
      const other = unpriced[0];
      if (other === undefined || other.chips >= plan.chips || other.instances > plan.instances)
        break;
      merged.push(other);
      unpriced.shift();
    }
    merged.push(plan);
  }
  return [...merged, ...unpriced];
}
