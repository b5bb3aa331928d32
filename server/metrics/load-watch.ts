/**
 * The load that this server is under, for `judge`: the requests from the first
 * after a pause to the next pause. Told a claim (GET /hygiene?concurrency=64), it
 * holds the load against it; untold, against as many users as the load had.
 */
import { type Nanos, SECOND } from "../../device/clock.ts";
import type { SequenceId } from "../../device/device.ts";
import { IdMap } from "../../device/id-map.ts";
import type { EngineEvent, RequestFinished } from "../../engine/events.ts";
import type { GenerationRequest } from "../../engine/sequence.ts";
import {
  digest,
  judge,
  meanConcurrency,
  type Notice,
  peakConcurrency,
  repeatedPrompts,
  type SeenRequest,
} from "./hygiene.ts";

/** What can be noticed without a claim. */
export const CODES = [
  "failed-requests",
  "repeated-prompts",
  "warm-up-contamination",
  "cached-prompts",
  "few-requests",
  "cold-start",
  "start-burst",
  "length-mismatch",
  "preemptions",
] as const;

export interface LoadReport {
  readonly requests: number;
  /** From the first arrival to the last answer. */
  readonly seconds: number;
  readonly meanConcurrency: number;
  readonly peakConcurrency: number;
  readonly notices: readonly Notice[];
}

/** A load ends when nothing was under way for so long. */
const PAUSE = 1 * SECOND;
/** Fewer requests are people trying things; nothing is logged about them. */
const LEAST_REQUESTS = 20;
/** Requests and prompts remembered; of a longer load the newer half. */
const REMEMBERED = 16_384;
/** One part in so many more requests make a report worth making anew. */
const GROWTH = 16;

interface Open {
  readonly queued: Nanos;
  first?: Nanos;
  preemptions: number;
  cachedTokens: number;
  wantedTokens?: number;
  /** When the same prompt was sent before. */
  repeats?: number;
  /** One of n completions that share a prompt: its hits are no repetition. */
  sibling: boolean;
}

interface Served extends SeenRequest {
  readonly repeats: number | undefined;
}

export class LoadWatch {
  readonly #maxModelLen: number;
  readonly #open: readonly IdMap<Open>[];
  /** Of those, whose first token has not come: nothing else of a token is asked. */
  readonly #awaited: readonly IdMap<Open>[];
  #served: Served[] = [];
  /** Seconds; of the first arrival of the load. */
  #began = 0;
  /** Requests served before those. */
  #before = 0;
  /**
   * Digest of a prompt → seconds of its last arrival; full, it is the older one and the next
   * begins. (To take the oldest out of one Map is to step over all that left it before.)
   */
  #prompts = new Map<number, number>();
  #olderPrompts = new Map<number, number>();
  #lastEnd: Nanos = Number.NEGATIVE_INFINITY;
  #told = true;
  /** The last answer of `noticed`, and of how many requests since when. */
  #noticed:
    | { readonly report: LoadReport; readonly began: number; readonly served: number }
    | undefined;

  constructor(engines: number, maxModelLen: number) {
    this.#open = Array.from({ length: engines }, () => new IdMap<Open>());
    this.#awaited = this.#open.map(() => new IdMap<Open>());
    this.#maxModelLen = maxModelLen;
  }

  /** Of the HTTP side, after `request-queued`: what events do not carry. `from`: completions told before. */
  submitted(
    engine: number,
    request: GenerationRequest,
    ids: readonly SequenceId[],
    from = 0,
  ): void {
    const { prompt, params } = request;
    const key = from === 0 ? digest(prompt) : -1;
    const earlier = this.#prompts.get(key) ?? this.#olderPrompts.get(key);
    ids.forEach((id, index) => {
      const open = this.#open[engine]?.get(id);
      if (open === undefined) return;
      open.sibling = from + index > 0;
      if (earlier !== undefined && index === 0) open.repeats = earlier;
      const pools = request.pooling !== undefined;
      if (!pools && params.maxTokens !== this.#maxModelLen - prompt.length) {
        open.wantedTokens = params.maxTokens;
      }
    });
    if (from > 0) return;
    const now = this.#open[engine]?.get(ids[0] ?? -1)?.queued ?? 0;
    this.#prompts.set(key, now / SECOND);
    if (this.#prompts.size < REMEMBERED) return;
    this.#olderPrompts = this.#prompts;
    this.#prompts = new Map();
  }

  receive(engine: number, event: EngineEvent): void {
    const all = this.#open[engine];
    const awaited = this.#awaited[engine];
    if (all === undefined || awaited === undefined || !("id" in event)) return;
    if (event.type === "tokens-emitted") {
      const open = awaited.get(event.id);
      if (open === undefined) return;
      open.first = event.at;
      awaited.delete(event.id);
      return;
    }
    if (event.type === "request-queued") {
      if (this.#idle && event.at - this.#lastEnd > PAUSE) this.#begin(event.at);
      const open = { queued: event.at, preemptions: 0, cachedTokens: 0, sibling: false };
      all.set(event.id, open);
      awaited.set(event.id, open);
      return;
    }
    const open = all.get(event.id);
    if (open === undefined) return;
    switch (event.type) {
      case "request-scheduled":
        if (!event.resumed && !open.sibling) open.cachedTokens = event.cachedTokens;
        return;
      case "request-preempted":
        open.preemptions++;
        return;
      case "request-finished":
        all.delete(event.id);
        awaited.delete(event.id);
        this.#finish(open, event);
    }
  }

  /**
   * Of the requests since so many seconds of this clock; absent: of the whole load.
   * Without a claim, that of the load itself is taken: as many users as it had.
   */
  report({ since, concurrency }: { since?: number; concurrency?: number } = {}): LoadReport {
    const from = since ?? this.#began;
    const records = this.#served.filter((record) => record.sent >= from);
    if (records.length === 0) {
      return { requests: 0, seconds: 0, meanConcurrency: 0, peakConcurrency: 0, notices: [] };
    }
    let start = Number.POSITIVE_INFINITY;
    let end = 0;
    for (const { sent, latency } of records) {
      start = Math.min(start, sent);
      end = Math.max(end, sent + latency);
    }
    const seconds = end - start;
    const mean = meanConcurrency(records, seconds);
    return {
      requests: records.length,
      seconds,
      meanConcurrency: mean,
      peakConcurrency: peakConcurrency(records),
      notices: [
        ...repetitions(records, from),
        ...judge(records, {
          concurrency: concurrency ?? Math.max(1, Math.round(mean)),
          warmups: this.#before + this.#served.length - records.length,
          duration: seconds,
        }),
      ],
    };
  }

  /**
   * The report of the whole load for whoever asks again and again: while a long load is
   * under way it is made anew only when a sixteenth more requests have been served, so
   * that a scrape does not cost the more the longer a load lasts.
   */
  noticed(): LoadReport {
    const served = this.#before + this.#served.length;
    const known = this.#noticed;
    if (known !== undefined && known.began === this.#began) {
      const more = served - known.served;
      const few = more * GROWTH < Math.min(served, REMEMBERED);
      if (more === 0 || (few && !this.#idle)) return known.report;
    }
    const report = this.report();
    this.#noticed = { report, began: this.#began, served };
    return report;
  }

  /** Once, when a load has ended that is worth a line in the log. */
  ended(now: Nanos): LoadReport | undefined {
    if (this.#told || !this.#idle || now - this.#lastEnd <= PAUSE) return undefined;
    this.#told = true;
    return this.#served.length < LEAST_REQUESTS ? undefined : this.report();
  }

  get #idle(): boolean {
    return this.#open.every((all) => all.size === 0);
  }

  #begin(now: Nanos): void {
    this.#began = now / SECOND;
    this.#before += this.#served.length;
    this.#served = [];
    this.#told = false;
  }

  #finish(open: Open, event: RequestFinished): void {
    const ok = event.reason === "stop" || event.reason === "length";
    this.#lastEnd = event.at;
    // One shape for all, written out: thousands are sorted and summed in one go.
    const { queued, first = event.at, cachedTokens, preemptions, wantedTokens, repeats } = open;
    this.#served.push({
      ok,
      error: ok ? undefined : (event.error?.message ?? "the client left"),
      sent: queued / SECOND,
      ttft: (first - queued) / SECOND,
      latency: (event.at - queued) / SECOND,
      promptTokens: event.promptTokens,
      outputTokens: event.outputTokens,
      cachedTokens,
      preemptions,
      wantedTokens,
      repeats,
    });
    if (this.#served.length > REMEMBERED) {
      this.#before += REMEMBERED / 2;
      this.#served.splice(0, REMEMBERED / 2);
    }
  }
}

/** Prompts sent before: in the same load, or by what came before it. */
function repetitions(records: readonly Served[], from: number): Notice[] {
  const again = records.filter(({ repeats }) => repeats !== undefined && repeats >= from).length;
  const warm = records.filter(({ repeats }) => repeats !== undefined && repeats < from).length;
  return [
    ...(again === 0 ? [] : [repeatedPrompts(again, records.length)]),
    ...(warm === 0
      ? []
      : [
          {
            code: "warm-up-contamination",
            text: `${warm} of ${records.length} prompts had been sent before this load, as by warm-ups: a prefix cache makes them cheaper.`,
          },
        ]),
  ];
}
