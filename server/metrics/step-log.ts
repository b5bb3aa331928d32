/**
 * The last steps of an engine, in columns of a ring: where the time of any request
 * among them went can be worked out later, and a step costs a few stores.
 */

import type { Nanos } from "../../device/clock.ts";
import type { StepFinished } from "../../engine/events.ts";
import { entryAt } from "../entry-at.ts";
import { type Causes, causesOf } from "./receipts.ts";

export interface LoggedStep {
  readonly at: Nanos;
  readonly duration: Nanos;
  readonly rows: number;
  readonly tokens: number;
  readonly waiting: number;
  readonly causes: Causes;
}

export class StepLog {
  /** Steps logged since the start. */
  count = 0;
  readonly #size: number;
  readonly #timeScale: number;
  readonly #at: Float64Array;
  readonly #duration: Float64Array;
  readonly #rows: Int32Array;
  readonly #tokens: Int32Array;
  readonly #waiting: Int32Array;
  /** Nanoseconds of a simulated step's price, by part; a part that a step lacks is 0. */
  readonly #parts = new Map<string, Float64Array>();
  #priced = false;

  /** `timeScale`: wall seconds of a simulated one. */
  constructor(size: number, timeScale: number) {
    this.#size = size;
    this.#timeScale = timeScale;
    this.#at = new Float64Array(size);
    this.#duration = new Float64Array(size);
    this.#rows = new Int32Array(size);
    this.#tokens = new Int32Array(size);
    this.#waiting = new Int32Array(size);
  }

  add({ at, duration, rows, tokens, waiting, cost }: StepFinished): void {
    const place = this.count++ % this.#size;
    this.#at[place] = at;
    this.#duration[place] = duration;
    this.#rows[place] = rows;
    this.#tokens[place] = tokens;
    this.#waiting[place] = waiting;
    if (cost === undefined) return;
    this.#priced = true;
    const { parts } = cost;
    for (const part in parts) {
      if (!this.#parts.has(part)) this.#parts.set(part, new Float64Array(this.#size));
    }
    for (const [part, column] of this.#parts) column[place] = parts[part] ?? 0;
  }

  /** Those that ended in (from, to], oldest first; undefined: the first of them are no longer kept. */
  between(from: Nanos, to: Nanos): readonly LoggedStep[] | undefined {
    const oldest = Math.max(0, this.count - this.#size);
    const first = this.#after(from, oldest);
    if (first === oldest && oldest > 0) return undefined;
    const steps: LoggedStep[] = [];
    for (let step = first; step < this.count; step++) {
      const place = step % this.#size;
      if (entryAt(this.#at, place) > to) break;
      steps.push(this.#step(place));
    }
    return steps;
  }

  /** The first step from `low` on that ended after `when`. */
  #after(when: Nanos, low: number): number {
    let [from, to] = [low, this.count];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (entryAt(this.#at, middle % this.#size) <= when) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #step(place: number): LoggedStep {
    const of = (column: Float64Array | Int32Array): number => entryAt(column, place);
    const duration = of(this.#duration);
    const parts = Object.fromEntries([...this.#parts].map(([part, column]) => [part, of(column)]));
    return {
      at: of(this.#at),
      duration,
      rows: of(this.#rows),
      tokens: of(this.#tokens),
      waiting: of(this.#waiting),
      causes: causesOf(
        this.#priced ? { duration, cost: { parts } } : { duration },
        this.#timeScale,
      ),
    };
  }
}
