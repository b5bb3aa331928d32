/**
 * A recorded or generated workload: when requests came and how long they were,
 * with whatever is known of the prefixes that they share. Text never is.
 */
import { Random } from "../workload/random.ts";
import { randomIds } from "../workload/random-dataset.ts";
import type { Words, WorkRequest } from "../workload/request.ts";

export interface TraceRequest {
  /** Seconds from the start of the trace. */
  readonly arrival: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Ids of the prompt's blocks of `blockTokens`; equal leading ids are a shared prefix. */
  readonly blocks?: readonly number[];
}

export interface Trace {
  readonly name: string;
  /** In order of arrival. */
  readonly requests: readonly TraceRequest[];
  /** Tokens in a block of `TraceRequest.blocks`. */
  readonly blockTokens?: number;
  /** What was left out and why, one sentence each. */
  readonly notes: readonly string[];
}

/** Seconds from the first arrival to the last. */
export function spanOf(trace: Trace): number {
  const first = trace.requests[0]?.arrival ?? 0;
  return (trace.requests[trace.requests.length - 1]?.arrival ?? 0) - first;
}

export interface TraceScale {
  /** 2: twice as many requests a second. */
  readonly rate?: number;
  /** Lengths are multiplied by this, at least 1 token. */
  readonly length?: number;
  /** Only the first so many requests. */
  readonly limit?: number;
}

/** The trace, faster or shorter. Blocks shrink with the prompts, so shared prefixes stay shared. */
export function scaled(trace: Trace, scale: TraceScale): Trace {
  const rate = scale.rate ?? 1;
  const length = scale.length ?? 1;
  const shrink = (tokens: number): number => Math.max(1, Math.round(tokens * length));
  const origin = trace.requests[0]?.arrival ?? 0;
  return {
    ...trace,
    ...(trace.blockTokens === undefined ? {} : { blockTokens: shrink(trace.blockTokens) }),
    requests: trace.requests.slice(0, scale.limit ?? trace.requests.length).map((request) => ({
      ...request,
      arrival: (request.arrival - origin) / rate,
      inputTokens: shrink(request.inputTokens),
      outputTokens: shrink(request.outputTokens),
    })),
  };
}

/**
 * Prompts for a trace. A block id becomes a run of ids that depends on it alone:
 *
 *     blocks   [ 7 ][ 12 ][ 30 ]          [ 7 ][ 12 ][ 31 ]
 *     prompt   run(7) run(12) run(30)…    run(7) run(12) run(31)…
 *
 * so equal leading blocks are equal leading tokens. The last block is cut at the
 * prompt's length. Requests without blocks get a prompt of their own.
 */
export class TracePrompts {
  readonly #words: Words;
  readonly #blockTokens: number | undefined;
  readonly #seed: number;
  readonly #runs = new Map<number, Int32Array>();
  #fresh: Random;

  constructor(trace: Trace, words: Words, seed: number) {
    this.#words = words;
    this.#blockTokens = trace.blockTokens;
    this.#seed = seed;
    this.#fresh = new Random(seed);
  }

  ids(request: TraceRequest): Int32Array {
    const { blocks } = request;
    const size = this.#blockTokens;
    if (blocks === undefined || size === undefined) {
      return randomIds(request.inputTokens, this.#words.ids, this.#fresh);
    }
    const ids = new Int32Array(request.inputTokens);
    let end = 0;
    for (const block of blocks) {
      const run = this.#run(block, size);
      const count = Math.min(size, ids.length - end);
      ids.set(count === size ? run : run.subarray(0, count), end);
      end += count;
      if (end === ids.length) break;
    }
    if (end < ids.length) {
      ids.set(randomIds(ids.length - end, this.#words.ids, this.#fresh), end);
    }
    return ids;
  }

  #run(block: number, size: number): Int32Array {
    let run = this.#runs.get(block);
    if (run === undefined) {
      run = randomIds(
        size,
        this.#words.ids,
        new Random(Math.imul(block + 1, 0x9e3779b1) ^ this.#seed),
      );
      this.#runs.set(block, run);
    }
    return run;
  }
}

/** The trace as requests to send, each at its time. */
export function traceRequests(trace: Trace, words: Words, seed: number): WorkRequest[] {
  const prompts = new TracePrompts(trace, words, seed);
  return trace.requests.map((request) => ({
    prompt: { type: "ids", ids: prompts.ids(request) },
    promptTokens: request.inputTokens,
    outputTokens: request.outputTokens,
    arrival: request.arrival,
  }));
}

export interface PrefixOracle {
  readonly blocks: number;
  readonly hits: number;
  readonly distinct: number;
}

/** Hits of an endless cache that keeps whole blocks and matches from the start. */
export function prefixOracle(trace: Trace): PrefixOracle {
  const seen = new Set<number>();
  let blocks = 0;
  let hits = 0;
  for (const request of trace.requests) {
    const ids = request.blocks ?? [];
    blocks += ids.length;
    let matching = true;
    for (const id of ids) {
      if (matching && seen.has(id)) hits++;
      else matching = false;
    }
    for (const id of ids) seen.add(id);
  }
  return { blocks, hits, distinct: seen.size };
}
