/**
 * A step as its ranks receive it: one Int32Array, cheap to copy to a thread.
 *
 *     rows, copies, then per row: start, count, blocks, adapter, count ids, the block table;
 *     then per copy: from, to
 */
import type { Batch, BatchRow, DeviceLimits, TokenId } from "../device.ts";

const NO_ADAPTER = -1;

export interface StepRow {
  readonly start: number;
  readonly count: number;
  /** First token of the row among the step's tokens. */
  readonly offset: number;
  /** Shelf place of its adapter; absent: it has none. */
  readonly adapter?: number;
  /** Block of positions [i·blockSize, (i+1)·blockSize), as far as the step reaches. */
  readonly blocks: Int32Array;
}

export interface RankStep {
  readonly rows: readonly StepRow[];
  /** Ids of all rows, one row after the other. */
  readonly tokens: Int32Array;
  /** from, to, from, to, … */
  readonly copies: Int32Array;
}

export interface Encoding {
  /** The id at an index of a row's context. */
  readonly resolve: (row: BatchRow, index: number) => TokenId;
  /** Shelf place of a row's adapter; absent: none is named. */
  readonly place?: (row: BatchRow) => number | undefined;
  /** Blocks for so many more tokens are sent along where the row has them; absent: 0. */
  readonly ahead?: number;
}

/**
 * Throws for a row that lacks blocks and for a block outside the pool.
 */
export function encodeStep(
  batch: Pick<Batch, "rows" | "copies">,
  { blockSize, blocks: poolBlocks }: Pick<DeviceLimits, "blockSize" | "blocks">,
  { resolve, place, ahead = 0 }: Encoding,
): Int32Array {
  const needed = (row: BatchRow): number => Math.ceil((row.start + row.count) / blockSize);
  const blocksOf = (row: BatchRow): number =>
    Math.max(
      needed(row),
      Math.min(Math.ceil((row.start + row.count + ahead) / blockSize), row.blocks.length),
    );
  const size = batch.rows.reduce((sum, row) => sum + 4 + row.count + blocksOf(row), 2);
  const out = new Int32Array(size + 2 * batch.copies.length);
  out[0] = batch.rows.length;
  out[1] = batch.copies.length;
  let at = 2;
  for (const row of batch.rows) {
    const blocks = blocksOf(row);
    if (row.blocks.length < needed(row)) {
      throw new Error(`Row ${row.id} has ${row.blocks.length} blocks and needs ${needed(row)}.`);
    }
    out[at++] = row.start;
    out[at++] = row.count;
    out[at++] = blocks;
    out[at++] = place?.(row) ?? NO_ADAPTER;
    for (let i = 0; i < row.count; i++) out[at++] = resolve(row, row.start + i);
    for (let i = 0; i < blocks; i++) {
      const block = row.blocks[i] ?? -1;
      if (block < 0 || block >= poolBlocks) {
        throw new Error(`Row ${row.id} has block ${block}, and the pool has ${poolBlocks}.`);
      }
      out[at++] = block;
    }
  }
  for (const { from, to } of batch.copies) {
    out[at++] = from;
    out[at++] = to;
  }
  return out;
}

export function decodeStep(packed: Int32Array): RankStep {
  const rows: StepRow[] = [];
  const ids: Int32Array[] = [];
  const [rowCount = 0, copyCount = 0] = packed;
  let at = 2;
  let offset = 0;
  for (let r = 0; r < rowCount; r++) {
    const start = packed[at++] ?? 0;
    const count = packed[at++] ?? 0;
    const blocks = packed[at++] ?? 0;
    const adapter = packed[at++] ?? NO_ADAPTER;
    ids.push(packed.subarray(at, at + count));
    at += count;
    const row = { start, count, offset, blocks: packed.subarray(at, at + blocks) };
    rows.push(adapter === NO_ADAPTER ? row : { ...row, adapter });
    at += blocks;
    offset += count;
  }
  const tokens = new Int32Array(offset);
  rows.forEach((row, index) => {
    tokens.set(ids[index] ?? [], row.offset);
  });
  return { rows, tokens, copies: packed.subarray(at, at + 2 * copyCount) };
}
