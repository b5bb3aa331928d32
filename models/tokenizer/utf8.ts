/**
 * Bytes to text, piece by piece: a character whose bytes are not all there yet
 * is held back, and so is what ends in U+FFFD, as the tokenizers library's
 * `DecodeStream` does. Bytes that are no UTF-8 become U+FFFD, by one of two rules
 * of that library: one for each maximal bad part (byte-level vocabularies, as the
 * WHATWG decoder) or one for each bad byte (byte fallback).
 *
 * Pieces are tokens, a few bytes each: they are read byte by byte, since to call a
 * decoder costs more than to do its work.
 */
export type Replacement = "part" | "byte";

const REPLACEMENT = "\uFFFD";

export class Utf8Stream {
  readonly #replacement: Replacement;
  /** Text that was not given yet. */
  #text = "";
  /** Bytes of the character under way: seen, and still to come. */
  #seen = 0;
  #missing = 0;
  /** Its bits so far. */
  #code = 0;
  /** What its next byte may be. */
  #low = 0;
  #high = 0;

  constructor(replacement: Replacement) {
    this.#replacement = replacement;
  }

  /** Is a half-finished character held back? */
  get holding(): boolean {
    return this.#missing > 0 || this.#text !== "";
  }

  /** Takes `bytes[begin, end)`. */
  push(bytes: Uint8Array, begin = 0, end = bytes.length): string {
    for (let at = begin; at < end; at++) this.#byte(bytes[at] as number); // at < end
    const halved = this.#missing > 0 || this.#text.endsWith(REPLACEMENT);
    return halved ? "" : this.#give();
  }

  /** What is held back is left out, but for the beginning of a character. */
  passOver(): void {
    this.#text = "";
  }

  /** What is held back will not be finished. */
  end(): string {
    if (this.#missing > 0) this.#breakOff();
    return this.#give();
  }

  #byte(byte: number): void {
    if (this.#missing > 0) {
      if (byte >= this.#low && byte <= this.#high) {
        this.#continue(byte);
        return;
      }
      this.#breakOff();
    }
    if (byte < 0x80) this.#text += String.fromCharCode(byte);
    else this.#begin(byte);
  }

  /** A lead byte, by RFC 3629: overlong forms, surrogates and what is above U+10FFFF begin no character. */
  #begin(lead: number): void {
    if (lead < 0xc2 || lead > 0xf4) {
      this.#text += REPLACEMENT;
      return;
    }
    this.#seen = 1;
    this.#missing = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    this.#code = lead & (0x3f >> this.#missing);
    this.#low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    this.#high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  }

  #continue(byte: number): void {
    this.#code = (this.#code << 6) | (byte & 0x3f);
    this.#low = 0x80;
    this.#high = 0xbf;
    this.#seen++;
    this.#missing--;
    if (this.#missing === 0) this.#text += String.fromCodePoint(this.#code);
  }

  #breakOff(): void {
    this.#text += this.#replacement === "part" ? REPLACEMENT : REPLACEMENT.repeat(this.#seen);
    this.#missing = 0;
  }

  #give(): string {
    const text = this.#text;
    this.#text = "";
    return text;
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

const STRICT = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
