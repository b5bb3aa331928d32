/** The events of OpenAI's completions: a chunk each, and the word that ends a stream. */
import type { ApiError } from "../http/errors.ts";
import { inBytes, type SseEvent } from "../http/sse.ts";

export const DONE: SseEvent = { data: "[DONE]" };

export function event(chunk: object): SseEvent {
  return { data: JSON.stringify(chunk) };
}

export function failed(error: ApiError): readonly SseEvent[] {
  return [event(error.body), DONE];
}

/** Stands in a chunk where its text will. */
const PLACE = "the text of this chunk";
const QUOTED = JSON.stringify(PLACE);

/** Chunks that differ in one text alone: their JSON is written once. */
export class TextChunk {
  readonly #before: string;
  readonly #after: string;

  /** `make` must write nothing of a client's after the text. */
  constructor(make: (text: string) => object) {
    const whole = JSON.stringify(make(PLACE));
    const at = whole.lastIndexOf(QUOTED);
    this.#before = inBytes(whole.slice(0, at));
    this.#after = inBytes(whole.slice(at + QUOTED.length));
  }

  event(text: string): SseEvent {
    return { data: this.#before + quoted(text) + this.#after, inBytes: true };
  }
}

/**
 * Texts of tokens come again and again: the JSON of short ones is kept, until there are too many.
 * V8 copies what it cuts so short; a longer piece would keep all of the text that it was cut from.
 */
const KEPT_LENGTH = 12;
const MOST_KEPT = 8192;
const kept = new Map<string, string>();

/** The text as JSON, in bytes. */
function quoted(text: string): string {
  const known = kept.get(text);
  if (known !== undefined) return known;
  const made = inBytes(JSON.stringify(text));
  if (text.length > KEPT_LENGTH) return made;
  if (kept.size === MOST_KEPT) kept.clear();
  kept.set(text, made);
  return made;
}
