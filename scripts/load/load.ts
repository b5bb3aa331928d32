/**
 * Sends requests at their times under a cap on how many are under way, and
 * measures how late it was itself: a load generator that cannot keep up must
 * say so, or its figures are read as the server's.
 */
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
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
  /** In order of `requests`. */
  readonly records: readonly RequestRecord[];
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
  const pending: Promise<void>[] = [];
  for (const [index, request] of requests.entries()) {
    const due = options.arrivals[index] ?? 0;
    await until(due, now);
    const arrived = now();
    let ready = due;
    if (under >= cap) {
      held++;
      await new Promise<void>((resolve) => {
        freed = resolve;
      });
      ready = Math.max(due, now());
    }
    under++;
    late.push(Math.max(0, Math.min(arrived - due, now() - ready)));
    pending.push(
      send(request, index, now).then((record) => {
        records[index] = Number.isFinite(cap) ? record : { ...record, due };
        under--;
        const wake = freed;
        freed = undefined;
        wake?.();
        options.onDone?.(record);
      }),
    );
  }
  await Promise.all(pending);
  const duration = now();
  delay.disable();
  const sorted = ascending(late);
  return {
    records,
    duration,
    lateness: {
      meanDispatch: late.reduce((sum, value) => sum + value, 0) / Math.max(1, late.length),
      p99Dispatch: percentileOf(sorted, 99),
      maxDispatch: sorted[sorted.length - 1] ?? 0,
      // The histogram holds turn lengths; the sampling step of 5 ms is not lateness.
      p99EventLoop: Math.max(0, delay.percentile(99) / 1e9 - 0.005),
      maxEventLoop: Math.max(0, delay.max / 1e9 - 0.005),
      held,
    },
  };
}

/** Sleeps until shortly before, then turns the event loop. */
async function until(due: number, now: () => number): Promise<void> {
  for (;;) {
    const left = due - now();
    if (left <= 0) return;
    await new Promise<void>((resolve) => {
      if (left > SPIN_SECONDS) setTimeout(resolve, (left - SPIN_SECONDS) * 1000);
      else setImmediate(resolve);
    });
  }
}
