/**
 * Is an open loop more than the server takes? Then its queue grows for as long as
 * requests come, and every latency says how long that was, not how fast the server is.
 */
import type { RequestRecord } from "./record.ts";
import { ascending, percentileOf } from "./statistics.ts";

/** Requests below which a trend is chance. */
const LEAST = 20;
/** Share of the requests at either end that are compared. */
const END = 0.1;
/** How much longer the last wait than the first: as a factor, and in seconds. */
const GROWTH = { factor: 3, seconds: 1 };

/** One sentence; undefined where the waits do not grow. `records` by arrival. */
export function overload(records: readonly RequestRecord[]): string | undefined {
  const done = records.filter(({ ok }) => ok).sort((a, b) => a.sent - b.sent);
  if (done.length < LEAST) return undefined;
  const size = Math.max(5, Math.floor(done.length * END));
  const wait = (some: readonly RequestRecord[]): number =>
    percentileOf(ascending(some.map(({ ttft }) => ttft)), 50);
  const first = wait(done.slice(0, size));
  const middle = wait(done.slice(Math.floor((done.length - size) / 2)).slice(0, size));
  const last = wait(done.slice(-size));
  const grows =
    last > GROWTH.factor * first &&
    last > first + GROWTH.seconds &&
    middle > first &&
    last > middle;
  if (!grows) return undefined;
  const begin = done[0]?.sent ?? 0;
  const end = done[done.length - 1]?.sent ?? 0;
  let served = end;
  for (const { sent, latency } of done) served = Math.max(served, sent + latency);
  const rate = (seconds: number): string => (done.length / Math.max(1e-9, seconds)).toFixed(2);
  return `More came than could be served: ${rate(end - begin)} requests a second came, ${rate(served - begin)} were answered. The first tenth waited ${first.toFixed(1)} s for a first token (median), the last ${last.toFixed(1)} s: these latencies are the queue's, and grow with the length of the run.`;
}
