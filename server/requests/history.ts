/**
 * The last requests and what happened to each: bounded in requests
 * (`--request-history-entries`), in marks (MOST_MARKS; the oldest lose theirs first)
 * and in steps of an engine (LOGGED_STEPS). No prompt and no text is kept.
 */
import type { FastifyRequest } from "fastify";
import type { Clock, Nanos } from "../../device/clock.ts";
import type { SequenceId } from "../../device/device.ts";
import { IdMap } from "../../device/id-map.ts";
import type { Engine } from "../../engine/engine.ts";
import type { EngineEvent } from "../../engine/events.ts";
import type { Handle } from "../engines.ts";
import type { GenerationTimings, Running } from "../generation/generate.ts";
import { Life } from "../metrics/life.ts";
import { StepLog } from "../metrics/step-log.ts";

declare module "../http/record.ts" {
  interface RequestRecord {
    /** Of the history, where that is kept. */
    number?: number;
    promptTokens?: number;
    generation?: Running;
  }
}

/** Steps of an engine that are remembered: four minutes of 8 ms each. */
const LOGGED_STEPS = 32_768;
/** Times kept of all requests together, 8 bytes each. */
const MOST_MARKS = 1 << 21;

export interface KeptRequest {
  /** Counts this server's requests up from 1: ids may be a client's own. */
  readonly number: number;
  readonly id: string;
  readonly route: string;
  /** Unix ms. */
  readonly arrived: number;
  /** Absent while it is under way. */
  readonly status?: number | undefined;
  /** Its client left before the end. */
  readonly gone: boolean;
  readonly streamed: boolean;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** Completions. */
  readonly choices: number;
  /** Reasons of their ends, each once. */
  readonly finish: readonly string[];
  /** What was answered instead, where it was refused or failed. */
  readonly error?: string | undefined;
  /** Absent: the engine never had it. */
  readonly timings?: GenerationTimings | undefined;
  /** Of its first completions. */
  readonly lives: readonly Life[];
  /** Engine's time of each write of its stream. */
  readonly writes: Nanos[];
}

interface Open {
  readonly request: FastifyRequest;
  readonly number: number;
  readonly arrived: number;
  readonly writes: Nanos[];
}

/** Requests given up before the list of those that ended is cut. */
const GIVEN_UP = 512;

export class RequestHistory {
  /** Of each engine. */
  readonly logs: readonly StepLog[];
  readonly #most: number;
  readonly #mostMarks: number;
  readonly #clock: Clock;
  /** By engine: those that live. */
  readonly #lives: readonly IdMap<Life>[];
  /** By number. */
  readonly #open = new IdMap<Open>();
  readonly #over = new IdMap<KeptRequest>();
  /**
   * The same in the order of their ends: those before `#first` are given up, and of those
   * before `#marked` the marks.
   */
  readonly #ends: KeptRequest[] = [];
  #first = 0;
  #marked = 0;
  #marks = 0;
  #last = 0;

  constructor(
    engines: readonly Engine[],
    of: {
      readonly entries: number;
      readonly timeScale: number;
      readonly clock: Clock;
      /** Absent: MOST_MARKS. */
      readonly marks?: number;
    },
  ) {
    this.#mostMarks = of.marks ?? MOST_MARKS;
    this.#most = of.entries;
    this.#clock = of.clock;
    const watched = engines.map((engine) => {
      const log = new StepLog(LOGGED_STEPS, of.timeScale);
      const lives = new IdMap<Life>();
      engine.subscribe(receiver(log, lives));
      return { log, lives };
    });
    this.logs = watched.map(({ log }) => log);
    this.#lives = watched.map(({ lives }) => lives);
  }

  /** A completion's life: its events are to be given to it. Call before the event loop turns. */
  follow({ engine, id }: Handle, submitted: Nanos): Life {
    const life = new Life(engine, submitted);
    this.#lives[engine]?.set(id, life);
    return life;
  }

  /** A request for tokens has come, at so many Unix ms. */
  begin(request: FastifyRequest, arrived: number): void {
    const number = ++this.#last;
    const writes: Nanos[] = [];
    this.#open.set(number, { request, number, arrived, writes });
    request.record.number = number;
    request.record.wrote = () => writes.push(this.#clock.now());
  }

  /** Its answer is written whole, or its client left. Of other requests: nothing. */
  end(request: FastifyRequest, how: { readonly status: number; readonly gone: boolean }): void {
    const { number = 0 } = request.record;
    const open = this.#open.get(number);
    if (open === undefined) return;
    this.#open.delete(number);
    const kept = keptOf(open, how);
    const { finished } = kept.timings ?? {};
    if (finished !== undefined) for (const life of kept.lives) life.endAt(finished);
    this.#over.set(kept.number, kept);
    this.#ends.push(kept);
    this.#marks += marksOf(kept);
    this.#bound();
  }

  /** In the order of their ends. */
  get over(): readonly KeptRequest[] {
    return this.#ends.slice(this.#first);
  }

  /** In the order of their arrival. */
  get underWay(): readonly KeptRequest[] {
    return this.#open.values().map((open) => keptOf(open));
  }

  find(number: number): KeptRequest | undefined {
    const open = this.#open.get(number);
    return open === undefined ? this.#over.get(number) : keptOf(open);
  }

  #bound(): void {
    while (this.#over.size > this.#most) {
      const kept = this.#ends[this.#first];
      if (kept === undefined) break;
      this.#over.delete(kept.number);
      if (this.#marked === this.#first) this.#unmark(kept);
      this.#first++;
    }
    while (this.#marks > this.#mostMarks) {
      const kept = this.#ends[this.#marked];
      if (kept === undefined) break;
      this.#unmark(kept);
      for (const life of kept.lives) life.forget();
      kept.writes.length = 0;
    }
    if (this.#first < GIVEN_UP) return;
    this.#ends.splice(0, this.#first);
    this.#marked -= this.#first;
    this.#first = 0;
  }

  #unmark(kept: KeptRequest): void {
    this.#marks -= marksOf(kept);
    this.#marked++;
  }
}

/** Takes an engine's events. Of those that live some have their prompt computed: they alone are looked at in a step. */
function receiver(log: StepLog, lives: IdMap<Life>): (event: EngineEvent) => void {
  const computing = new Map<SequenceId, Life>();
  return (event) => {
    switch (event.type) {
      case "request-scheduled": {
        const life = lives.get(event.id);
        if (life !== undefined) computing.set(event.id, life);
        return;
      }
      case "request-finished":
        lives.get(event.id)?.ended();
        lives.delete(event.id);
        return;
      case "step-finished":
        log.add(event);
        if (computing.size === 0) return;
        for (const { id, count } of event.work()) computing.get(id)?.piece(event, count);
        for (const [id, life] of computing) if (!life.computing) computing.delete(id);
    }
  };
}

function marksOf({ lives, writes }: KeptRequest): number {
  let sum = writes.length;
  for (const life of lives) sum += life.size;
  return sum;
}

/** Characters of a text that a client wrote or that quotes one. */
const MOST_CHARACTERS = 1_024;
/** V8 copies shorter ones. */
const COPIED = 12;

/** Its beginning, in memory of its own: a piece of a text holds all of that. */
function kept(text: string): string {
  if (text.length <= COPIED) return text;
  return Buffer.from(text.slice(0, MOST_CHARACTERS), "utf16le").toString("utf16le");
}

/** What is kept of it; the generation itself holds the prompt. */
function keptOf(
  { request: { record, url }, number, arrived, writes }: Open,
  how?: { readonly status: number; readonly gone: boolean },
): KeptRequest {
  const { generation } = record;
  const choices = generation?.choices ?? [];
  // Once a request: no spreads, and no `routeOptions`, which fastify makes anew each time.
  return {
    number,
    arrived,
    writes,
    id: kept(record.id ?? ""),
    route: kept(pathOf(url)),
    status: how?.status,
    gone: how?.gone ?? false,
    streamed: record.streamedBytes !== undefined,
    promptTokens: record.promptTokens ?? 0,
    cachedTokens: generation?.cachedTokens ?? 0,
    outputTokens: generation?.outputTokens ?? 0,
    choices: choices.length,
    finish: reasonsOf(choices),
    error: record.error === undefined ? undefined : kept(record.error),
    timings: generation?.timings,
    lives: generation?.lives ?? [],
  };
}

function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
}

/** Each once. */
function reasonsOf(choices: Running["choices"]): readonly string[] {
  const [only] = choices;
  if (choices.length === 1 && only?.finish !== undefined) return [only.finish.reason];
  return [...new Set(choices.flatMap((choice) => choice.finish?.reason ?? []))];
}
