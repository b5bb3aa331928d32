/**
 * What is kept by sequence, while that lives. A Map whose entries come and go makes a new
 * table every few dozen of them, and the runtime's old tables name the next ones: once one of
 * them is old to the collector, it copies all that come after it with whatever they held.
 * This one keeps its table.
 */
import type { SequenceId } from "./device.ts";

const FREE = -1;

export class IdMap<T> {
  /** Places; a power of two, at least twice the entries. */
  #keys: number[] = new Array<number>(16).fill(FREE);
  #values: (T | undefined)[] = new Array<T | undefined>(16).fill(undefined);
  /** Of a hash's bits, those that are no place's. */
  #shift = 28;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: SequenceId): T | undefined {
    const at = this.#find(id);
    return this.#keys[at] === id ? this.#values[at] : undefined;
  }

  set(id: SequenceId, value: T): void {
    let at = this.#find(id);
    if (this.#keys[at] !== id) {
      if (2 * ++this.#size > this.#keys.length) {
        this.#grow();
        at = this.#find(id);
      }
      this.#keys[at] = id;
    }
    this.#values[at] = value;
  }

  delete(id: SequenceId): void {
    const keys = this.#keys;
    const values = this.#values;
    const mask = keys.length - 1;
    let hole = this.#find(id);
    if (keys[hole] !== id) return;
    this.#size--;
    // Whoever was displaced by it, or by another displaced one, moves up.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const key = keys[at] ?? FREE;
      if (key === FREE) break;
      if (((at - this.#home(key)) & mask) < ((at - hole) & mask)) continue;
      keys[hole] = key;
      values[hole] = values[at];
      hole = at;
    }
    keys[hole] = FREE;
    values[hole] = undefined;
  }

  /** Ascending. */
  ids(): SequenceId[] {
    return this.#keys.filter((key) => key !== FREE).sort((a, b) => a - b);
  }

  /** In the order of their ids. */
  values(): T[] {
    return this.ids().map((id) => this.get(id) as T); // each has one
  }

  /** Ids that follow one another are scattered (Fibonacci's hashing): side by side, each would look past all. */
  #home(id: SequenceId): number {
    return Math.imul(id, 0x9e3779b1) >>> this.#shift;
  }

  /** Its place, or the one that is free for it. */
  #find(id: SequenceId): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    let at = this.#home(id);
    while (keys[at] !== id && keys[at] !== FREE) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const [keys, values] = [this.#keys, this.#values];
    this.#shift--;
    this.#keys = new Array<number>(2 * keys.length).fill(FREE);
    this.#values = new Array<T | undefined>(2 * keys.length).fill(undefined);
    keys.forEach((id, from) => {
      if (id === FREE) return;
      const at = this.#find(id);
      this.#keys[at] = id;
      this.#values[at] = values[from];
    });
  }
}
