/**
 * A sequence's part of a batch, as the engine makes it. A device that prices asks nobody for
 * ids: the view of them is made when it is read.
 */
import type { Adapter, BatchRow, BlockId, SequenceId } from "../device/device.ts";
import type { LiveSequence } from "./live-sequence.ts";

/** What the sequence does not say itself. */
interface Planned {
  readonly count: number;
  readonly want: BatchRow["want"];
  readonly reaches: boolean;
}

export class StepRow implements BatchRow {
  readonly id: SequenceId;
  readonly start: number;
  readonly count: number;
  readonly drafted: number;
  readonly blocks: readonly BlockId[];
  readonly want: BatchRow["want"];
  readonly unread: boolean;
  /** Its context is computed to the end. */
  readonly reaches: boolean;
  readonly adapter?: Adapter;
  readonly secondFrom?: number;
  readonly #tokens: Int32Array;
  readonly #known: number;
  #context: Int32Array | undefined;

  /** The sequence's guesses stand behind its ids. */
  constructor(sequence: LiveSequence, { count, want, reaches }: Planned) {
    const { adapter, secondFrom, draft } = sequence;
    this.id = sequence.id;
    this.start = sequence.computed;
    this.count = count;
    this.drafted = draft.length;
    this.blocks = sequence.blocks;
    this.want = want;
    this.unread = sequence.unread;
    this.reaches = reaches;
    if (adapter !== undefined) this.adapter = adapter;
    if (secondFrom !== undefined) this.secondFrom = secondFrom;
    this.#tokens = sequence.tokens;
    this.#known = sequence.length + draft.length;
  }

  get context(): Int32Array {
    this.#context ??= this.#tokens.subarray(0, this.#known);
    return this.#context;
  }

  /** Will it sample an id that has no place yet? */
  get endsInId(): boolean {
    return this.reaches && (this.want === "last" || this.want === "all");
  }
}
