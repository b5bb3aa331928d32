/**
 * A step of more rows goes through segments in parts: what lies between their products stays in
 * cache. The runtime's 4-bit product of 48 rows and more is six times slower on some processors
 * (Xeon with AMX: 23 GFLOP/s a thread against 138 at 32 rows), and no quicker on others.
 */
import { LEAST_UNPACKED } from "./graph/unpacked.ts";
import type { Runner } from "./session.ts";
import { wholePairs } from "./two-ways.ts";
import { Unpacked } from "./unpacking.ts";

const PART_ROWS = { blocks: 32, other: 256 } as const;

/** Of a step of `tokens`, alike in size: none is so small that another format would compute it. `blocksAlone`: products are in blocks, whatever the rows. */
export function partRows(tokens: number, runner: Runner, blocksAlone: boolean): number {
  const inBlocks = blocksAlone && !(runner instanceof Unpacked && tokens >= LEAST_UNPACKED);
  const most = PART_ROWS[inBlocks ? "blocks" : "other"];
  return wholePairs(Math.ceil(tokens / Math.ceil(tokens / most)));
}
