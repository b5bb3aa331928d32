/**
 * One completion as text: the tokens of a sequence through the decoder and the
 * stop strings, kept until somebody takes them. What is not taken is joined, so
 * a slow reader gets fewer, longer pieces.
 */
import type { Nanos } from "../../device/clock.ts";
import type { PositionLogprobs, TokenId } from "../../device/device.ts";
import type { FinishReason } from "../../engine/sequence.ts";
import type { Decoder } from "../../models/model.ts";
import { appended } from "../appended.ts";
import type { Receiver, SequenceEvent } from "../engines.ts";
import { entryAt } from "../entry-at.ts";
import type { Life } from "../metrics/life.ts";
import { type MeasuredStops, StopStrings } from "./stop-strings.ts";

export interface ChoiceFinish {
  readonly reason: FinishReason;
  /** The stop string, or the stop token's id; null for everything else. */
  readonly stopReason: string | number | null;
  readonly error?: Error;
}

/** What a choice gained since it was last taken. */
export interface ChoiceDelta {
  readonly index: number;
  /** May be empty while a character or a possible stop string is held back. */
  readonly text: string;
  readonly ids: readonly TokenId[];
  /** One for each of `ids`, when asked for. */
  readonly logprobs: readonly PositionLogprobs[];
  /** With the first delta, when asked for: of prompt positions 1, 2, … */
  readonly promptLogprobs?: readonly PositionLogprobs[];
  /** Of a request that pools. */
  readonly pooled?: Float32Array;
  readonly finish?: ChoiceFinish;
}

/** While it is put together. */
type Growing = { -readonly [Name in keyof ChoiceDelta]: ChoiceDelta[Name] };

/** Nothing is ever pushed to these: what is appended to an empty list makes a list of its own. */
const NO_IDS: TokenId[] = [];
const NO_LOGPROBS: PositionLogprobs[] = [];
const NO_EVENTS: SequenceEvent[] = [];

export interface TextOptions {
  /** Absent: there are none. */
  readonly stop?: MeasuredStops;
  readonly includeStop: boolean;
  /** Stop strings count only from this many tokens on. */
  readonly minTokens: number;
  /** Tokens in a delta, but for the first and the last; absent: as they come. */
  readonly interval?: number;
  /** Makes a decoder, at the first token; absent: without a tokenizer there is no text, only ids. */
  readonly decoder?: () => Decoder;
}

/** Of the engine's events. */
interface ChoiceTimes {
  scheduled?: Nanos;
  firstToken?: Nanos;
  last?: Nanos;
}

export class Choice implements Receiver {
  readonly index: number;
  /** Output tokens so far; those after a stop string do not count. */
  tokens = 0;
  /** Prompt tokens that were found in the prefix cache. */
  cached = 0;
  finish: ChoiceFinish | undefined;
  /** Its generation knows that something of it can be taken. */
  listed = false;
  /** Told of all events, where lives are followed. */
  life: Life | undefined;
  readonly times: ChoiceTimes = {};
  readonly #options: TextOptions;
  /** Made at the first token, as is the decoder: of thousands of completions, most wait. */
  #stops: StopStrings | undefined;
  #decoder: Decoder | undefined;
  #events = NO_EVENTS;
  readonly #changed: (choice: Choice, more: boolean) => void;
  readonly #failed: (error: Error) => void;
  #text = "";
  #ids = NO_IDS;
  #logprobs = NO_LOGPROBS;
  #promptLogprobs: readonly PositionLogprobs[] | undefined;
  #pooled: Float32Array | undefined;
  #untaken = false;

  /**
   * `changed` is called for each step of a flush that can be taken, with whether another call is
   * sure to follow in the same flush; `failed` where that threw.
   */
  constructor(
    index: number,
    options: TextOptions,
    changed: (choice: Choice, more: boolean) => void,
    failed: (error: Error) => void = () => {},
  ) {
    this.index = index;
    this.#options = options;
    this.#changed = changed;
    this.#failed = failed;
  }

  receive(event: SequenceEvent): void {
    this.life?.receive(event);
    this.#events = appended(this.#events, event);
  }

  flush(): void {
    const events = this.#events;
    this.#events = NO_EVENTS;
    if (this.finish !== undefined) return;
    for (let index = 0; index < events.length && this.finish === undefined; index++) {
      const event = events[index];
      if (event === undefined) break;
      const next = events[index + 1];
      this.#apply(event, next);
      // One delta a step, however many steps ended since; the end goes with the last text.
      const step = event.type === "tokens-emitted" && next?.type === "tokens-emitted";
      if (step && this.finish === undefined && this.#due()) this.#changed(this, !this.#holds);
    }
    // Once with the end, and never after it.
    if (this.#untaken && this.#due()) this.#changed(this, false);
  }

  fail(error: Error): void {
    this.#events = NO_EVENTS;
    this.finish ??= { reason: "error", stopReason: null, error };
    this.#failed(error);
  }

  /** All since the last time; undefined: nothing. */
  take(): ChoiceDelta | undefined {
    if (!this.#untaken) return undefined;
    this.#untaken = false;
    const { index, finish } = this;
    const delta: Growing = { index, text: this.#text, ids: this.#ids, logprobs: this.#logprobs };
    if (this.#promptLogprobs !== undefined) delta.promptLogprobs = this.#promptLogprobs;
    if (this.#pooled !== undefined) delta.pooled = this.#pooled;
    if (finish !== undefined) delta.finish = finish;
    this.#text = "";
    this.#ids = NO_IDS;
    this.#logprobs = NO_LOGPROBS;
    this.#promptLogprobs = undefined;
    this.#pooled = undefined;
    return delta;
  }

  /** The next step's delta may have to wait for others. */
  get #holds(): boolean {
    return this.#options.interval !== undefined;
  }

  /** The first delta goes out at once, and so does the last. */
  #due(): boolean {
    const { interval = 1 } = this.#options;
    const held = this.#ids.length;
    return this.finish !== undefined || this.tokens === held || held >= interval;
  }

  #apply(event: SequenceEvent, next: SequenceEvent | undefined): void {
    switch (event.type) {
      case "request-scheduled":
        if (!event.resumed) {
          this.cached = event.cachedTokens;
          this.times.scheduled = event.at;
        }
        return;
      case "tokens-emitted": {
        this.#untaken = true;
        this.times.firstToken ??= event.at;
        this.times.last = event.at;
        if (event.promptLogprobs !== undefined) this.#promptLogprobs = event.promptLogprobs;
        if (event.pooled !== undefined) this.#pooled = event.pooled;
        // The token that ends the output (EOS, a stop id) is counted but has no text.
        const ends = next?.type === "request-finished" && next.reason === "stop";
        const { tokens } = event;
        for (let at = 0; at < tokens.length && this.finish === undefined; at++) {
          const silent = ends && at === tokens.length - 1 && !this.#options.includeStop;
          this.#push(entryAt(tokens, at), event.logprobs?.[at], silent);
        }
        return;
      }
      case "request-finished":
        this.#untaken = true;
        // Half a character at the end is no text, as in vLLM.
        this.#text += this.#stops?.end() ?? "";
        this.finish = {
          reason: event.reason,
          stopReason: event.stopTokenId ?? null,
          ...(event.error !== undefined && { error: event.error }),
        };
        return;
    }
  }

  #push(id: TokenId, logprobs: PositionLogprobs | undefined, silent: boolean): void {
    this.tokens++;
    this.#ids = appended(this.#ids, id);
    if (logprobs !== undefined) this.#logprobs = appended(this.#logprobs, logprobs);
    if (silent) return;
    this.#decoder ??= this.#options.decoder?.();
    const text = this.#decoder?.push(id) ?? "";
    const { stop, includeStop } = this.#options;
    if (stop === undefined) {
      this.#text += text;
      return;
    }
    this.#stops ??= new StopStrings(stop, includeStop);
    const found = this.#stops.push(text, this.tokens > this.#options.minTokens);
    this.#text += found.text;
    if (found.stop !== undefined) this.finish = { reason: "stop", stopReason: found.stop };
  }
}
