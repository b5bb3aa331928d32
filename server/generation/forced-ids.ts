/** Forces the ids of an output, one after the other: of a recorded one (`--enable-trace-replay`), of a fixed answer. */

import type { TokenId } from "../../device/device.ts";
import type { Constraint } from "../../engine/sequence.ts";
import { entryAt } from "../entry-at.ts";

export class ForcedIds implements Constraint {
  readonly #ids: readonly TokenId[];
  #at = 0;

  constructor(ids: readonly TokenId[]) {
    this.#ids = ids;
  }

  mask(mask: Int32Array): boolean {
    const id = this.#ids[this.#at];
    if (id === undefined) return false;
    mask[id >> 5] = entryAt(mask, id >> 5) | (1 << (id & 31));
    return true;
  }

  accept(id: TokenId): boolean {
    if (this.#ids[this.#at] !== id) return false;
    this.#at++;
    return true;
  }

  rollback(count: number): void {
    this.#at -= count;
  }
}
