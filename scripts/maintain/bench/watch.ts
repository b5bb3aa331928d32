/** A device around a device that times what goes through it. */
import type { RealClock } from "../../../device/clocks/real.ts";
import type { Batch, Device, SequenceId, StepResult } from "../../../device/device.ts";
import { median } from "./device-steps.ts";

/** Times each step by its tokens, on the way to the device. */
export class Watch implements Device {
  readonly name: string;
  readonly limits: Device["limits"];
  readonly vocabSize: number;
  readonly can: Device["can"];
  /** Milliseconds of steps of short rows, by tokens; of drafting, by the guess's length. */
  readonly times = new Map<number, number[]>();
  readonly #inner: Device;
  readonly #clock: RealClock;
  #ended = 0;

  constructor(inner: Device, clock: RealClock) {
    this.#inner = inner;
    this.#clock = clock;
    this.name = inner.name;
    this.limits = inner.limits;
    this.vocabSize = inner.vocabSize;
    this.can = inner.can;
  }

  execute(batch: Batch, done: (result: StepResult) => void): void {
    const start = this.#clock.now();
    const short = batch.rows.every((row) => row.count === 1 + row.drafted);
    const tokens = batch.rows.reduce((sum, row) => sum + row.count, 0);
    this.#inner.execute(batch, (result) => {
      if (short) this.#note(tokens, start);
      else this.#ended = this.#clock.now();
      done(result);
    });
  }

  /** Timed under the length of the guess. */
  draft(...[rows, count, done]: Parameters<NonNullable<Device["draft"]>>): void {
    if (this.#inner.draft === undefined) throw new Error(`${this.name} cannot draft.`);
    const start = this.#clock.now();
    this.#inner.draft(rows, count, (drafts) => {
      this.#note(count, start);
      done(drafts);
    });
  }

  release(ids: readonly SequenceId[]): void {
    this.#inner.release(ids);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** From when it was asked for, or what was asked for before it ended. */
  #note(size: number, start: number): void {
    const now = this.#clock.now();
    const list = this.times.get(size) ?? [];
    this.times.set(size, list);
    list.push((now - Math.max(start, this.#ended)) / 1e6);
    this.#ended = now;
  }
}

/** Of the sizes seen often: `size: median (times)`. */
export function medians(times: ReadonlyMap<number, readonly number[]>): string {
  return [...times]
    .filter(([, list]) => list.length > 20)
    .sort(([a], [b]) => a - b)
    .map(([size, list]) => `${size}: ${median(list).toFixed(2)} (${list.length})`)
    .join("  ");
}
