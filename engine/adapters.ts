/**
 * Which adapters sequences name. A device computes so many different ones in a step: whoever
 * names a further one waits until one of those that run is named by nobody (as vLLM's max_loras).
 */
import type { Adapter } from "../device/device.ts";

interface User {
  readonly adapter?: Adapter;
}

/** What adapters those that run and those that wait name, each once. */
export interface AdaptersInUse {
  readonly running: readonly string[];
  readonly waiting: readonly string[];
}

/** Counts of users by adapter. */
class Counts {
  readonly #of = new Map<number, { readonly name: string; count: number }>();

  get size(): number {
    return this.#of.size;
  }

  get names(): readonly string[] {
    return [...new Set([...this.#of.values()].map(({ name }) => name))];
  }

  has({ id }: Adapter): boolean {
    return this.#of.has(id);
  }

  add({ id, name }: Adapter): void {
    const entry = this.#of.get(id);
    if (entry === undefined) this.#of.set(id, { name, count: 1 });
    else entry.count++;
  }

  remove({ id }: Adapter): void {
    const entry = this.#of.get(id);
    if (entry === undefined) throw new Error(`Adapter ${id} is miscounted.`);
    if (--entry.count === 0) this.#of.delete(id);
  }
}

export class Adapters {
  readonly #most: number;
  readonly #running = new Counts();
  readonly #waiting = new Counts();
  /** From their submission until no step names them. */
  readonly #living = new Counts();
  /** To be dropped when nobody names them. */
  readonly #leaving = new Map<number, Adapter>();

  /** `most`: different ones in a step. */
  constructor(most: number) {
    this.#most = most;
  }

  get inUse(): AdaptersInUse {
    return { running: this.#running.names, waiting: this.#waiting.names };
  }

  /** May it run beside those that run now? */
  admits({ adapter }: User): boolean {
    if (adapter === undefined || this.#running.has(adapter)) return true;
    return this.#running.size < this.#most;
  }

  born({ adapter }: User): void {
    if (adapter !== undefined) this.#living.add(adapter);
  }

  waits({ adapter }: User): void {
    if (adapter !== undefined) this.#waiting.add(adapter);
  }

  waitsNoMore({ adapter }: User): void {
    if (adapter !== undefined) this.#waiting.remove(adapter);
  }

  runs({ adapter }: User): void {
    if (adapter !== undefined) this.#running.add(adapter);
  }

  runsNoMore({ adapter }: User): void {
    if (adapter !== undefined) this.#running.remove(adapter);
  }

  /** No step names the user any more. Returns its adapter when that can be dropped. */
  over({ adapter }: User): Adapter | undefined {
    if (adapter === undefined) return undefined;
    this.#living.remove(adapter);
    return this.#leaving.has(adapter.id) ? this.leave(adapter) : undefined;
  }

  /** Nobody new will name it. Returns it when nobody does. */
  leave(adapter: Adapter): Adapter | undefined {
    if (this.#living.has(adapter)) {
      this.#leaving.set(adapter.id, adapter);
      return undefined;
    }
    this.#leaving.delete(adapter.id);
    return adapter;
  }
}
