/** What a step has room for, and what was put in: kept until the batch is formed. */
import type { DeviceLimits } from "../device/device.ts";
import type { LiveSequence } from "./live-sequence.ts";

export interface PlannedRow {
  readonly sequence: LiveSequence;
  /** The sequence's when planned. */
  readonly epoch: number;
  /** Tokens to compute, drafts included. */
  readonly count: number;
  /** Tokens of the step's room that it takes: more than `count` where its attention is dear. */
  readonly room: number;
  readonly long: boolean;
}

export class StepPlan {
  readonly rows: PlannedRow[] = [];
  /** Tokens left. */
  room: number;
  preempted = false;
  #longRows = 0;
  readonly #maxRows: number;
  readonly #maxLongRows: number;
  readonly #mixes: boolean;

  constructor(limits: DeviceLimits, maxRows: number, maxTokens: number) {
    this.room = maxTokens;
    this.#maxRows = Math.min(maxRows, limits.maxRows);
    this.#maxLongRows = limits.longRowsPerStep ?? this.#maxRows;
    this.#mixes = limits.mixLong !== false;
  }

  get hasLong(): boolean {
    return this.#longRows > 0;
  }

  get full(): boolean {
    return this.room <= 0 || this.rows.length >= this.#maxRows;
  }

  /** May a row of this kind join? */
  takes(long: boolean): boolean {
    if (this.full) return false;
    if (long && this.#longRows >= this.#maxLongRows) return false;
    return this.#mixes || this.rows.length === 0 || this.hasLong === long;
  }

  add(row: PlannedRow): void {
    this.rows.push(row);
    this.room -= row.room;
    if (row.long) this.#longRows++;
  }

  /** A preempted sequence leaves, and its tokens are free again. */
  remove(sequence: LiveSequence): void {
    const index = this.rows.findIndex((row) => row.sequence === sequence);
    const [row] = index < 0 ? [] : this.rows.splice(index, 1);
    if (row === undefined) return;
    this.room += row.room;
    if (row.long) this.#longRows--;
  }
}
