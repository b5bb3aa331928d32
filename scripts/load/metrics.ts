/**
 * From records to the metrics of `vllm bench serve`. Peaks are counted in whole
 * seconds as vLLM does: a request counts in every second that it touches.
 */

import { type Runs, runsOf } from "./gaps.ts";
import { type RequestRecord, timePerOutputToken } from "./record.ts";
import { type Summary, summarise } from "./statistics.ts";

export const LATENCIES = ["ttft", "tpot", "itl", "e2el"] as const;
export type Latency = (typeof LATENCIES)[number];

/** Limits in milliseconds; a request is good when it meets all of them. */
export type Goodput = Readonly<Partial<Record<"ttft" | "tpot" | "e2el", number>>>;

export interface LoadMetrics {
  /** Seconds. */
  readonly duration: number;
  readonly completed: number;
  readonly failed: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  /** Requests a second. */
  readonly requestThroughput: number;
  /** Good requests a second; undefined without limits. */
  readonly goodput: number | undefined;
  /** Tokens a second. */
  readonly outputThroughput: number;
  readonly totalThroughput: number;
  readonly peakOutputTokensPerSecond: number;
  readonly peakConcurrentRequests: number;
  /** Milliseconds. */
  readonly latency: Readonly<Record<Latency, Summary>>;
  /** Mean over requests of 1 / TPOT: aiperf's tokens/s/user. */
  readonly meanUserRate: number;
  readonly preemptions: number;
}

export function measure(
  records: readonly RequestRecord[],
  duration: number,
  options: { readonly percentiles: readonly number[]; readonly goodput?: Goodput },
): LoadMetrics {
  const done = records.filter((record) => record.ok);
  const tpots: number[] = [];
  let userRates = 0;
  for (const record of done) {
    const tpot = timePerOutputToken(record);
    if (tpot === undefined) continue;
    tpots.push(tpot * 1000);
    if (tpot > 0) userRates += 1 / tpot;
  }
  const total = (of: (record: RequestRecord) => number): number =>
    done.reduce((sum, record) => sum + of(record), 0);
  const inputTokens = total((record) => record.promptTokens);
  const outputTokens = total((record) => record.outputTokens);
  const perSecond = (count: number): number => (duration > 0 ? count / duration : 0);
  const summary = (values: ArrayLike<number>): Summary => summarise(values, options.percentiles);
  const { goodput } = options;
  const peaks = peaksOf(done);
  const gaps = gapsOf(done);
  return {
    duration,
    completed: done.length,
    failed: records.length - done.length,
    inputTokens,
    outputTokens,
    cachedTokens: total((record) => record.cachedTokens ?? 0),
    requestThroughput: perSecond(done.length),
    goodput:
      goodput === undefined
        ? undefined
        : perSecond(done.filter((record) => isGood(record, goodput)).length),
    outputThroughput: perSecond(outputTokens),
    totalThroughput: perSecond(inputTokens + outputTokens),
    peakOutputTokensPerSecond: peaks.tokens,
    peakConcurrentRequests: peaks.requests,
    latency: {
      ttft: summary(done.map((record) => record.ttft * 1000)),
      tpot: summary(tpots),
      itl: summarise(gaps.values, options.percentiles, gaps.counts),
      e2el: summary(done.map((record) => record.latency * 1000)),
    },
    meanUserRate: tpots.length === 0 ? 0 : userRates / tpots.length,
    preemptions: total((record) => record.preemptions ?? 0),
  };
}

/** Does the request meet every limit? A single token has no TPOT and meets that one. */
export function isGood(record: RequestRecord, limits: Goodput): boolean {
  const tpot = timePerOutputToken(record) ?? 0;
  return (
    record.ok &&
    record.ttft * 1000 <= (limits.ttft ?? Number.POSITIVE_INFINITY) &&
    tpot * 1000 <= (limits.tpot ?? Number.POSITIVE_INFINITY) &&
    record.latency * 1000 <= (limits.e2el ?? Number.POSITIVE_INFINITY)
  );
}

/** Gaps of all records in milliseconds, in one list of runs. */
function gapsOf(records: readonly RequestRecord[]): Required<Runs> {
  const runs = records.map(({ itl }) => runsOf(itl));
  const count = runs.reduce((sum, { values }) => sum + values.length, 0);
  const all = { values: new Float64Array(count), counts: new Float64Array(count).fill(1) };
  let end = 0;
  for (const { values, counts } of runs) {
    if (counts !== undefined) all.counts.set(counts, end);
    for (let run = 0; run < values.length; run++) all.values[end++] = (values[run] ?? 0) * 1000;
  }
  return all;
}

function peaksOf(records: readonly RequestRecord[]): { tokens: number; requests: number } {
  if (records.length === 0) return { tokens: 0, requests: 0 };
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const record of records) {
    first = Math.min(first, record.sent);
    last = Math.max(last, record.sent + record.latency);
  }
  const seconds = Math.floor(last - first) + 1;
  const tokens = new Float64Array(seconds);
  /** Requests that a second touches and the one before did not, less those the other way round. */
  const entered = new Float64Array(seconds + 1);
  const second = (time: number): number => Math.min(seconds - 1, Math.floor(time - first));
  for (const record of records) {
    // A chunk may hold several tokens: each chunk counts its share.
    const each = record.outputTokens / (record.itl.length + 1);
    const { values, counts } = runsOf(record.itl);
    let at = record.sent + record.ttft;
    let index = second(at);
    let inSecond = each;
    for (let run = 0; run < values.length; run++) {
      const gap = values[run] ?? 0;
      for (let left = counts === undefined ? 1 : (counts[run] ?? 0); left > 0; left--) {
        at += gap;
        if (at - first >= index + 1 && index < seconds - 1) {
          tokens[index] = (tokens[index] ?? 0) + inSecond;
          index = second(at);
          inSecond = 0;
        }
        inSecond += each;
      }
    }
    tokens[index] = (tokens[index] ?? 0) + inSecond;
    const [begin, end] = [second(record.sent), second(record.sent + record.latency)];
    entered[begin] = (entered[begin] ?? 0) + 1;
    entered[end + 1] = (entered[end + 1] ?? 0) - 1;
  }
  let under = 0;
  let mostUnder = 0;
  for (const more of entered) {
    under += more;
    mostUnder = Math.max(mostUnder, under);
  }
  return {
    tokens: tokens.reduce((most, value) => Math.max(most, value), 0),
    requests: mostUnder,
  };
}
