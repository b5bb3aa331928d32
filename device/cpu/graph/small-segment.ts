/** Which segments one thread computes as soon as all: who keeps converted weights knows them by this code too. */
import type { Weight } from "../../../models/ops.ts";
import type { Quantization } from "./lower.ts";
import type { ShardReader } from "./shard-reader.ts";
import type { Program, Segment } from "./steps.ts";

/** Weights that a thread multiplies by one row in about the time that others take to join it, some 0.1 ms. */
const MOST_WEIGHTS = 2 ** 21;

/**
 * Whether small segments are for one thread in steps of few rows. Products in blocks may be summed
 * otherwise on one thread than on several; other formats promise that they are not.
 */
export function workAlone({
  threads,
  quantization,
  batchInvariant = false,
}: {
  readonly threads: number;
  readonly quantization: Quantization;
  readonly batchInvariant?: boolean;
}): boolean {
  return threads > 1 && quantization === "int4" && !batchInvariant;
}

export function isSmallSegment(segment: Segment, reader: Pick<ShardReader, "size">): boolean {
  const weights = weightsOf(segment).reduce((sum, weight) => {
    const { rows, width } = reader.size(weight);
    return sum + rows * width;
  }, 0);
  return weights <= MOST_WEIGHTS;
}

/** Of all small segments but experts, whose threads are their layer's matter. */
export function smallWeights(
  { body, head }: Program,
  reader: Pick<ShardReader, "size">,
): readonly Weight[] {
  const segments = body.flatMap((step) => (step.kind === "run" ? [step.segment] : []));
  return [...segments, head]
    .filter((segment) => isSmallSegment(segment, reader))
    .flatMap(weightsOf);
}

const weightsOf = ({ ops }: Segment): readonly Weight[] =>
  ops.flatMap((op) => (op.op === "products" ? op.parts.map(({ weight }) => weight) : []));
