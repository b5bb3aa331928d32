/** Files of converted weights: what both those that are kept and those that are not go by. */
import { writeSync } from "node:fs";

/** Where the runtime maps from. */
export const ALIGNED = 4096;
/** Of the disk's free bytes they may take. */
export const SHARE_OF_FREE = 0.5;

/** Writes all of `data` from byte `begin` on. */
export function writeWhole(file: number, data: Uint8Array, begin: number): void {
  for (let done = 0; done < data.byteLength; ) {
    // One write of more than 2 GiB is cut short by some systems.
    const step = Math.min(data.byteLength - done, 1 << 30);
    done += writeSync(file, data, done, step, begin + done);
  }
}
