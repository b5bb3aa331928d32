/**
 * Segments whose int4 weights can be unpacked to int8 for a prompt: the 4-bit product does two to
 * three times fewer operations a second than the integer one, and many rows pay for the unpacking.
 */
import { blockOf } from "./quantise.ts";
import type { ShardReader } from "./shard-reader.ts";
import type { Segment } from "./steps.ts";

/** Outputs that are unpacked together (kernel/unpack.ts). */
export const OUTPUTS_TOGETHER = 16;

/** An int4 product's weights in the file of converted weights: codes and F32 scales from these bytes on. Plain data, kept with it. */
export interface BlockProduct {
  readonly name: string;
  /** Outputs. */
  readonly rows: number;
  readonly width: number;
  readonly block: number;
  readonly codes: number;
  readonly scales: number;
}

/** Of fewer rows the 4-bit product is as quick. Parts of a longer step are as long (part-rows.ts). */
export const LEAST_UNPACKED = 60;

/** Unpacked weights of the largest segment are held beside the packed ones of all. */
const MOST_WEIGHTS = 2 ** 26;
/** A smaller segment's are unpacked no sooner than multiplied. */
const LEAST_WEIGHTS = 2 ** 18;

export function isUnpacked({ ops }: Segment, reader: Pick<ShardReader, "size">): boolean {
  let weights = 0;
  for (const op of ops) {
    if (op.op === "per-head") return false;
    if (op.op !== "products") continue;
    if (op.exact) return false;
    for (const { weight } of op.parts) {
      const { rows, width } = reader.size(weight);
      if (rows % OUTPUTS_TOGETHER > 0 || blockOf(width) === undefined) return false;
      weights += rows * width;
    }
  }
  return weights >= LEAST_WEIGHTS && weights <= MOST_WEIGHTS;
}
