/** Which segments one thread computes as soon as all: who keeps converted weights knows them by this code too. */
import type { ShardReader } from "./shard-reader.ts";
import type { Segment } from "./steps.ts";

/** Weights that a thread multiplies by one row in about the time that others take to join it, some 0.1 ms. */
const MOST_WEIGHTS = 2 ** 21;

export function isSmallSegment({ ops }: Segment, reader: Pick<ShardReader, "size">): boolean {
  const parts = ops.flatMap((op) => (op.op === "products" ? op.parts : []));
  const weights = parts.reduce((sum, { weight }) => {
    const { rows, width } = reader.size(weight);
    return sum + rows * width;
  }, 0);
  return weights <= MOST_WEIGHTS;
}
