/**
 * Sends requests at their times under a cap on how many are under way, and
 * measures how late it was itself: a load generator that cannot keep up must
 * say so, or its figures are read as the server's.
 */
import { type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { WorkRequest } from "../workload/request.ts";
import type { RequestRecord } from "./record.ts";
import { ascending, percentileOf } from "./statistics.ts";

/** Seconds. `dispatch`: sent minus due, waiting for a free slot not counted. */
export interface Lateness {
  readonly meanDispatch: number;
  readonly p99Dispatch: number;
  readonly maxDispatch: number;
  /** How much later than asked the event loop turned. */
  readonly p99EventLoop: number;
  readonly maxEventLoop: number;
  /** Requests that waited for a slot under --max-concurrency. */
  readonly held: number;
}

export interface LoadRun {
  /** What was sent and came to an end; all of them, unless the run was interrupted. */
  readonly requests: readonly WorkRequest[];
  /** In order of `requests`. */
  readonly records: readonly RequestRecord[];
  readonly interrupted: boolean;
  /** From the first dispatch to the last answer, in seconds. */
  readonly duration: number;
  readonly lateness: Lateness;
}

export type Send = (
  request: WorkRequest,
  index: number,
  now: () => number,
) => Promise<RequestRecord>;

export interface LoadOptions {
  /** Seconds from the start, one for each request, never going back. */
  readonly arrivals: readonly number[];
  /** Requests under way at most; absent: no cap. */
  readonly maxConcurrency?: number;
  readonly onDone?: (record: RequestRecord) => void;
  /** Ends the run early: nothing more is sent, what is under way is not counted. */
  readonly signal?: AbortSignal;
}

/** Below this many seconds a timer is too coarse and the event loop is turned instead. */
const SPIN_SECONDS = 0.0015;

export async function runLoad(
  requests: readonly WorkRequest[],
  send: Send,
  options: LoadOptions,
): Promise<LoadRun> {
  const cap = options.maxConcurrency ?? Number.POSITIVE_INFINITY;
  const records: RequestRecord[] = new Array(requests.length);
  const late: number[] = [];
  let held = 0;
  let under = 0;
  let freed: (() => void) | undefined;
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const origin = performance.now();
  const now = (): number => (performance.now() - origin) / 1000;
  const { signal } = options;
  const stopped = (): boolean => signal?.aborted === true;
  const stop = aborted(signal);
  let end = 0;
  const pending: Promise<void>[] = [];
  for (const [index, request] of requests.entries()) {
    const due = options.arrivals[index] ?? 0;
    await until(due, now, stopped);
    if (stopped()) break;
    const arrived = now();
    let ready = due;
    if (under >= cap) {
      held++;
      const free = new Promise<void>((resolve) => {
        freed = resolve;
      });
      await Promise.race([free, stop]);
      if (stopped()) break;
      ready = Math.max(due, now());
    }
    under++;
    late.push(Math.max(0, Math.min(arrived - due, now() - ready)));
    pending.push(
      send(request, index, now).then((record) => {
        if (stopped()) return;
        end = now();
        records[index] = Number.isFinite(cap) ? record : { ...record, due };
        under--;
        const wake = freed;
        freed = undefined;
        wake?.();
        options.onDone?.(record);
      }),
    );
  }
  await Promise.race([Promise.all(pending), stop]);
  const interrupted = stopped();
  const duration = interrupted ? end : now();
  delay.disable();
  const ended = requests.filter((_, index) => records[index] !== undefined);
  return {
    requests: interrupted ? ended : requests,
    records: interrupted ? records.filter((record) => record !== undefined) : records,
    interrupted,
    duration,
    lateness: { ...latenessOf(late, delay), held },
  };
}

/** Resolves when the run is to stop; never without a signal. */
function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve();
    else signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}

function latenessOf(late: readonly number[], delay: IntervalHistogram): Omit<Lateness, "held"> {
  const sorted = ascending(late);
  return {
    meanDispatch: late.reduce((sum, value) => sum + value, 0) / Math.max(1, late.length),
    p99Dispatch: percentileOf(sorted, 99),
    maxDispatch: sorted[sorted.length - 1] ?? 0,
    // The histogram holds turn lengths; the sampling step of 5 ms is not lateness.
    p99EventLoop: Math.max(0, delay.percentile(99) / 1e9 - 0.005),
    maxEventLoop: Math.max(0, delay.max / 1e9 - 0.005),
  };
}

/** Longest sleep, so that whoever stops the run is heard. */
const NAP_SECONDS = 0.1;

/** Sleeps until shortly before, then turns the event loop. */
async function until(due: number, now: () => number, stopped: () => boolean): Promise<void> {
  for (;;) {
    const left = due - now();
    if (left <= 0 || stopped()) return;
    await new Promise<void>((resolve) => {
      if (left > SPIN_SECONDS) {
        setTimeout(resolve, Math.min(left - SPIN_SECONDS, NAP_SECONDS) * 1000);
      } else setImmediate(resolve);
    });
  }
}
