/**
 * Who guesses the next tokens. A proposer is asked after each step, before the
 * next one is formed; it sees whole sequences and answers ids. Guesses are
 * verified by the target model, so a bad proposer costs time, never truth.
 */
import type { SequenceId, TokenId } from "../../device/device.ts";
import type { Sequence } from "../sequence.ts";

/** One sequence to guess for, and how many ids are of use. */
export interface ProposalRequest {
  readonly sequence: Sequence;
  readonly count: number;
}

export type Proposals = ReadonlyMap<SequenceId, readonly TokenId[]>;

export interface Proposer {
  readonly name: string;
  /** Calls `done` once, at once or later on the same thread; a sequence left out has no guess. */
  propose(requests: readonly ProposalRequest[], done: (drafts: Proposals) => void): void;
  /** (optional) A sequence is over: its text may be learned, its state dropped. */
  release?(sequence: Sequence): void;
  close(): Promise<void>;
}
