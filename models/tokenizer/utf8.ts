/**
 * Bytes to text, piece by piece: a character whose bytes are not all there yet
 * is held back, and so is what ends in U+FFFD, as the tokenizers library's
 * `DecodeStream` does. Bytes that are no UTF-8 become U+FFFD, by one of two rules
 * of that library: one for each maximal bad part (byte-level vocabularies, as the
 * WHATWG decoder) or one for each bad byte (byte fallback).
 */
export type Replacement = "part" | "byte";

const NOTHING = new Uint8Array(0);
const REPLACEMENT = "\uFFFD";

export class Utf8Stream {
  readonly #replacement: Replacement;
  /** The beginning of a character, at most 3 bytes. */
  #held: Uint8Array = NOTHING;
  /** Text before it that was not given yet. */
  #text = "";

  constructor(replacement: Replacement) {
    this.#replacement = replacement;
  }

  /** Is a half-finished character held back? */
  get holding(): boolean {
    return this.#held.length > 0 || this.#text !== "";
  }

  push(bytes: Uint8Array): string {
    const all = this.#held.length === 0 ? bytes : concat(this.#held, bytes);
    const whole = all.length - unfinished(all);
    this.#held = whole === all.length ? NOTHING : all.slice(whole);
    if (whole > 0) this.#text += toText(all.subarray(0, whole), this.#replacement);
    const halved = this.#held.length > 0 || this.#text.endsWith(REPLACEMENT);
    return halved ? "" : this.#give();
  }

  /** What is held back is left out, but for the beginning of a character. */
  passOver(): void {
    this.#text = "";
  }

  /** What is held back will not be finished. */
  end(): string {
    const rest = this.#held;
    this.#held = NOTHING;
    return this.#give() + (rest.length === 0 ? "" : toText(rest, this.#replacement));
  }

  #give(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}

/** Text of complete bytes. */
export function toText(bytes: Uint8Array, replacement: Replacement): string {
  if (replacement === "part") return LOSSY.decode(bytes);
  try {
    return STRICT.decode(bytes);
  } catch {
    return replaceBytes(bytes);
  }
}

/** The text, or undefined when the bytes are not whole characters. */
export function toExactText(bytes: Uint8Array): string | undefined {
  try {
    return STRICT.decode(bytes);
  } catch {
    return undefined;
  }
}

const LOSSY = new TextDecoder("utf-8", { ignoreBOM: true });
const STRICT = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Keeps what is UTF-8 and replaces every other byte. */
function replaceBytes(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; ) {
    const length = lengthOf(bytes[i] ?? 0);
    const character = bytes.subarray(i, i + length);
    const good = length > 0 && character.length === length && isPrefix(character);
    text += good ? STRICT.decode(character) : REPLACEMENT;
    i += good ? length : 1;
  }
  return text;
}

/** Bytes at the end that begin a character and could still be finished. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const lead = bytes[bytes.length - back] ?? 0;
    if ((lead & 0xc0) === 0x80) continue;
    const begun = bytes.subarray(bytes.length - back);
    return lengthOf(lead) > back && isPrefix(begun) ? back : 0;
  }
  return 0;
}

/** Bytes of the character that `lead` begins; 0 when it begins none. RFC 3629. */
function lengthOf(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

/** Do the bytes after a valid lead byte continue it? Overlong forms, surrogates and > U+10FFFF do not. */
function isPrefix(bytes: Uint8Array): boolean {
  const lead = bytes[0] ?? 0;
  for (let i = 1; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    const low = i === 1 ? (lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80) : 0x80;
    const high = i === 1 ? (lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf) : 0xbf;
    if (byte < low || byte > high) return false;
  }
  return true;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
