import type { Gaps } from "./gaps.ts";

/** What was seen of one request, whichever clock it ran under. Times in seconds. */
export interface RequestRecord {
  readonly ok: boolean;
  /** What went wrong, when not ok. */
  readonly error?: string;
  /** When it should have been sent, from the start of the run; absent: when there was room. */
  readonly due?: number;
  /** When it was sent, from the start of the run. */
  readonly sent: number;
  /** Send to the first chunk with choices. */
  readonly ttft: number;
  /** Send to the last chunk with choices. */
  readonly latency: number;
  /** Gaps between chunks with choices. */
  readonly itl: ArrayLike<number> | Gaps;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Output tokens asked for. */
  readonly wantedTokens: number;
  /** Prompt tokens found in the prefix cache, when told. */
  readonly cachedTokens?: number;
  /** Times preempted, when told. */
  readonly preemptions?: number;
  readonly text?: string;
}

/** (latency − TTFT) / (output tokens − 1); undefined for a single token. */
export function timePerOutputToken(record: RequestRecord): number | undefined {
  return record.outputTokens > 1
    ? (record.latency - record.ttft) / (record.outputTokens - 1)
    : undefined;
}
