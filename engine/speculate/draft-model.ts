/**
 * A small model guesses (`draft_model`). It runs on a device of its own with KV
 * blocks of its own, and drafts for all sequences in one call.
 *
 *     [0 ........ start) [start ...... length) [length ... length + k)
 *      in the draft's     computed by this call  guessed by this call
 *      own KV cache
 *
 * After verification `start` moves to the end of what both agree on.
 */
import type { BatchRow, BlockId, Device, SequenceId, TokenId } from "../../device/device.ts";
import { BlockPool } from "../kv/block-pool.ts";
import type { Sequence } from "../sequence.ts";
import type { ProposalRequest, Proposals, Proposer } from "./proposer.ts";

interface Drafted {
  readonly blocks: BlockId[];
  /** Tokens of the sequence when it was last drafted for. */
  length: number;
  /** Of these the draft's cache holds K and V. */
  computed: number;
  guess: readonly TokenId[];
}

/** A device that can draft. */
export type DraftDevice = Device & Required<Pick<Device, "draft">>;

export class DraftModelProposer implements Proposer {
  readonly name = "draft_model";
  readonly #device: DraftDevice;
  readonly #pool: BlockPool;
  readonly #drafted = new Map<SequenceId, Drafted>();

  constructor(device: DraftDevice) {
    this.#device = device;
    this.#pool = new BlockPool(device.limits.blocks);
  }

  propose(requests: readonly ProposalRequest[], done: (drafts: Proposals) => void): void {
    const { maxRows, maxTokens } = this.#device.limits;
    const most = requests.reduce((longest, { count }) => Math.max(longest, count), 0);
    const rows: BatchRow[] = [];
    const chosen: ProposalRequest[] = [];
    let room = maxTokens;
    for (const each of requests) {
      if (rows.length >= maxRows || room <= 0) break;
      const row = this.#rowOf(each.sequence, most, room);
      if (row === undefined) continue;
      room -= row.count;
      rows.push(row);
      chosen.push(each);
    }
    if (rows.length === 0) {
      done(new Map());
      return;
    }
    this.#device.draft(rows, most, (drafts) => {
      if (drafts.size === 0) this.#forget(); // the call failed: its cache may be gone
      const proposals = new Map<SequenceId, readonly TokenId[]>();
      chosen.forEach(({ sequence, count }, index) => {
        const guess = this.#learn(sequence, rows[index], drafts.get(sequence.id) ?? []);
        if (guess.length > 0) proposals.set(sequence.id, guess.slice(0, count));
      });
      done(proposals);
    });
  }

  release(sequence: Sequence): void {
    const drafted = this.#drafted.get(sequence.id);
    if (drafted === undefined) return;
    this.#drafted.delete(sequence.id);
    this.#pool.release(drafted.blocks);
    this.#device.release([sequence.id]);
  }

  close(): Promise<void> {
    return this.#device.close();
  }

  /** A long prompt is taken in over several calls; guesses come with the last. */
  #rowOf(sequence: Sequence, most: number, room: number): BatchRow | undefined {
    const { id, tokens, length } = sequence;
    const drafted = this.#drafted.get(id) ?? { blocks: [], length: 0, computed: 0, guess: [] };
    this.#drafted.set(id, drafted);
    const start = Math.min(agreed(drafted, tokens, length), length - 1);
    const count = Math.min(length - start, room);
    const end = start + count + most;
    if (end > this.#device.limits.maxContext) return undefined;
    const missing = Math.ceil(end / this.#device.limits.blockSize) - drafted.blocks.length;
    if (missing > 0 && !this.#pool.take(missing, drafted.blocks)) return undefined;
    const context = tokens.subarray(0, start + count);
    return { id, context, start, count, drafted: 0, blocks: drafted.blocks, want: "last" };
  }

  #forget(): void {
    for (const drafted of this.#drafted.values()) {
      drafted.computed = 0;
      drafted.length = 0;
      drafted.guess = [];
    }
  }

  #learn(
    sequence: Sequence,
    row: BatchRow | undefined,
    guess: readonly TokenId[],
  ): readonly TokenId[] {
    const drafted = this.#drafted.get(sequence.id);
    if (drafted === undefined || row === undefined) return []; // it ended meanwhile
    if (guess.length === 0) return [];
    drafted.length = row.context.length;
    drafted.computed = row.start + row.count;
    drafted.guess = guess;
    // In the midst of a long prompt it guessed what follows there, not at the end.
    return row.context.length === sequence.length ? guess : [];
  }
}

/** Tokens whose K and V in the draft's cache are those of the sequence as it is now. */
function agreed(drafted: Drafted, tokens: Int32Array, length: number): number {
  if (drafted.computed < drafted.length) return drafted.computed;
  // The last guess was not computed itself.
  let same = drafted.length;
  for (const id of drafted.guess.slice(0, -1)) {
    if (same >= length || tokens[same] !== id) break;
    same++;
  }
  return same;
}
