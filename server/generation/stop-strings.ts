/**
 * Finds stop strings in text that comes in pieces. Text that may be the start of
 * a stop string is held back; the rest goes on at once (vLLM always holds back
 * the longest stop string's length).
 *
 *     buffer   [0 ... sent) [sent ......... held) [held ...... end)
 *               sent          goes out now         may begin a stop string
 */

export interface StopResult {
  readonly text: string;
  /** The stop string that ended the output. */
  readonly stop?: string;
}

export class StopStrings {
  readonly #stops: readonly string[];
  /** The stop string stays in the output; then nothing is held back. */
  readonly #include: boolean;
  readonly #longest: number;
  #buffer = "";
  #sent = 0;

  constructor(stops: readonly string[], include: boolean) {
    this.#stops = stops;
    this.#include = include;
    this.#longest = Math.max(0, ...stops.map((stop) => stop.length));
  }

  push(text: string): StopResult {
    if (this.#stops.length === 0) return { text };
    if (text === "") return { text };
    const from = Math.max(0, this.#buffer.length - this.#longest + 1);
    this.#buffer += text;
    const found = this.#find(from);
    if (found !== undefined) {
      const end = this.#include ? found.at + found.stop.length : found.at;
      const out = this.#buffer.slice(this.#sent, Math.max(end, this.#sent));
      this.#buffer = "";
      this.#sent = 0;
      return { text: out, stop: found.stop };
    }
    const held = this.#include ? this.#buffer.length : this.#heldFrom();
    const out = this.#buffer.slice(this.#sent, held);
    // Keep what a later match may begin in.
    const keep = Math.max(0, Math.min(held, this.#buffer.length - this.#longest + 1));
    this.#buffer = this.#buffer.slice(keep);
    this.#sent = held - keep;
    return { text: out };
  }

  /** Text that takes no part in matching (before `min_tokens`); what was held goes with it. */
  skip(text: string): string {
    const out = this.end() + text;
    return out;
  }

  /** No more text comes: what was held back. */
  end(): string {
    const out = this.#buffer.slice(this.#sent);
    this.#buffer = "";
    this.#sent = 0;
    return out;
  }

  /** The match that begins first. */
  #find(from: number): { readonly at: number; readonly stop: string } | undefined {
    let best: { readonly at: number; readonly stop: string } | undefined;
    for (const stop of this.#stops) {
      const at = this.#buffer.indexOf(stop, from);
      if (at >= 0 && (best === undefined || at < best.at)) best = { at, stop };
    }
    return best;
  }

  /** Start of the longest end of the buffer that begins a stop string. */
  #heldFrom(): number {
    const end = this.#buffer.length;
    for (let at = Math.max(this.#sent, end - this.#longest + 1); at < end; at++) {
      const tail = this.#buffer.slice(at);
      if (this.#stops.some((stop) => stop.startsWith(tail))) return at;
    }
    return end;
  }
}
