/**
 * What falsifies a benchmark without anyone lying: each notice names its evidence.
 * Judged by the load generators in scripts/, which know what they sent, and by the
 * server (load-watch.ts), which knows what arrived, whoever sent it.
 */
import { entryAt } from "../entry-at.ts";

export interface Notice {
  /** Stable name, for tests and filters. */
  readonly code: string;
  readonly text: string;
}

/** One request as seen by whoever judges. Seconds, of one clock. */
export interface SeenRequest {
  readonly ok: boolean;
  /** What went wrong, when not ok. */
  readonly error?: string | undefined;
  readonly sent: number;
  readonly ttft: number;
  readonly latency: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Output tokens asked for; absent: as many as the context takes. */
  readonly wantedTokens?: number | undefined;
  /** Prompt tokens found in the prefix cache, when told. */
  readonly cachedTokens?: number | undefined;
  /** Times preempted, when told. */
  readonly preemptions?: number | undefined;
}

export interface Claim {
  /** Users under way at once; absent: an open loop, which claims none. */
  readonly concurrency?: number;
  /** Requests before the measured ones. */
  readonly warmups: number;
  /** Seconds that the measured requests took. */
  readonly duration: number;
}

/** Requests per user below which a point says little: InferenceX sends 10. */
const REQUESTS_PER_USER = 10;
/** Output lengths may differ from what was asked by this share. */
const LENGTH_TOLERANCE = 0.01;
/** Distinct random prompts find no more than this share of their tokens in the cache. */
const PLAUSIBLE_HITS = 0.01;

export function judge(records: readonly SeenRequest[], claim: Claim): Notice[] {
  const done = records.filter((record) => record.ok);
  const { concurrency } = claim;
  return [
    ...failures(records),
    ...cachedPrompts(done),
    ...(concurrency === undefined ? [] : closedLoop(done, { ...claim, concurrency })),
    ...lengthMismatch(done),
    ...preemptions(done),
  ];
}

function failures(records: readonly SeenRequest[]): Notice[] {
  const failed = records.filter((record) => !record.ok);
  if (failed.length === 0) return [];
  const text = `${failed.length} of ${records.length} requests failed; the first: ${failed[0]?.error ?? "unknown"}.`;
  return [{ code: "failed-requests", text }];
}

function cachedPrompts(done: readonly SeenRequest[]): Notice[] {
  const cached = total(done, (record) => record.cachedTokens ?? 0);
  const prompt = total(done, (record) => record.promptTokens);
  if (prompt === 0 || cached / prompt <= PLAUSIBLE_HITS) return [];
  const share = ((100 * cached) / prompt).toFixed(1);
  return [
    { code: "cached-prompts", text: `${share} % of prompt tokens came from the prefix cache.` },
  ];
}

function closedLoop(
  done: readonly SeenRequest[],
  { concurrency, warmups, duration }: Claim & { readonly concurrency: number },
): Notice[] {
  const notices: Notice[] = [];
  const notice = (code: string, text: string): void => void notices.push({ code, text });
  if (done.length < REQUESTS_PER_USER * concurrency) {
    notice(
      "few-requests",
      `${done.length} requests for ${concurrency} users: fewer than ${REQUESTS_PER_USER} a user, so ramp-up and tail weigh in.`,
    );
  }
  const mean = meanConcurrency(done, duration);
  const peak = peakConcurrency(done);
  if (peak < concurrency) {
    notice(
      "concurrency-not-reached",
      `At most ${peak} requests were under way at once, not ${concurrency}.`,
    );
  } else if (mean < 0.8 * concurrency) {
    notice(
      "concurrency-not-held",
      `On average ${mean.toFixed(1)} of ${concurrency} requests were under way (ramp-up or tail).`,
    );
  }
  if (warmups < concurrency) {
    notice(
      "cold-start",
      `${warmups} warm-up requests for ${concurrency} users: the first answers may hold start-up costs.`,
    );
  }
  const inOrder = bySent(done).map((record) => record.ttft);
  const [early, later] = [
    median(inOrder.slice(0, concurrency)),
    median(inOrder.slice(concurrency)),
  ];
  if (concurrency > 1 && inOrder.length >= 2 * concurrency && later > 0 && early > 3 * later) {
    notice(
      "start-burst",
      `The first ${concurrency} requests arrive at once: their median TTFT is ${(early / later).toFixed(1)} times that of the rest.`,
    );
  }
  return notices;
}

function lengthMismatch(done: readonly SeenRequest[]): Notice[] {
  const told = done.filter((record) => record.wantedTokens !== undefined);
  const wanted = total(told, (record) => record.wantedTokens ?? 0);
  const got = total(told, (record) => record.outputTokens);
  if (wanted === 0 || Math.abs(got / wanted - 1) <= LENGTH_TOLERANCE) return [];
  const short = told.filter((record) => record.outputTokens < (record.wantedTokens ?? 0)).length;
  const text = `${got} output tokens where ${wanted} were asked for (${short} of ${done.length} answers ended early; --ignore-eos holds lengths).`;
  return [{ code: "length-mismatch", text }];
}

function preemptions(done: readonly SeenRequest[]): Notice[] {
  const hit = done.filter((record) => (record.preemptions ?? 0) > 0).length;
  if (hit === 0) return [];
  const text = `${hit} of ${done.length} requests were preempted: the KV cache is too small for this load.`;
  return [{ code: "preemptions", text }];
}

export function repeatedPrompts(again: number, of: number): Notice {
  const text = `${again} of ${of} prompts repeat an earlier one: a prefix cache makes them cheaper than distinct ones.`;
  return { code: "repeated-prompts", text };
}

/** Little's law: those under way on average = Σ latency / duration. */
export function meanConcurrency(done: readonly SeenRequest[], duration: number): number {
  return duration > 0 ? total(done, (record) => record.latency) / duration : 0;
}

/** Most requests under way at one instant; in whole nanoseconds, so that an end and a start can be equal. */
export function peakConcurrency(records: readonly SeenRequest[]): number {
  const instants = (seconds: (record: SeenRequest) => number): Float64Array =>
    ascending(records.map((record) => Math.round(seconds(record) * 1e9)));
  const starts = instants((record) => record.sent);
  const ends = instants((record) => record.sent + record.latency);
  let peak = 0;
  let ended = 0;
  for (let started = 0; started < starts.length; started++) {
    while (ended < ends.length && entryAt(ends, ended) <= entryAt(starts, started)) ended++;
    peak = Math.max(peak, started + 1 - ended);
  }
  return peak;
}

/** 53 bits of FNV-1a over the ids and their count, as an integer: equal for equal prompts only, as good as. */
export function digest(ids: ArrayLike<number>): number {
  let one = 0x811c9dc5 ^ ids.length;
  let two = 0x9747b28c;
  for (let index = 0; index < ids.length; index++) {
    const id = entryAt(ids, index);
    one = Math.imul(one ^ id, 0x01000193);
    two = Math.imul(two ^ (id + index), 0x01000193);
  }
  return (one >>> 0) * 2 ** 21 + (two >>> 11);
}

function total<T>(all: readonly T[], value: (one: T) => number): number {
  return all.reduce((sum, one) => sum + value(one), 0);
}

/** In order of sending; nearly so already as a rule. */
function bySent(done: readonly SeenRequest[]): readonly SeenRequest[] {
  const sorted = done.every(
    (record, index) => index === 0 || entryAt(done, index - 1).sent <= record.sent,
  );
  return sorted ? done : [...done].sort((a, b) => a.sent - b.sent);
}

/** Sorted by the runtime itself: a load has thousands. */
function ascending(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}

function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const middle = sorted.length >> 1;
  return ((sorted[middle] ?? 0) + (sorted[sorted.length - 1 - middle] ?? 0)) / 2;
}
