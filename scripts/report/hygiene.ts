/**
 * What falsifies a benchmark without anyone lying: each check names its evidence.
 * Run on every point; the report prints what it finds beside the figures.
 */
import type { RequestRecord } from "../bench/record.ts";
import type { WorkRequest } from "../workload/request.ts";
import type { Notice } from "./point.ts";
import { ascending, percentileOf } from "./statistics.ts";

export interface HygieneInput {
  readonly requests: readonly WorkRequest[];
  readonly records: readonly RequestRecord[];
  /** Users claimed; absent for open loops. */
  readonly concurrency?: number;
  readonly warmups: number;
  /** Seconds. */
  readonly duration: number;
  /** p99 of how late the load generator itself was, in seconds. */
  readonly lateness?: number;
}

/** Requests per user below which a point says little: InferenceX sends 10. */
const REQUESTS_PER_USER = 10;
/** Output lengths may differ from what was asked by this share. */
const LENGTH_TOLERANCE = 0.01;
/** A load generator later than this share of the median TTFT shapes the result. */
const LATENESS_SHARE = 0.05;

export function hygiene(input: HygieneInput): Notice[] {
  const done = input.records.filter((record) => record.ok);
  return [
    ...failures(input.records),
    ...repeatedPrompts(input.requests, done),
    ...(input.concurrency === undefined ? [] : loopNotices(input, done, input.concurrency)),
    ...lengthMismatch(done),
    ...preemptions(done),
    ...lateness(input, done),
  ];
}

function failures(records: readonly RequestRecord[]): Notice[] {
  const failed = records.filter((record) => !record.ok);
  if (failed.length === 0) return [];
  return [
    {
      code: "failed-requests",
      text: `${failed.length} of ${records.length} requests failed; the first: ${failed[0]?.error ?? "unknown"}.`,
    },
  ];
}

function repeatedPrompts(
  requests: readonly WorkRequest[],
  done: readonly RequestRecord[],
): Notice[] {
  const seen = new Set<string>();
  for (const { prompt } of requests) {
    seen.add(
      prompt.type === "ids"
        ? digest(prompt.ids)
        : JSON.stringify(prompt.type === "text" ? prompt.text : prompt.messages),
    );
  }
  const notices: Notice[] = [];
  if (seen.size < requests.length) {
    notices.push({
      code: "repeated-prompts",
      text: `${requests.length - seen.size} of ${requests.length} prompts repeat an earlier one: a prefix cache makes them cheaper than distinct ones.`,
    });
  }
  const cached = done.reduce((sum, record) => sum + (record.cachedTokens ?? 0), 0);
  const prompt = done.reduce((sum, record) => sum + record.promptTokens, 0);
  if (prompt > 0 && cached / prompt > 0.01) {
    notices.push({
      code: "cached-prompts",
      text: `${((100 * cached) / prompt).toFixed(1)} % of prompt tokens came from the prefix cache.`,
    });
  }
  return notices;
}

/** 64 bits of FNV-1a over the ids, and their count: equal for equal prompts only, as good as. */
function digest(ids: Int32Array): string {
  let one = 0x811c9dc5;
  let two = 0x9747b28c;
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index] ?? 0;
    one = Math.imul(one ^ id, 0x01000193);
    two = Math.imul(two ^ (id + index), 0x01000193);
  }
  return `${ids.length} ${one} ${two}`;
}

function loopNotices(
  input: HygieneInput,
  done: readonly RequestRecord[],
  concurrency: number,
): Notice[] {
  const notices: Notice[] = [];
  if (input.requests.length < REQUESTS_PER_USER * concurrency) {
    notices.push({
      code: "few-requests",
      text: `${input.requests.length} requests for ${concurrency} users: fewer than ${REQUESTS_PER_USER} a user, so ramp-up and tail weigh in.`,
    });
  }
  // Little's law: users under way on average = Σ latency / duration.
  const busy = done.reduce((sum, record) => sum + record.latency, 0);
  const mean = input.duration > 0 ? busy / input.duration : 0;
  const peak = peakConcurrency(done);
  if (peak < concurrency) {
    notices.push({
      code: "concurrency-not-reached",
      text: `At most ${peak} requests were under way at once, not ${concurrency}.`,
    });
  } else if (mean < 0.8 * concurrency) {
    notices.push({
      code: "concurrency-not-held",
      text: `On average ${mean.toFixed(1)} of ${concurrency} requests were under way (ramp-up or tail).`,
    });
  }
  if (input.warmups < concurrency) {
    notices.push({
      code: "cold-start",
      text: `${input.warmups} warm-up requests for ${concurrency} users: the first answers may hold start-up costs.`,
    });
  }
  const first = ascending(done.slice(0, concurrency).map((record) => record.ttft));
  const rest = ascending(done.slice(concurrency).map((record) => record.ttft));
  const [early, later] = [percentileOf(first, 50), percentileOf(rest, 50)];
  if (rest.length >= concurrency && later > 0 && early > 3 * later) {
    notices.push({
      code: "start-burst",
      text: `The first ${concurrency} requests arrive at once: their median TTFT is ${(early / later).toFixed(1)} times that of the rest.`,
    });
  }
  return notices;
}

/** Most requests under way at one instant. */
export function peakConcurrency(records: readonly RequestRecord[]): number {
  const starts = ascending(records.map((record) => record.sent));
  const ends = ascending(records.map((record) => record.sent + record.latency));
  let peak = 0;
  let ended = 0;
  for (let started = 0; started < starts.length; started++) {
    while (ended < ends.length && (ends[ended] ?? 0) <= (starts[started] ?? 0)) ended++;
    peak = Math.max(peak, started + 1 - ended);
  }
  return peak;
}

function lengthMismatch(done: readonly RequestRecord[]): Notice[] {
  const wanted = done.reduce((sum, record) => sum + record.wantedTokens, 0);
  const short = done.filter((record) => record.outputTokens < record.wantedTokens).length;
  const got = done.reduce((sum, record) => sum + record.outputTokens, 0);
  if (wanted === 0 || Math.abs(got / wanted - 1) <= LENGTH_TOLERANCE) return [];
  return [
    {
      code: "length-mismatch",
      text: `${got} output tokens where ${wanted} were asked for (${short} of ${done.length} answers ended early; --ignore-eos holds lengths).`,
    },
  ];
}

function preemptions(done: readonly RequestRecord[]): Notice[] {
  const hit = done.filter((record) => (record.preemptions ?? 0) > 0).length;
  if (hit === 0) return [];
  return [
    {
      code: "preemptions",
      text: `${hit} of ${done.length} requests were preempted: the KV cache is too small for this load.`,
    },
  ];
}

function lateness(input: HygieneInput, done: readonly RequestRecord[]): Notice[] {
  const ttft = percentileOf(ascending(done.map((record) => record.ttft)), 50);
  if (input.lateness === undefined || ttft === 0 || input.lateness < LATENESS_SHARE * ttft) {
    return [];
  }
  return [
    {
      code: "late-client",
      text: `The load generator was up to ${(1000 * input.lateness).toFixed(1)} ms late (p99), against a median TTFT of ${(1000 * ttft).toFixed(1)} ms.`,
    },
  ];
}
