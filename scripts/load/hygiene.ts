/**
 * Hygiene as a load generator sees it: what it sent, what came back, and how late
 * it was itself. Run on every point; the report prints the notices beside the figures.
 */
import { digest, judge, type Notice, repeatedPrompts } from "../../server/metrics/hygiene.ts";
import type { WorkRequest } from "../workload/request.ts";
import { overload } from "./overload.ts";
import type { RequestRecord } from "./record.ts";
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
  /** What the server noticed of the same requests. */
  readonly served?: readonly Notice[];
}

/** A load generator later than this share of the median TTFT shapes the result. */
const LATENESS_SHARE = 0.05;

export function hygiene(input: HygieneInput): Notice[] {
  const { requests, records, served = [], ...claim } = input;
  const seen = [
    ...repetitions(requests),
    ...judge(records, claim),
    ...lateness(input.lateness, records),
    ...(input.concurrency === undefined ? overloaded(records) : []),
  ];
  const codes = new Set(seen.map(({ code }) => code));
  return [...seen, ...served.filter(({ code }) => !codes.has(code))];
}

/** Ids that tell most prompts apart. */
const BEGINNING = 32;

function repetitions(requests: readonly WorkRequest[]): Notice[] {
  if (!beginAlike(requests)) return [];
  const seen = new Set<string | number>();
  for (const { prompt } of requests) {
    seen.add(
      prompt.type === "ids"
        ? digest(prompt.ids)
        : JSON.stringify(prompt.type === "text" ? prompt.text : prompt.messages),
    );
  }
  const again = requests.length - seen.size;
  return again === 0 ? [] : [repeatedPrompts(again, requests.length)];
}

/** Do any two begin with the same ids, or may they? Only then are all ids read. */
function beginAlike(requests: readonly WorkRequest[]): boolean {
  const seen = new Set<string>();
  for (const { prompt, promptTokens } of requests) {
    if (prompt.type !== "ids") return true;
    const ids = prompt.beginning?.(BEGINNING) ?? prompt.ids.subarray(0, BEGINNING);
    const beginning = `${digest(ids)} of ${promptTokens}`;
    if (seen.has(beginning)) return true;
    seen.add(beginning);
  }
  return false;
}

function lateness(late: number | undefined, records: readonly RequestRecord[]): Notice[] {
  const done = records.filter((record) => record.ok);
  const ttft = percentileOf(ascending(done.map((record) => record.ttft)), 50);
  if (late === undefined || ttft === 0 || late < LATENESS_SHARE * ttft) return [];
  return [
    {
      code: "late-client",
      text: `The load generator was up to ${(1000 * late).toFixed(1)} ms late (p99), against a median TTFT of ${(1000 * ttft).toFixed(1)} ms.`,
    },
  ];
}

/** Of an open loop only: users of a closed one wait for their answers. */
function overloaded(records: readonly RequestRecord[]): Notice[] {
  // Requests that come all at once are no rate that could be too high.
  const times = new Set(records.map(({ due, sent }) => Math.round(10 * (due ?? sent))));
  const text = times.size < 2 ? undefined : overload(records);
  return text === undefined ? [] : [{ code: "overload", text }];
}
