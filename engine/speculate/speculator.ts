/** Asks the proposer between two steps, and learns from each step how long to let it guess. */
import type { Clock, Nanos } from "../../device/clock.ts";
import type { Batch, SequenceId, StepResult } from "../../device/device.ts";
import type { Sequence } from "../sequence.ts";
import { AdaptiveLength, type Drafting } from "./adaptive.ts";
import type { ProposalRequest, Proposals } from "./proposer.ts";
import type { Speculation } from "./speculation.ts";

/** Ids that a draft model takes in by the way: with more it has to be caught up with first. */
const BY_THE_WAY = 32;

export class Speculator {
  readonly maxTokens: number;
  readonly #speculation: Speculation;
  readonly #clock: Clock;
  readonly #adaptive: AdaptiveLength | undefined;
  #busy = false;
  /** Before the step under way. */
  #drafting: Drafting | undefined;
  /** Lengths at which sequences were last drafted for: a draft model has to catch up from there. */
  readonly #draftedAt = new Map<SequenceId, number>();

  constructor(speculation: Speculation, maxDrafted: number, clock: Clock) {
    this.#speculation = speculation;
    this.#clock = clock;
    this.maxTokens = Math.min(speculation.maxTokens, maxDrafted);
    this.#adaptive =
      speculation.adaptive === false ? undefined : new AdaptiveLength(this.maxTokens);
  }

  /** A proposal is under way. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Nobody is asked before the next steps: as many may be under way as the device takes. */
  get resting(): boolean {
    return this.#adaptive?.resting === true;
  }

  /** A step ended well, after `duration`; `interval` is from the end of the one before. */
  observe(
    batch: Batch,
    result: Extract<StepResult, { ok: true }>,
    { duration, interval }: { readonly duration: Nanos; readonly interval: Nanos },
  ): void {
    if (this.#adaptive === undefined) return;
    let tokens = 0;
    let drafted = 0;
    let accepted = 0;
    let short = true;
    for (const row of batch.rows) {
      tokens += row.count;
      if (row.count > 1 + row.drafted) short = false;
      if (row.drafted === 0) continue;
      const held = result.sampled.get(row.id)?.accepted ?? 0;
      drafted += row.drafted;
      accepted += held;
      this.#adaptive.observeGuess(row.id, row.drafted, held);
    }
    const ids = batch.rows.map((row) => row.id);
    const drafting = this.#drafting;
    this.#drafting = undefined;
    this.#adaptive.observe({
      ids,
      tokens,
      drafted,
      accepted,
      short,
      duration,
      interval,
      drafting,
    });
  }

  /** Calls `done` with guesses for some of the sequences, at once or later; not at all when none are wanted. */
  propose(
    candidates: readonly ProposalRequest[],
    done: (requests: readonly ProposalRequest[], drafts: Proposals) => void,
  ): void {
    const requests = this.#fit(candidates);
    if (requests.length === 0) return;
    const behind = requests.filter(({ sequence }) => !this.#isCaughtUp(sequence)).length;
    for (const { sequence } of requests) this.#draftedAt.set(sequence.id, sequence.length);
    const start = this.#clock.now();
    this.#busy = true;
    this.#speculation.proposer.propose(requests, (drafts) => {
      this.#busy = false;
      const longest = requests.reduce((most, { count }) => Math.max(most, count), 0);
      const duration = this.#clock.now() - start;
      this.#drafting = { duration, rows: requests.length, longest, behind };
      done(requests, drafts);
    });
  }

  release(sequence: Sequence): void {
    this.#adaptive?.release(sequence.id);
    this.#draftedAt.delete(sequence.id);
    this.#speculation.proposer.release?.(sequence);
  }

  close(): Promise<void> {
    return this.#speculation.proposer.close();
  }

  #isCaughtUp({ id, length }: Sequence): boolean {
    const known = this.#draftedAt.get(id);
    return known !== undefined && length - known <= BY_THE_WAY;
  }

  /** Shortens each to what pays. */
  #fit(candidates: readonly ProposalRequest[]): readonly ProposalRequest[] {
    if (this.#adaptive === undefined || candidates.length === 0) return candidates;
    const ids: SequenceId[] = [];
    const limits: number[] = [];
    for (const { sequence, count } of candidates) {
      ids.push(sequence.id);
      limits.push(count);
    }
    const lengths = this.#adaptive.choose(ids, limits, (row) => {
      const sequence = candidates[row]?.sequence;
      return sequence !== undefined && this.#isCaughtUp(sequence);
    });
    const fitted: ProposalRequest[] = [];
    candidates.forEach(({ sequence }, index) => {
      const count = lengths[index] ?? 0;
      if (count > 0) fitted.push({ sequence, count });
    });
    return fitted;
  }
}
