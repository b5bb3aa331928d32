/**
 * Sums a value over the ranks through shared memory. Each rank writes its term
 * to its slot, waits for the others, and adds all slots in the order of ranks:
 * every rank gets the same bits, whoever came first. Two banks of slots take
 * turns, so one meeting a sum is enough: a bank is written again only after the
 * next meeting, when everyone has read it.
 *
 *     bank 0: [rank 0 | rank 1 | …]   bank 1: [rank 0 | rank 1 | …]
 */

/** Elements of a slot: longer values are summed in pieces. */
const SLOT = 1 << 18;

/** Loads before a waiting rank sleeps: about 20 µs. */
const SPINS = 4_000;

/** Longest sleep before looking whether the step was given up. */
const SLEEP_MS = 50;

const ARRIVED = 0;
const ABORTED = 1;
const CONTROL_BYTES = 64;

/** The step was given up because another rank failed. */
export class AbortedError extends Error {
  override readonly name = "AbortedError";
}

export function allReduceMemory(ranks: number): SharedArrayBuffer {
  return new SharedArrayBuffer(CONTROL_BYTES + (ranks > 1 ? 2 * ranks * SLOT * 4 : 0));
}

/** The side of the thread that starts steps. */
export class AllReduceControl {
  readonly #control: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#control = new Int32Array(memory, 0, CONTROL_BYTES / 4);
  }

  /** Before a request, while no rank runs. */
  reset(): void {
    this.#control.fill(0);
  }

  /** Releases ranks that wait for one that will not come. */
  abort(): void {
    Atomics.store(this.#control, ABORTED, 1);
    Atomics.notify(this.#control, ARRIVED);
  }
}

/** The side of a rank. */
export class AllReduce {
  readonly #rank: number;
  readonly #ranks: number;
  readonly #control: Int32Array;
  readonly #slots: readonly (readonly Float32Array[])[];
  #meetings = 0;

  constructor(memory: SharedArrayBuffer, rank: number, ranks: number) {
    this.#rank = rank;
    this.#ranks = ranks;
    this.#control = new Int32Array(memory, 0, CONTROL_BYTES / 4);
    this.#slots = ranks === 1 ? [] : [0, 1].map((bank) => this.#bank(memory, bank));
  }

  /** At the start of every request to the ranks. */
  begin(): void {
    this.#meetings = 0;
  }

  /** Replaces `value` by its sum over the ranks. Throws AbortedError when the step is given up. */
  sum(value: Float32Array): void {
    for (let begin = 0; begin < value.length; begin += SLOT) {
      this.#sumPiece(value.subarray(begin, begin + SLOT));
    }
  }

  #sumPiece(piece: Float32Array): void {
    const slots = this.#slots[this.#meetings & 1] ?? [];
    slots[this.#rank]?.set(piece);
    this.#meet();
    const [first, second, ...rest] = slots;
    if (first === undefined || second === undefined) return;
    for (let i = 0; i < piece.length; i++) piece[i] = (first[i] as number) + (second[i] as number);
    for (const slot of rest) {
      for (let i = 0; i < piece.length; i++) piece[i] = (piece[i] as number) + (slot[i] as number);
    }
  }

  /** Returns when every rank has come this far. */
  #meet(): void {
    const control = this.#control;
    const target = ++this.#meetings * this.#ranks;
    if (Atomics.add(control, ARRIVED, 1) + 1 === target) {
      Atomics.notify(control, ARRIVED);
      return;
    }
    for (let spins = 0; ; spins++) {
      const arrived = Atomics.load(control, ARRIVED);
      if (arrived >= target) return;
      if (spins < SPINS) continue;
      if (Atomics.load(control, ABORTED) !== 0) throw new AbortedError("another rank failed");
      Atomics.wait(control, ARRIVED, arrived, SLEEP_MS);
    }
  }

  #bank(memory: SharedArrayBuffer, bank: number): readonly Float32Array[] {
    return Array.from({ length: this.#ranks }, (_, rank) => {
      const slot = bank * this.#ranks + rank;
      return new Float32Array(memory, CONTROL_BYTES + slot * SLOT * 4, SLOT);
    });
  }
}
