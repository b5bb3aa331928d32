/**
 * What GET /live tells, gathered once however many watch: a step costs the same
 * for one watcher and for fifty, and each text is made once for all of them.
 *
 *     hello    once: model, device, engines
 *     steps    ten times a second: the steps since, about 50 a second and engine, the
 *              newest among them; `skipped` counts the others, whose tokens and guesses
 *              are in the next that is told
 *     curve    each second: tokens/s against concurrency so far
 *     kv       each second and engine: what the blocks are, as a map of at most 4,096 cells
 */

import { MILLISECOND, type Nanos, SECOND } from "../../device/clock.ts";
import type { EngineEvent, StepFinished } from "../../engine/events.ts";
import { BlockKind } from "../../engine/kv/block-pool.ts";
import { entryAt } from "../entry-at.ts";
import type { CurvePoint } from "../metrics/curve.ts";
import { causesOf } from "../metrics/receipts.ts";

export const TICK_MS = 100;
/** Ticks from one curve and map to the next. */
const SLOW_TICKS = 10;
const STEP_INTERVAL = 20 * MILLISECOND;
/** Bytes a watcher may lag behind: one that does not read loses messages, never memory of this server. */
const MAX_BACKLOG = 1 << 20;
const MAX_CELLS = 4096;

/** One end of a WebSocket. */
export interface Watcher {
  readonly bufferedAmount: number;
  send(text: string): void;
}

export interface FeedParts {
  readonly hello: Readonly<Record<string, unknown>>;
  /** Of each engine. */
  readonly curve: () => readonly (readonly CurvePoint[])[];
  /** Of an engine, by BlockKind. */
  readonly blockKinds: (engine: number) => Uint8Array;
  readonly engines: number;
  readonly now: () => Nanos;
  /** Wall seconds of a simulated one. */
  readonly timeScale: number;
}

export class LiveFeed {
  readonly #parts: FeedParts;
  readonly #watchers = new Set<Watcher>();
  readonly #told: Thinned[];
  #steps: object[] = [];
  #ticks = 0;

  constructor(parts: FeedParts) {
    this.#parts = parts;
    this.#told = Array.from({ length: parts.engines }, () => new Thinned());
  }

  get watched(): boolean {
    return this.#watchers.size > 0;
  }

  join(watcher: Watcher): void {
    const { hello, now } = this.#parts;
    watcher.send(JSON.stringify({ type: "hello", at_seconds: now() / SECOND, ...hello }));
    this.#watchers.add(watcher);
    this.#tellSlow([watcher]);
  }

  leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (!this.watched) this.#steps = [];
  }

  /** Within an engine's step: keeps what is to be told, sends nothing. */
  receive(engine: number, event: EngineEvent): void {
    if (!this.watched) return;
    this.#tell(engine, this.#told[engine]?.receive(event));
  }

  #tell(engine: number, told: ToldStep | undefined): void {
    if (told === undefined) return;
    const step = stepMessage(told.event, this.#parts.timeScale);
    this.#steps.push({ ...step, ...told.sums, engine });
  }

  /** Each TICK_MS while it is watched. */
  tick(): void {
    if (!this.watched) return;
    for (const [engine, thinned] of this.#told.entries()) this.#tell(engine, thinned.rest());
    if (this.#steps.length > 0) {
      const steps = this.#steps;
      this.#steps = [];
      send(this.#watchers, { type: "steps", steps });
    }
    if (++this.#ticks % SLOW_TICKS === 0) this.#tellSlow(this.#watchers);
  }

  #tellSlow(watchers: Iterable<Watcher>): void {
    const { curve, now, engines, blockKinds } = this.#parts;
    const at_seconds = now() / SECOND;
    send(watchers, { type: "curve", at_seconds, engines: curve().map(pointsOf) });
    for (let engine = 0; engine < engines; engine++) {
      send(watchers, { type: "kv", at_seconds, engine, ...mapOf(blockKinds(engine)) });
    }
  }
}

function send(watchers: Iterable<Watcher>, message: object): void {
  const text = JSON.stringify(message);
  for (const watcher of watchers) if (watcher.bufferedAmount < MAX_BACKLOG) watcher.send(text);
}

interface ToldStep {
  readonly event: StepFinished;
  /** What came since the step told before. */
  readonly sums: ReturnType<typeof nothing>;
}

/** Lets a step through every STEP_INTERVAL at most, and sums up what came until then. */
class Thinned {
  #last = Number.NEGATIVE_INFINITY;
  #sums = nothing();
  /** The newest step, where it was left out. */
  #left: StepFinished | undefined;

  /** Undefined: nothing is to be told yet. */
  receive(event: EngineEvent): ToldStep | undefined {
    if (event.type === "tokens-emitted") {
      const sums = this.#sums;
      sums.output_tokens += event.tokens.length;
      sums.drafted += event.drafted;
      sums.accepted += event.accepted;
    }
    if (event.type !== "step-finished") return undefined;
    this.#sums.preemptions += event.preemptions;
    if (event.at - this.#last >= STEP_INTERVAL) return this.#told(event);
    this.#sums.skipped++;
    this.#left = event;
    return undefined;
  }

  /** The newest step, unless it was told: none may follow it for long. */
  rest(): ToldStep | undefined {
    if (this.#left === undefined) return undefined;
    this.#sums.skipped--;
    return this.#told(this.#left);
  }

  #told(event: StepFinished): ToldStep {
    const sums = this.#sums;
    this.#last = event.at;
    this.#sums = nothing();
    this.#left = undefined;
    return { event, sums };
  }
}

const nothing = () => ({ output_tokens: 0, drafted: 0, accepted: 0, preemptions: 0, skipped: 0 });

function stepMessage(event: StepFinished, timeScale: number): object {
  let promptRows = 0;
  let promptTokens = 0;
  for (const { count, drafted } of event.work()) {
    if (count <= drafted + 1) continue;
    promptRows++;
    promptTokens += count;
  }
  const { cost } = event;
  const { lateness, ...parts } = causesOf(event, timeScale);
  return {
    at_seconds: event.at / SECOND,
    step: event.step,
    duration_ms: event.duration / MILLISECOND,
    rows: event.rows,
    tokens: event.tokens,
    prompt_rows: promptRows,
    prompt_tokens: promptTokens,
    running: event.running,
    waiting: event.waiting,
    waiting_deferred: event.waitingDeferred,
    kv_usage: event.kvUsage,
    ...(cost !== undefined && {
      padded_tokens: cost.paddedTokens,
      padded_rows: cost.paddedRows,
      parts_ms: Object.fromEntries(
        Object.entries(parts).map(([part, nanos]) => [part, nanos / MILLISECOND]),
      ),
      lateness_ms: (lateness ?? 0) / MILLISECOND,
    }),
  };
}

function pointsOf(points: readonly CurvePoint[]): readonly object[] {
  return points.map((point) => ({
    concurrency: point.concurrency,
    mean_running: point.meanRunning,
    output_tokens: point.tokens,
    busy_seconds: point.seconds,
    output_tokens_per_second: point.tokens / point.seconds,
    output_tokens_per_second_per_user: point.tokens / point.seconds / point.meanRunning,
  }));
}

/** Counts of all blocks, and a digit a cell: the kind of most of its blocks (0 blank, 1 cached, 2 held, 3 shared). */
export function mapOf(kinds: Uint8Array): object {
  const counts = [0, 0, 0, 0];
  const each = Math.max(1, Math.ceil(kinds.length / MAX_CELLS));
  let cells = "";
  for (let from = 0; from < kinds.length; from += each) {
    const own = [0, 0, 0, 0];
    const to = Math.min(kinds.length, from + each);
    for (let block = from; block < to; block++) {
      const kind = entryAt(kinds, block);
      own[kind] = entryAt(own, kind) + 1;
    }
    let most = 0;
    for (let kind = 0; kind < 4; kind++) {
      counts[kind] = entryAt(counts, kind) + entryAt(own, kind);
      if (entryAt(own, kind) > entryAt(own, most)) most = kind;
    }
    cells += most;
  }
  const of = (kind: number): number => entryAt(counts, kind);
  return {
    blocks: kinds.length,
    blocks_a_cell: each,
    held: of(BlockKind.held),
    shared: of(BlockKind.shared),
    cached: of(BlockKind.cached),
    blank: of(BlockKind.blank),
    cells,
  };
}
