/**
 * Finds stop strings in text that comes in pieces. As in vLLM as many characters
 * are held back as the longest stop string has but one: none of a stop string
 * that ends the output has gone out by then.
 *
 *     buffer   [0 ... sent) [sent ......... held) [held ...... end)
 *               sent          goes out now         goes out later
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
  /** Characters held back: whole ones, which may be two code units. */
  readonly #hold: number;
  readonly #longest: number;
  #buffer = "";
  #sent = 0;

  constructor(stops: readonly string[], include: boolean) {
    this.#stops = stops;
    this.#include = include;
    this.#hold = include ? 0 : Math.max(0, ...stops.map((stop) => [...stop].length - 1));
    this.#longest = Math.max(0, ...stops.map((stop) => stop.length));
  }

  /** `look`: false before `min_tokens`, where no stop string may end. */
  push(text: string, look = true): StopResult {
    if (this.#stops.length === 0 || text === "") return { text };
    const before = this.#buffer.length;
    this.#buffer += text;
    const found = look ? this.#find(before) : undefined;
    if (found !== undefined) {
      const out = this.#buffer.slice(this.#sent, Math.max(found.until, this.#sent));
      this.#buffer = "";
      this.#sent = 0;
      return { text: out, stop: found.stop };
    }
    const held = Math.max(this.#sent, this.#heldFrom());
    const out = this.#buffer.slice(this.#sent, held);
    // Keep what a later match may begin in.
    const keep = Math.max(0, Math.min(held, this.#buffer.length - this.#longest + 1));
    this.#buffer = this.#buffer.slice(keep);
    this.#sent = held - keep;
    return { text: out };
  }

  /** No more text comes but this: what was held back. */
  end(text = ""): string {
    const out = this.#buffer.slice(this.#sent) + text;
    this.#buffer = "";
    this.#sent = 0;
    return out;
  }

  /** The match that is complete first; of those that end together the one listed first. */
  #find(before: number): { readonly until: number; readonly stop: string } | undefined {
    let best: { readonly until: number; readonly stop: string } | undefined;
    let bestEnd = Number.POSITIVE_INFINITY;
    for (const stop of this.#stops) {
      const at = this.#buffer.indexOf(stop, Math.max(0, before - stop.length + 1));
      const end = at + stop.length;
      if (at < 0 || end >= bestEnd) continue;
      best = { until: this.#include ? end : at, stop };
      bestEnd = end;
    }
    return best;
  }

  #heldFrom(): number {
    let from = this.#buffer.length;
    for (let held = 0; held < this.#hold && from > 0; held++) {
      const pair = from > 1 && /[\udc00-\udfff]/.test(this.#buffer.charAt(from - 1));
      from -= pair ? 2 : 1;
    }
    return from;
  }
}
