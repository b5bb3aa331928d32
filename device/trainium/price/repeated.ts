/**
 * A decode batch repeated, contexts growing by a token each time. Between two context buckets a
 * repetition's duration stays; what the cache's padding takes of it becomes its contexts' own.
 */
import type { Nanos } from "../../clock.ts";
import type { StepCost } from "../../trace.ts";
import { bucketOf } from "../plan.ts";
import type { CostModel, ShortRows } from "./cost-model.ts";

export class RepeatedStep {
  readonly #model: CostModel;
  readonly #rows: ShortRows;
  readonly #parts: Record<string, Nanos>;
  /** Repetitions until now; the batch itself is none. */
  #done = 0;
  /** What the first in the bucket under way costs, its number, and the last one's. */
  #first: StepCost | undefined;
  #from = 0;
  #until = 0;
  /** Padding that the last has less than the first, and what those until now have together. */
  #filled = 0;
  #moved = 0;
  /** Repetitions whose parts are added. */
  #settled = 0;

  /** `rows`: those of the batch, none long; `parts`: where `settle` adds those of the repetitions. */
  constructor(model: CostModel, rows: ShortRows, parts: Record<string, Nanos>) {
    this.#model = model;
    this.#rows = rows;
    this.#parts = parts;
  }

  /** Once more; its duration. */
  next(): Nanos {
    const step = this.#done + 1;
    let first = this.#first;
    if (first === undefined || step > this.#until) {
      this.settle();
      first = this.#enter(step);
    }
    this.#done = step;
    const share = (step - this.#from) / Math.max(1, this.#until - this.#from);
    this.#moved += Math.round(this.#filled * Math.min(1, share));
    return first.duration;
  }

  /** Adds the parts of all until now. */
  settle(): void {
    const first = this.#first?.parts ?? {};
    const count = this.#done - this.#settled;
    const parts = this.#parts;
    for (const part in first) parts[part] = (parts[part] ?? 0) + count * (first[part] ?? 0);
    if (this.#moved !== 0) {
      parts["padding"] = (parts["padding"] ?? 0) - this.#moved;
      parts["kv"] = (parts["kv"] ?? 0) + this.#moved;
    }
    this.#settled = this.#done;
    this.#moved = 0;
  }

  /** The bucket that a repetition is the first in; its price. */
  #enter(step: number): StepCost {
    const { longest } = this.#rows;
    const bucket = bucketOf(this.#model.buckets.contexts, longest + step);
    const first = this.#model.repetition(this.#rows, step);
    this.#from = step;
    this.#until = bucket - longest;
    const last = this.#model.repetition(this.#rows, Math.max(step, this.#until));
    this.#filled = (first.parts["padding"] ?? 0) - (last.parts["padding"] ?? 0);
    this.#first = first;
    return first;
  }
}
