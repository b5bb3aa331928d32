/**
 * All that leaves the engine. The server's streams, metrics, logs and the
 * benchmarks subscribe; the scheduler holds no metric. Events are data, with the
 * engine's time in `at`; the same virtual run yields byte-equal event logs.
 */

import type { Nanos } from "../device/clock.ts";
import type { Adapter, BatchRow, PositionLogprobs, SequenceId, TokenId } from "../device/device.ts";
import type { StepCost } from "../device/trace.ts";
import type { FinishReason } from "./sequence.ts";

interface Of {
  readonly at: Nanos;
}

interface OfSequence extends Of {
  readonly id: SequenceId;
}

/** Joined the waiting queue. */
export interface RequestQueued extends OfSequence {
  readonly type: "request-queued";
  readonly promptTokens: number;
}

/** First taken into a batch, or taken again after a preemption. */
export interface RequestScheduled extends OfSequence {
  readonly type: "request-scheduled";
  /** Prompt tokens found in the prefix cache. */
  readonly cachedTokens: number;
  readonly resumed: boolean;
}

/** Gave its blocks back and waits again. */
export interface RequestPreempted extends OfSequence {
  readonly type: "request-preempted";
}

export interface TokensEmitted extends OfSequence {
  readonly type: "tokens-emitted";
  readonly tokens: readonly TokenId[];
  /** Of a repeated step: when each token came. Absent: all at once, at `at`. */
  readonly moments?: readonly Nanos[] | undefined;
  /** Guesses verified in this step, and how many of them held. */
  readonly drafted: number;
  readonly accepted: number;
  readonly logprobs?: readonly PositionLogprobs[];
  /** With the first tokens, when asked for: of prompt positions 1, 2, … */
  readonly promptLogprobs?: readonly PositionLogprobs[];
  /** With no tokens, of a request that pools: `[hidden]`. Absent there: the device has no states. */
  readonly pooled?: Float32Array;
}

export interface RequestFinished extends OfSequence {
  readonly type: "request-finished";
  readonly reason: FinishReason;
  /** The stop token that ended it; absent for EOS and everything else. */
  readonly stopTokenId?: TokenId;
  /** Why, when the reason is `error`. */
  readonly error?: Error;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
}

/** What a step computed of one sequence. */
export type RowWork = Pick<BatchRow, "id" | "start" | "count" | "drafted">;

export interface StepFinished extends Of {
  readonly type: "step-finished";
  readonly step: number;
  /** How often the step was repeated (see Batch.repeat); 1 as a rule. */
  readonly repeated: number;
  readonly rows: number;
  /** Its rows, to be read at once: whoever keeps them keeps all their tokens. */
  readonly work: () => readonly RowWork[];
  /** Tokens computed; padding not counted. */
  readonly tokens: number;
  readonly duration: Nanos;
  readonly running: number;
  readonly waiting: number;
  /** Of those waiting: no room yet, or waiting on something else (a grammar, a leader). */
  readonly waitingCapacity: number;
  readonly waitingDeferred: number;
  /** 0 to 1; cached blocks that nobody holds count as free. */
  readonly kvUsage: number;
  /** Since the step before. */
  readonly preemptions: number;
  /** Present on priced devices. */
  readonly cost?: StepCost | undefined;
}

/** The step failed; its rows are retried, or end. */
export interface StepFailed extends Of {
  readonly type: "step-failed";
  readonly step: number;
  readonly error: Error;
  readonly rows: number;
}

export interface BlocksStored extends Of {
  readonly type: "blocks-stored";
  readonly hashes: readonly Uint8Array[];
  readonly parent?: Uint8Array;
  readonly tokens: readonly TokenId[];
  readonly salt?: string;
  readonly adapter?: Adapter;
}

export interface BlocksRemoved extends Of {
  readonly type: "blocks-removed";
  readonly hashes: readonly Uint8Array[];
}

export interface BlocksCleared extends Of {
  readonly type: "blocks-cleared";
}

export type EngineEvent =
  | RequestQueued
  | RequestScheduled
  | RequestPreempted
  | TokensEmitted
  | RequestFinished
  | StepFinished
  | StepFailed
  | BlocksStored
  | BlocksRemoved
  | BlocksCleared;

export type EngineListener = (event: EngineEvent) => void;
