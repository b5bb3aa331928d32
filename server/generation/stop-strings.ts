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

/** Stop strings of a request, measured once for all its completions. */
export interface MeasuredStops {
  readonly strings: readonly string[];
  /** Of the longest, in characters, which may be two code units. */
  readonly characters: number;
  /** Likewise, in code units. */
  readonly longest: number;
}

export function measured(strings: readonly string[]): MeasuredStops {
  const longest = (length: (text: string) => number) => Math.max(0, ...strings.map(length));
  return { strings, characters: longest(characters), longest: longest((text) => text.length) };
}

export class StopStrings {
  readonly #stops: readonly string[];
  /** The stop string stays in the output; then nothing is held back. */
  readonly #include: boolean;
  /** Characters held back. */
  readonly #hold: number;
  readonly #longest: number;
  #buffer = "";
  #sent = 0;
  /** Characters of the buffer that were not sent. */
  #unsent = 0;

  constructor({ strings, characters, longest }: MeasuredStops, include: boolean) {
    this.#stops = strings;
    this.#include = include;
    this.#hold = include ? 0 : Math.max(0, characters - 1);
    this.#longest = longest;
  }

  /** `look`: false before `min_tokens`, where no stop string may end. */
  push(text: string, look = true): StopResult {
    if (this.#stops.length === 0 || text === "") return { text };
    const before = this.#buffer.length;
    this.#buffer += text;
    this.#unsent += characters(text);
    const found = look ? this.#find(before) : undefined;
    if (found !== undefined) {
      const out = this.#buffer.slice(this.#sent, Math.max(found.until, this.#sent));
      this.#forget();
      return { text: out, stop: found.stop };
    }
    const held = this.#heldFrom();
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
    this.#forget();
    return out;
  }

  /** The match that is complete first; of those that end together the one listed first. */
  #find(before: number): { readonly until: number; readonly stop: string } | undefined {
    let best: { readonly until: number; readonly stop: string } | undefined;
    let bestEnd = Number.POSITIVE_INFINITY;
    for (const stop of this.#stops) {
      // The buffer is joined when it is first looked into.
      if (stop.length > this.#buffer.length) continue;
      const at = this.#buffer.indexOf(stop, Math.max(0, before - stop.length + 1));
      const end = at + stop.length;
      if (at < 0 || end >= bestEnd) continue;
      best = { until: this.#include ? end : at, stop };
      bestEnd = end;
    }
    return best;
  }

  /** Steps over what goes out, not over what stays: of a long stop string that is all there is. */
  #heldFrom(): number {
    let from = this.#sent;
    for (; this.#unsent > this.#hold; this.#unsent--) from += pairAt(this.#buffer, from) ? 2 : 1;
    return from;
  }

  #forget(): void {
    this.#buffer = "";
    this.#sent = 0;
    this.#unsent = 0;
  }
}

/** Whole ones: a pair of surrogates is one. */
function characters(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at++) {
    if (!pairAt(text, at)) continue;
    count--;
    at++;
  }
  return count;
}

function pairAt(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  if (code < 0xd800 || code > 0xdbff) return false;
  const next = text.charCodeAt(at + 1);
  return next >= 0xdc00 && next <= 0xdfff;
}
