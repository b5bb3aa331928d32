/**
 * Counts what a JSON text is made of from its bytes, as they arrive: before it is
 * parsed, since parsing what cannot be served is the cost. It does not check that the
 * text is JSON; texts are skipped from quote to quote.
 */

export interface JsonLimits {
  /** Arrays and objects inside each other. */
  readonly depth: number;
  /** Numbers, texts, arrays, objects and the rest. */
  readonly values: number;
  /** Names in objects. */
  readonly keys: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

export class JsonMeter {
  readonly #limits: JsonLimits;
  #inText = false;
  /** The last byte was a backslash that escapes the next one. */
  #escapes = false;
  #depth = 0;
  #values = 1;
  #keys = 0;

  constructor(limits: JsonLimits) {
    this.#limits = limits;
  }

  get values(): number {
    return this.#values;
  }

  get keys(): number {
    return this.#keys;
  }

  /** The limit that is passed, in words; undefined: none so far. */
  read(chunk: Uint8Array): string | undefined {
    let at = 0;
    while (at < chunk.length) {
      at = this.#inText ? this.#skipText(chunk, at) : this.#count(chunk, at);
      const over = this.#over();
      if (over !== undefined) return over;
    }
    return undefined;
  }

  /** To the byte after the text's end. */
  #skipText(chunk: Uint8Array, from: number): number {
    let at = from;
    if (this.#escapes) {
      this.#escapes = false;
      at++;
    }
    for (;;) {
      const quote = chunk.indexOf(QUOTE, at);
      const end = quote < 0 ? chunk.length : quote;
      let slashes = 0;
      while (end - slashes > at && chunk[end - slashes - 1] === BACKSLASH) slashes++;
      if (quote < 0) {
        this.#escapes = slashes % 2 === 1;
        return chunk.length;
      }
      if (slashes % 2 === 0) {
        this.#inText = false;
        return quote + 1;
      }
      at = quote + 1;
    }
  }

  /** To the next text's beginning. */
  #count(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      switch (chunk[at]) {
        case QUOTE:
          this.#inText = true;
          return at + 1;
        case COMMA:
          this.#values++;
          break;
        case COLON:
          this.#keys++;
          break;
        case OPEN_ARRAY:
        case OPEN_OBJECT:
          this.#values++;
          this.#depth++;
          if (this.#depth > this.#limits.depth) return chunk.length;
          break;
        case CLOSE_ARRAY:
        case CLOSE_OBJECT:
          this.#depth--;
          break;
        default:
      }
    }
    return chunk.length;
  }

  #over(): string | undefined {
    const { depth, values, keys } = this.#limits;
    if (this.#depth > depth) return `nests deeper than ${depth} levels`;
    if (this.#values > values) return `has more than ${values} values`;
    return this.#keys > keys ? `has more than ${keys} keys` : undefined;
  }
}
