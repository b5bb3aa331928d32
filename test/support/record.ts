/** Batches that outlive their step: what a recorder has to keep. */
import type { Batch } from "../../device/device.ts";

/** A copy of all that a batch points to, as it is now. Replayed in order on a fresh device, copies give the same ids. */
export function copyBatch(batch: Batch): Batch {
  return {
    ...batch,
    rows: batch.rows.map((row) => ({
      ...row,
      context: row.context.slice(),
      blocks: row.blocks.slice(),
    })),
    copies: batch.copies.map((copy) => ({ ...copy })),
  };
}
