/**
 * Multi-turn tool loops, the shape of agent traffic: each turn's prompt is the
 * whole conversation so far plus a tool's answer, so prefixes grow and a prefix
 * cache decides everything. Lengths are geometric around their means.
 *
 *     turn 0   [system][task]                       → output 0
 *     turn 1   [system][task][output 0][tool 0]     → output 1
 */
import { Random } from "../random.ts";
import type { Trace, TraceRequest } from "./trace.ts";

export interface SessionOptions {
  readonly sessions: number;
  /** Sessions started a second. */
  readonly sessionRate: number;
  readonly meanTurns: number;
  /** Tokens that all sessions share. */
  readonly systemTokens: number;
  readonly taskTokens: number;
  readonly toolTokens: number;
  readonly outputTokens: number;
  /** Seconds from an answer to the next turn: the tool's run. Answers are taken to need `outputTokens` · 20 ms. */
  readonly toolSeconds: number;
  readonly seed: number;
}

export const SESSION_BLOCK = 16;
/** Pace at which an answer is taken to be written when the trace is made. */
const SECONDS_PER_TOKEN = 0.02;

/**
 * As a trace with block ids: open loop, so a slow server does not slow the
 * sessions down. A turn's blocks are those of the turn before, then new ones; a
 * last block that was partly used is filled on, since its tokens depend on its id.
 */
export function toolLoopTrace(options: SessionOptions): Trace {
  const requests: TraceRequest[] = [];
  const systemBlocks = Math.floor(options.systemTokens / SESSION_BLOCK);
  let nextBlock = systemBlocks;
  const random = new Random(options.seed);
  let start = 0;
  for (let session = 0; session < options.sessions; session++) {
    start += random.exponential(1 / options.sessionRate);
    const blocks = Array.from({ length: systemBlocks }, (_, index) => index);
    let tokens = options.systemTokens + geometric(options.taskTokens, random);
    let at = start;
    for (let turn = 0, turns = geometric(options.meanTurns, random); turn < turns; turn++) {
      while (blocks.length < Math.ceil(tokens / SESSION_BLOCK)) blocks.push(nextBlock++);
      const outputTokens = geometric(options.outputTokens, random);
      requests.push({ arrival: at, inputTokens: tokens, outputTokens, blocks: [...blocks] });
      tokens += outputTokens + geometric(options.toolTokens, random);
      at += outputTokens * SECONDS_PER_TOKEN + random.exponential(options.toolSeconds);
    }
  }
  requests.sort((a, b) => a.arrival - b.arrival);
  return { name: "tool-loop", requests, blockTokens: SESSION_BLOCK, notes: [] };
}

/** Whole number ≥ 1 with the given mean. */
function geometric(mean: number, random: Random): number {
  if (mean <= 1) return 1;
  return 1 + Math.floor(Math.log(1 - random.uniform()) / Math.log(1 - 1 / mean));
}
