/** Guessing ahead, as an engine is told of it. */
import type { Proposer } from "./proposer.ts";

export interface Speculation {
  readonly proposer: Proposer;
  /** Guesses a row may carry at most. */
  readonly maxTokens: number;
  /** Lengths follow acceptance and cost, down to none; absent: yes. */
  readonly adaptive?: boolean;
}
