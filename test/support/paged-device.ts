/**
 * A device that remembers which id each KV slot was written with, and throws when
 * a row would read another one: a block shared, copied, freed or published wrongly.
 */
import {
  type Batch,
  type BatchRow,
  type Device,
  type DeviceLimits,
  PENDING_TOKEN,
  type Sampled,
  type SequenceId,
  type StepResult,
} from "../../device/device.ts";

export type Failure = Extract<StepResult, { ok: false }>;
export type Trouble = (batch: Batch) => Failure | undefined;

export class PagedDevice implements Device {
  readonly name = "paged";
  readonly limits: DeviceLimits;
  readonly vocabSize: number;
  readonly can: Device["can"];
  /** Every batch, as given. */
  readonly batches: Batch[] = [];
  readonly released: SequenceId[] = [];
  /** Whose K and V another engine sends: how many tokens; taken as written with its first row. */
  readonly arriving = new Map<SequenceId, number>();
  readonly #inner: Device;
  readonly #trouble: Trouble;
  readonly #slots: Int32Array;
  #voidUpTo = -1;
  readonly #last = new Map<SequenceId, number>();

  /** `trouble` makes a step fail: nothing of it is computed, and with `kvLost` all is gone. */
  constructor(inner: Device, trouble: Trouble = () => undefined) {
    this.#inner = inner;
    this.#trouble = trouble;
    this.limits = inner.limits;
    this.vocabSize = inner.vocabSize;
    this.can = inner.can;
    this.#slots = new Int32Array(inner.limits.blocks * inner.limits.blockSize).fill(-2);
  }

  execute(batch: Batch, done: (result: StepResult) => void): void {
    this.batches.push(batch);
    this.#checkShape(batch);
    const failure = this.#trouble(batch);
    this.#inner.execute(batch, (result) => {
      if (failure !== undefined) {
        if (failure.kvLost) this.#slots.fill(-2);
        this.#voidUpTo = this.batches[this.batches.length - 1]?.step ?? -1;
        done(failure);
        return;
      }
      // A step given before the failure was told reads what was never written: its ids are void.
      if (batch.step <= this.#voidUpTo) {
        done(result);
        return;
      }
      this.#compute(batch);
      if (result.ok) {
        if ((result.repeated ?? 1) > 1) this.#repeat(batch, result.sampled);
        for (const [id, { tokens }] of result.sampled)
          this.#last.set(id, tokens[tokens.length - 1] ?? -2);
      }
      done(result);
    });
  }

  release(ids: readonly SequenceId[]): void {
    this.released.push(...ids);
    this.#inner.release(ids);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  draft(...args: Parameters<NonNullable<Device["draft"]>>): void {
    this.#inner.draft?.(...args);
  }

  #checkShape(batch: Batch): void {
    const { limits } = this;
    const long = batch.rows.filter((row) => row.count > 1 + row.drafted);
    const tokens = batch.rows.reduce((sum, row) => sum + row.count, 0);
    if (batch.rows.length > limits.maxRows) throw new Error("Too many rows.");
    if (tokens > limits.maxTokens) throw new Error("Too many tokens.");
    if (long.length > (limits.longRowsPerStep ?? limits.maxRows))
      throw new Error("Too many long rows.");
    if (limits.mixLong === false && long.length > 0 && long.length < batch.rows.length) {
      throw new Error("Long and short rows in one step.");
    }
    if (new Set(batch.rows.map((row) => row.id)).size !== batch.rows.length) {
      throw new Error("A sequence has two rows.");
    }
    for (const row of batch.rows) {
      if (row.count < 1 || row.start + row.count > row.context.length)
        throw new Error("A row out of bounds.");
      if (row.drafted > limits.maxDrafted) throw new Error("Too many guesses.");
      if (row.blocks.length * limits.blockSize < row.start + row.count)
        throw new Error("A row lacks blocks.");
    }
  }

  #compute(batch: Batch): void {
    const size = this.limits.blockSize;
    for (const { from, to } of batch.copies) {
      this.#slots.copyWithin(to * size, from * size, (from + 1) * size);
    }
    for (const row of batch.rows) {
      const arrived = this.arriving.get(row.id) ?? 0;
      this.arriving.delete(row.id);
      for (let at = 0; at < arrived; at++) this.#slots[this.#slot(row, at)] = this.#id(row, at);
    }
    const written = new Set<number>();
    for (const row of batch.rows) {
      for (let at = row.start; at < row.start + row.count; at++) {
        const slot = this.#slot(row, at);
        if (written.has(slot)) throw new Error(`Two rows write slot ${slot}.`);
        written.add(slot);
        this.#slots[slot] = this.#id(row, at);
      }
    }
    for (const row of batch.rows) {
      for (let at = 0; at < row.start + row.count; at++) {
        const found = this.#slots[this.#slot(row, at)];
        const known = this.#id(row, at);
        if (found !== known) {
          throw new Error(
            `Step ${batch.step}: sequence ${row.id} reads ${found} at ${at}, not ${known}.`,
          );
        }
      }
    }
  }

  /** Each repetition computes the id sampled before it. */
  #repeat(batch: Batch, sampled: ReadonlyMap<SequenceId, Sampled>): void {
    for (const row of batch.rows) {
      const tokens = sampled.get(row.id)?.tokens.slice(0, -1) ?? [];
      tokens.forEach((id, index) => {
        this.#slots[this.#slot(row, row.start + row.count + index)] = id;
      });
    }
  }

  #slot(row: BatchRow, at: number): number {
    const size = this.limits.blockSize;
    return (row.blocks[Math.floor(at / size)] ?? -1) * size + (at % size);
  }

  #id(row: BatchRow, at: number): number {
    const known = row.context[at] ?? -2;
    return known === PENDING_TOKEN ? (this.#last.get(row.id) ?? -2) : known;
  }
}
