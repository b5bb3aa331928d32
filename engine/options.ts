/** What an engine is told at its making, and the errors `submit` may throw. */
import type { Speculation } from "./speculate/speculation.ts";

export type SchedulingPolicy = "fcfs" | "priority";

/** Names as vLLM's flags; absent means vLLM's default where it has one. */
export interface EngineOptions {
  /** Sequences that run at once. */
  readonly maxNumSeqs: number;
  /** Tokens in a step. */
  readonly maxNumBatchedTokens: number;
  /** Tokens in a sequence, prompt and output; absent: the device's. */
  readonly maxModelLen?: number;
  /** Absent: on. */
  readonly enablePrefixCaching?: boolean;
  /** Absent: on. Off: a prompt is cut only when it is longer than a step. */
  readonly enableChunkedPrefill?: boolean;
  /** Longest piece of a prompt in one step; 0 or absent: no limit but the step's. */
  readonly longPrefillTokenThreshold?: number;
  /** Who is preempted: the youngest, or the least urgent. Absent: fcfs. Urgent requests are admitted first under both. */
  readonly schedulingPolicy?: SchedulingPolicy;
  /** How many waiting sequences may be looked at past a head that does not fit; absent: 8, 0: none. */
  readonly skipAhead?: number;
  /**
   * Absent: on. Off: as vLLM's scheduler, for proofs beside it: those who run get their turns in
   * order of admission and the first who gets no blocks ends them, blocks are granted piece by
   * piece and named when planned, guesses are not given up for room, nothing is kept back.
   */
  readonly ownPolicies?: boolean;
  /** Share of steps kept for short rows where long and short do not mix; absent: 0, prompts first. */
  readonly decodeShare?: number;
  /** More waiting requests than this, or more waiting prompt tokens, and `submit` throws QueueFullError. */
  readonly maxNumQueuedReqs?: number;
  readonly maxNumQueuedTokens?: number;
  /** Seed of requests that bring none, unless the sampler was made with one; absent: 0. */
  readonly seed?: number;
  /** Absent: no speculation. */
  readonly speculative?: Speculation;
  /**
   * Offer the device `Batch.repeat` where nothing but length can end a row. `alone`: nothing but
   * requests comes from outside, so that where all seats are taken a repetition goes on past
   * arrivals. For virtual time; absent: off.
   */
  readonly repeat?: boolean | "alone";
  /** Report blocks-stored, -removed and -cleared; absent: off. */
  readonly kvEvents?: boolean;
}

/** The prompt leaves no room for one output token, or needs more blocks than the pool has. */
export class PromptTooLongError extends Error {
  override readonly name = "PromptTooLongError";
}

/** More waits than the queue limits allow: HTTP 503. */
export class QueueFullError extends Error {
  override readonly name = "QueueFullError";
  readonly retryAfterSeconds: number;
  /** What there is too much of. */
  readonly limit: "requests" | "tokens";

  constructor(
    message: string,
    what: { readonly retryAfterSeconds: number; readonly limit: "requests" | "tokens" },
  ) {
    super(message);
    this.retryAfterSeconds = what.retryAfterSeconds;
    this.limit = what.limit;
  }
}

/** `submit` after `close`. */
export class EngineClosedError extends Error {
  override readonly name = "EngineClosedError";
}

/** Whether the engine makes progress; the server's /health compares it with its own limit. */
export interface EngineHealth {
  /** Something runs or waits. */
  readonly pending: boolean;
  /** How long the oldest step under way has been so; absent: none is. */
  readonly stepAge?: number;
  /** Since the last step ended well, or since work arrived at an idle engine. */
  readonly sinceProgress: number;
  /** Steps that failed one after another, 0 when the last one went well. */
  readonly failures: number;
}
