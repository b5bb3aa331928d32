/** Whether a request may join the queue. */
import type { Nanos } from "../device/clock.ts";
import { type EngineOptions, PromptTooLongError, QueueFullError } from "./options.ts";

interface Asked {
  /** Completions. */
  readonly n: number;
  readonly promptLength: number;
  /** The prompt is all there will be. */
  readonly pools: boolean;
}

interface Queue {
  readonly maxContext: number;
  readonly waiting: number;
  /** Prompt tokens of those. */
  readonly waitingTokens: number;
  /** Between two ends of sequences. */
  readonly meanInterval: Nanos;
}

/** Throws RangeError, PromptTooLongError or QueueFullError. A request that finds nobody waiting is let in. */
export function checkAdmission(
  { n, promptLength, pools }: Asked,
  { waiting, waitingTokens, maxContext, meanInterval }: Queue,
  { maxNumQueuedReqs, maxNumQueuedTokens }: EngineOptions,
): void {
  if (promptLength < 1) throw new RangeError("A prompt has at least one token.");
  if (promptLength > maxContext || (promptLength === maxContext && !pools)) {
    const most = pools
      ? `does not fit into ${maxContext}`
      : `leaves no room for output in ${maxContext}`;
    throw new PromptTooLongError(`The prompt has ${promptLength} tokens and ${most}.`);
  }
  if (waiting === 0) return;
  const tooMany = maxNumQueuedReqs !== undefined && waiting + n > maxNumQueuedReqs;
  const tooLong =
    maxNumQueuedTokens !== undefined && waitingTokens + n * promptLength > maxNumQueuedTokens;
  if (!tooMany && !tooLong) return;
  const seconds = Math.min(60, Math.max(1, Math.ceil((n * meanInterval) / 1e9)));
  throw new QueueFullError(
    `${waiting} requests (${waitingTokens} tokens) wait already; try again in ${seconds} s.`,
    { retryAfterSeconds: seconds, limit: tooMany ? "requests" : "tokens" },
  );
}
