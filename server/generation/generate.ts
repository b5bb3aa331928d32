/**
 * The bridge between a request and the engine: submits prompts × n completions
 * and gives their text deltas. Streams take deltas as they come; a request that
 * does not stream takes all of them at the end. The engine is never waited for
 * and never made to wait.
 */
import type { Clock, Nanos } from "../../device/clock.ts";
import type { Adapter } from "../../device/device.ts";
import type { Joining } from "../../engine/joining.ts";
import { EngineClosedError, PromptTooLongError, QueueFullError } from "../../engine/options.ts";
import type { GenerationRequest } from "../../engine/sequence.ts";
import type { Decoder, Tokenizer } from "../../models/model.ts";
import { appended } from "../appended.ts";
import type { Engines, Handle } from "../engines.ts";
import { ApiError, badRequest } from "../http/errors.ts";
import type { Life } from "../metrics/life.ts";
import type { Receipt, Receipts } from "../metrics/receipts.ts";
import type { TraceOrigin, Traces } from "../tracing/traces.ts";
import { Choice, type ChoiceDelta, type TextOptions } from "./choice.ts";
import { type MeasuredStops, measured } from "./stop-strings.ts";

/** Nothing is ever pushed to these: what is appended to an empty list makes a list of its own. */
const NO_CHOICES: Choice[] = [];
const NO_DELTAS: ChoiceDelta[] = [];

/** Last prompt ids that a stream of text goes on from: a SentencePiece word keeps its space then. */
const GOES_ON_FROM = 8;
/** Completions that wait and are ended before the event loop turns. */
const ABORTED_AT_ONCE = 128;
/** Completions of a request whose lives are followed. */
const MOST_LIVES = 8;
/** Completions that join the engine's queue before the event loop turns. */
const JOINED_AT_ONCE = 64;

/** What a generation needs of the server. */
export interface GenerationParts {
  readonly engines: Engines;
  readonly clock: Clock;
  readonly tokenizer?: Tokenizer;
  /** Absent: nobody asks where time went. */
  readonly receipts?: Receipts;
  /** Absent: lives are not followed. */
  readonly history?: { follow(handle: Handle, submitted: Nanos): Life };
  /** Absent: nobody is told of a completion's end. */
  readonly traces?: Traces;
  /** Told of completions as they join the queue, the first of them `from`: what events do not carry. */
  readonly submitted?: (
    engine: number,
    request: GenerationRequest,
    handles: readonly Handle[],
    from: number,
  ) => void;
  /** Told of a request that the queue had no room for. */
  readonly refused?: (limit: QueueFullError["limit"]) => void;
}

/** One request, any number of prompts; choice index = prompt index · n + completion. */
export interface GenerationTask {
  readonly requests: readonly GenerationRequest[];
  readonly stop: readonly string[];
  readonly includeStop: boolean;
  readonly skipSpecialTokens: boolean;
  /** Tokens in a delta, but for the first and the last; absent: as they come. */
  readonly interval?: number;
  /** Data-parallel rank a header asks for. */
  readonly rank?: number;
  /** Who asked; read where traces are kept. */
  readonly origin?: TraceOrigin;
  /** Absent: ids are drawn. */
  readonly beams?: BeamOptions;
  /** Of fixed answers, whose text is known; absent: the tokenizer's. */
  readonly decoder?: () => Decoder;
}

/** The same, computed with an adapter. */
export function withAdapter(task: GenerationTask, adapter: Adapter | undefined): GenerationTask {
  if (adapter === undefined) return task;
  return { ...task, requests: task.requests.map((request) => ({ ...request, adapter })) };
}

/** Of a request that searches instead of drawing. */
export interface BeamOptions {
  /** Beams, and choices of each prompt. */
  readonly width: number;
  readonly lengthPenalty: number;
  readonly includeStop: boolean;
  /** Log-probabilities to tell of each position; absent: none. */
  readonly wanted?: number;
}

/** A prompt whose completions join one part after the other. */
interface Group {
  readonly engine: number;
  readonly request: GenerationRequest;
  readonly joining: Joining;
}

export interface GenerationTimings {
  readonly submitted: Nanos;
  /** First taken into a step. */
  readonly scheduled?: Nanos;
  readonly firstToken?: Nanos;
  readonly finished?: Nanos;
}

/** What a route knows of what it waits for: one pass over the engine, or a search. */
export type Running = Omit<Generation, "choices"> & {
  readonly choices: readonly Pick<Choice, "index" | "tokens" | "cached" | "finish" | "times">[];
};

export class Generation {
  readonly choices: readonly Choice[];
  /**
   * Called when something can be taken; `more`: it is called again before the event loop turns, so
   * that what is made of this may go out with that. Set it before the event loop turns.
   */
  onChange: (more: boolean) => void = () => {};
  /** Called instead, once, when the request cannot go on: a bug of ours. Nothing of it runs any more. */
  onFail: (error: Error) => void = () => {};
  readonly #parts: GenerationParts;
  readonly #task: GenerationTask;
  /** Of the choices that joined, in their order. */
  #handles: Handle[] = [];
  /** Whose completions are still to join, the next one last. */
  #groups: Group[] = [];
  /** By choice, where they are kept. */
  receipts: Receipt[] = [];
  /** Of the first MOST_LIVES choices, where they are followed. */
  lives: Life[] = [];
  /** Each once: those that gained something. */
  #untaken = NO_CHOICES;
  readonly #submitted: Nanos;
  #finished: Nanos | undefined;
  #left: number;
  #failure: Error | undefined;

  /** Throws ApiError when the engine refuses one of the prompts; then none is left running. */
  constructor(parts: GenerationParts, task: GenerationTask) {
    this.#parts = parts;
    this.#task = task;
    this.#submitted = parts.clock.now();
    let choices: Choice[] = [];
    this.choices = choices;
    this.#left = 0;
    try {
      for (const request of task.requests) {
        const engine = parts.engines.choose(task.rank);
        const joining = parts.engines.open(engine, request);
        this.#groups = appended(this.#groups, { engine, request, joining });
      }
      const changed = (choice: Choice, more: boolean): void => this.#changed(choice, more);
      const failed = (error: Error): void => this.#fail(error);
      const stop = task.stop.length === 0 ? undefined : measured(task.stop);
      for (const { request, joining } of this.#groups) {
        const options = this.#textOptions(request, task, stop);
        for (let i = 0; i < joining.ids.length; i++) {
          choices = appended(choices, new Choice(choices.length, options, changed, failed));
        }
      }
      this.choices = choices;
      this.#groups.reverse();
      this.#left = choices.length;
      this.#join();
    } catch (error) {
      this.abort();
      if (error instanceof QueueFullError) parts.refused?.(error.limit);
      throw engineError(error);
    }
  }

  /** One for all completions of a prompt: thousands are made in one go. */
  #textOptions(
    request: GenerationRequest,
    task: GenerationTask,
    stop: MeasuredStops | undefined,
  ): TextOptions {
    const { tokenizer } = this.#parts;
    const { skipSpecialTokens: skipSpecial, decoder } = task;
    const after = () => request.prompt.slice(-GOES_ON_FROM);
    return {
      ...(stop !== undefined && { stop }),
      includeStop: task.includeStop,
      minTokens: request.params.minTokens,
      ...(task.interval !== undefined && { interval: task.interval }),
      ...(tokenizer && {
        decoder: decoder ?? (() => tokenizer.decoder({ skipSpecial, after: after() })),
      }),
    };
  }

  /** The next completions wait in the engine; others have a turn between the parts of many. */
  #join(): void {
    const { engines, submitted, receipts, history } = this.#parts;
    let room = JOINED_AT_ONCE;
    for (let group = this.#groups.at(-1); group && room > 0; group = this.#groups.at(-1)) {
      const { engine, request, joining } = group;
      const from = joining.ids.length - joining.left;
      const handles = joining.join(room).map((id) => ({ engine, id }));
      if (joining.left === 0) this.#groups.pop();
      room -= handles.length;
      submitted?.(engine, request, handles, from);
      for (const handle of handles) {
        const choice = this.choices[this.#handles.length];
        this.#handles = appended(this.#handles, handle);
        const receipt = receipts?.open(handle, this.#submitted);
        if (receipt !== undefined) this.receipts = appended(this.receipts, receipt);
        if (choice === undefined) continue;
        if (history !== undefined && this.lives.length < MOST_LIVES) {
          choice.life = history.follow(handle, this.#submitted);
          this.lives = appended(this.lives, choice.life);
        }
        engines.listen(handle, choice);
      }
    }
    if (this.#groups.length > 0) setImmediate(() => this.#joinLater());
  }

  #joinLater(): void {
    try {
      this.#join();
    } catch (error) {
      const known = engineError(error);
      this.#fail(known instanceof Error ? known : new Error(String(known)));
    }
  }

  get done(): boolean {
    return this.#left === 0;
  }

  /** In the engine's time; of the first choice that got there, the end of the last. */
  get timings(): GenerationTimings {
    let scheduled: Nanos | undefined;
    let firstToken: Nanos | undefined;
    for (const { times } of this.choices) {
      scheduled = earlier(scheduled, times.scheduled);
      firstToken = earlier(firstToken, times.firstToken);
    }
    return {
      submitted: this.#submitted,
      ...(scheduled !== undefined && { scheduled }),
      ...(firstToken !== undefined && { firstToken }),
      ...(this.#finished !== undefined && { finished: this.#finished }),
    };
  }

  get outputTokens(): number {
    return this.choices.reduce((sum, choice) => sum + choice.tokens, 0);
  }

  get cachedTokens(): number {
    return this.choices.reduce((sum, choice) => sum + choice.cached, 0);
  }

  /** What came since the last time, one delta a choice. */
  take(): readonly ChoiceDelta[] {
    const changed = this.#untaken;
    this.#untaken = NO_CHOICES;
    if (changed.length > 1) changed.sort((a, b) => a.index - b.index);
    let deltas = NO_DELTAS;
    for (const choice of changed) {
      choice.listed = false;
      const delta = choice.take();
      if (delta !== undefined) deltas = appended(deltas, delta);
    }
    return deltas;
  }

  /** Waits for the end and takes everything: one delta a choice, in order. */
  collect(): Promise<readonly ChoiceDelta[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.done) return Promise.resolve(this.take());
    return new Promise((resolve, reject) => {
      this.onFail = reject;
      this.onChange = () => {
        if (this.done) resolve(this.take());
      };
    });
  }

  /**
   * The client is gone or an error ended the request: nothing of it goes on. What runs
   * ends at once, what waits in parts: thousands of completions would hold the event loop.
   */
  abort(): void {
    this.#forgo();
    const waiting: Handle[] = [];
    this.#handles.forEach((handle, index) => {
      const choice = this.choices[index];
      if (choice?.finish !== undefined) return;
      if (choice?.times.scheduled === undefined) waiting.push(handle);
      else this.#parts.engines.finish(handle, "abort");
    });
    const go = (): void => {
      for (const handle of waiting.splice(-ABORTED_AT_ONCE)) {
        this.#parts.engines.finish(handle, "abort");
      }
      if (waiting.length > 0) setImmediate(go);
    };
    go();
  }

  /** What has not joined is over without the engine's knowing it. */
  #forgo(): void {
    if (this.#groups.length === 0) return;
    for (const { joining } of this.#groups) joining.forgo();
    this.#groups = [];
    for (const choice of this.choices.slice(this.#handles.length)) {
      choice.finish ??= { reason: "abort", stopReason: null };
      this.#left--;
    }
    if (this.done) setImmediate(() => this.onChange(false));
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.abort();
    this.#left = 0;
    this.onFail(error);
  }

  #changed(choice: Choice, more: boolean): void {
    if (!choice.listed) this.#untaken = appended(this.#untaken, choice);
    choice.listed = true;
    if (choice.finish !== undefined) {
      this.#left--;
      this.#finished = choice.times.last;
      const handle = this.#handles[choice.index];
      // A stop string is found here, not in the engine.
      const byText = typeof choice.finish.stopReason === "string";
      if (handle !== undefined && byText) this.#parts.engines.finish(handle, "stop");
      if (this.#parts.traces !== undefined) this.#trace(this.#parts.traces, choice);
    }
    this.onChange(more);
  }

  /** As vLLM: what was aborted leaves no span. */
  #trace(traces: Traces, choice: Choice): void {
    const { requests, origin } = this.#task;
    const prompt = Math.floor((choice.index * requests.length) / this.choices.length);
    const request = requests[prompt];
    if (request === undefined || choice.finish?.reason === "abort") return;
    const { scheduled, firstToken, last: lastToken } = choice.times;
    const number = origin?.numbered === undefined ? "" : `${origin.numbered}${prompt}`;
    traces.ended({
      ...{ id: origin && `${origin.id}${number}`, context: origin?.context ?? {}, request },
      ...{ arrived: origin?.arrived ?? this.#submitted, queued: this.#submitted },
      ...{ scheduled, firstToken, lastToken, outputTokens: choice.tokens },
    });
  }
}

function earlier(a: Nanos | undefined, b: Nanos | undefined): Nanos | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a;
}

function engineError(error: unknown): unknown {
  if (error instanceof QueueFullError) {
    return new ApiError("overloaded", error.message, {
      retryAfterSeconds: error.retryAfterSeconds,
      cause: error,
    });
  }
  if (error instanceof EngineClosedError) {
    return new ApiError("overloaded", "The server is shutting down.", { cause: error });
  }
  if (error instanceof PromptTooLongError) return badRequest(error.message, "input_tokens");
  return error;
}
