/** Asks the proposer between two steps, and learns from each step how long to let it guess. */
import type { Clock, Nanos } from "../../device/clock.ts";
import type { Batch, SequenceId, StepResult } from "../../device/device.ts";
import type { Sequence } from "../sequence.ts";
import { AdaptiveLength } from "./adaptive.ts";
import type { ProposalRequest, Proposals } from "./proposer.ts";
import type { Speculation } from "./speculation.ts";

export class Speculator {
  readonly maxTokens: number;
  readonly #speculation: Speculation;
  readonly #clock: Clock;
  readonly #adaptive: AdaptiveLength | undefined;
  #busy = false;
  /** Who was guessed for in the last round; a draft model has to catch up with others first. */
  #caughtUp: ReadonlySet<SequenceId> = new Set();

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

  observe(batch: Batch, result: Extract<StepResult, { ok: true }>, duration: Nanos): void {
    if (this.#adaptive === undefined) return;
    let tokens = 0;
    let long = false;
    for (const row of batch.rows) {
      tokens += row.count;
      long ||= row.count > 1 + row.drafted;
      if (row.drafted === 0) continue;
      const accepted = result.sampled.get(row.id)?.accepted ?? 0;
      this.#adaptive.observeGuess(row.id, row.drafted, accepted);
    }
    if (!long) this.#adaptive.observeStep(tokens, duration);
  }

  /** Calls `done` with guesses for some of the sequences, at once or later; not at all when none are wanted. */
  propose(
    candidates: readonly ProposalRequest[],
    done: (requests: readonly ProposalRequest[], drafts: Proposals) => void,
  ): void {
    const requests = this.#fit(candidates);
    const typical = requests.every(({ sequence }) => this.#caughtUp.has(sequence.id));
    this.#caughtUp = new Set(requests.map(({ sequence }) => sequence.id));
    if (requests.length === 0) return;
    const start = this.#clock.now();
    this.#busy = true;
    this.#speculation.proposer.propose(requests, (drafts) => {
      this.#busy = false;
      const longest = requests.reduce((most, { count }) => Math.max(most, count), 0);
      const duration = this.#clock.now() - start;
      if (typical) this.#adaptive?.observeDraft(requests.length, longest, duration);
      done(requests, drafts);
    });
  }

  release(sequence: Sequence): void {
    this.#adaptive?.release(sequence.id);
    this.#speculation.proposer.release?.(sequence);
  }

  close(): Promise<void> {
    return this.#speculation.proposer.close();
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
    const lengths = this.#adaptive.choose(ids, limits);
    const fitted: ProposalRequest[] = [];
    candidates.forEach(({ sequence }, index) => {
      const count = lengths[index] ?? 0;
      if (count > 0) fitted.push({ sequence, count });
    });
    return fitted;
  }
}
