/**
 * Constraints of a model that reasons first: until its reasoning ends the grammar
 * waits, and a budget, where one is given, ends the reasoning by force.
 */
import type { Constraint } from "../../engine/sequence.ts";

export interface ThinkingOptions {
  /** Ids that end the reasoning. */
  readonly endIds: readonly number[];
  /** Output ids of reasoning at most; absent: any number. */
  readonly budget?: number;
  /** Holds from the end of the reasoning on; absent: nothing does. */
  readonly inner?: Constraint;
}

export class ThinkingConstraint implements Constraint {
  readonly #options: ThinkingOptions;
  readonly #output: number[] = [];
  /** Ids of the output that were reasoning, the end included; undefined: it goes on. */
  #thought: number | undefined;

  constructor(options: ThinkingOptions) {
    this.#options = options;
  }

  get failure(): Error | undefined {
    return this.#options.inner?.failure;
  }

  mask(mask: Int32Array): boolean {
    const { budget, endIds, inner } = this.#options;
    if (this.#thought !== undefined) return inner?.mask(mask) ?? false;
    if (budget === undefined || this.#output.length < budget) return false;
    const forced = endIds[this.#begun()];
    mask.fill(0);
    if (forced !== undefined) mask[forced >> 5] = 1 << (forced & 31);
    return true;
  }

  accept(id: number): boolean {
    this.#output.push(id);
    if (this.#thought !== undefined) return this.#options.inner?.accept(id) ?? true;
    if (this.#begun() === this.#options.endIds.length) this.#thought = this.#output.length;
    return true;
  }

  rollback(count: number): void {
    const length = Math.max(0, this.#output.length - count);
    if (this.#thought !== undefined) {
      const inside = this.#output.length - Math.max(length, this.#thought);
      if (inside > 0) this.#options.inner?.rollback(inside);
      if (length < this.#thought) this.#thought = undefined;
    }
    this.#output.length = length;
  }

  /** How many of the ids that end the reasoning are the last of the output. */
  #begun(): number {
    const { endIds } = this.#options;
    for (let count = Math.min(endIds.length, this.#output.length); count > 0; count--) {
      const tail = this.#output.slice(this.#output.length - count);
      if (tail.every((id, i) => id === endIds[i])) return count;
    }
    return 0;
  }
}
