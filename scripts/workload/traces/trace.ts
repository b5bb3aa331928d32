/**
 * A recorded or generated workload: when requests came and how long they were,
 * with whatever is known of the prefixes that they share. Text never is.
 */
import { Random } from "../random.ts";
import { drawIds } from "../random-dataset.ts";
import type { Words, WorkRequest } from "../request.ts";
import { BlockNames } from "./block-names.ts";

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

/** Tokens of the longest request, prompt and answer. */
export function longestOf(trace: Trace): number {
  return trace.requests.reduce(
    (most, { inputTokens, outputTokens }) => Math.max(most, inputTokens + outputTokens),
    0,
  );
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
 *     run(7)   [ digits of 7 in the alphabet's base | a stretch of the alphabet ]
 *
 * so equal leading blocks are equal leading tokens and different blocks differ.
 * The last block is cut at the prompt's length. What no block covers is the
 * request's own. A hundred million ids are made for a long trace: runs are copied.
 */
export class TracePrompts {
  readonly #ids: Words["ids"];
  readonly #blockTokens: number;
  readonly #seed: number;
  /** The alphabet, again and again: any block's run is a stretch of it. */
  readonly #ring: Int32Array;
  readonly #digits: number;

  constructor(trace: Trace, words: Words, seed: number) {
    const span = words.ids.length;
    this.#ids = words.ids;
    this.#blockTokens = trace.blockTokens ?? 0;
    this.#seed = seed;
    this.#ring = Int32Array.from({ length: span + this.#blockTokens }, (_, place) =>
      words.ids.at(place % span),
    );
    this.#digits = Math.ceil(Math.log(2 ** 31) / Math.log(Math.max(2, span)));
  }

  /** `index`: the request's place in the trace. */
  ids(request: TraceRequest, index: number): Int32Array {
    const ids = new Int32Array(request.inputTokens);
    const size = this.#blockTokens;
    let end = 0;
    for (const block of size > 0 ? (request.blocks ?? []) : []) {
      if (end === ids.length) break;
      const next = Math.min(end + size, ids.length);
      this.#fill(ids, end, next, block);
      end = next;
    }
    if (end < ids.length) {
      const random = new Random(Math.imul(index + 1, 0x9e3779b1) ^ this.#seed);
      drawIds(ids, this.#ids, { random, start: end });
    }
    return ids;
  }

  #fill(ids: Int32Array, start: number, end: number, block: number): void {
    const span = this.#ids.length;
    const offset = (Math.imul(block + 1, 0x9e3779b1) ^ this.#seed) >>> 0;
    const from = offset % span;
    ids.set(this.#ring.subarray(from, from + end - start), start);
    let rest = block;
    for (let digit = 0; digit < this.#digits && start + digit < end; digit++) {
      ids[start + digit] = this.#ids.at(rest % span);
      rest = Math.floor(rest / span);
    }
  }
}

/** The trace as requests to send, each at its time; a prompt is made when it is read. */
export function traceRequests(trace: Trace, words: Words, seed: number): WorkRequest[] {
  const prompts = new TracePrompts(trace, words, seed);
  const blocks = new BlockNames(trace.blockTokens);
  return trace.requests.map((request, index) => ({
    get prompt() {
      return { type: "ids", ids: prompts.ids(request, index) } as const;
    },
    names: (size) => blocks.of(request, index, size),
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
