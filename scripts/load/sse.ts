/**
 * Server-sent events from a byte stream: pieces of any size in, whole `data`
 * payloads out. Lines end in LF, CR or CRLF; comments and other fields are
 * dropped; the `data` lines of one event are joined by LF (WHATWG HTML, 9.2).
 */
export class SseParser {
  readonly #emit: (data: string) => void;
  readonly #text = new TextDecoder();
  #rest = "";
  #data: string | undefined;

  constructor(emit: (data: string) => void) {
    this.#emit = emit;
  }

  push(bytes: Uint8Array): void {
    this.#rest += this.#text.decode(bytes, { stream: true });
    let start = 0;
    for (;;) {
      const end = lineEnd(this.#rest, start);
      if (end === -1) break;
      const code = this.#rest.charCodeAt(end);
      // A CR at the end of the piece may be half of a CRLF.
      if (code === CR && end + 1 === this.#rest.length) break;
      this.#line(this.#rest.slice(start, end));
      start = end + (code === CR && this.#rest.charCodeAt(end + 1) === LF ? 2 : 1);
    }
    this.#rest = this.#rest.slice(start);
  }

  /** The stream is over; an event without its blank line is dropped, as the standard says. */
  end(): void {
    if (this.#rest.endsWith("\r")) this.#line(this.#rest.slice(0, -1));
    this.#rest = "";
    this.#data = undefined;
  }

  #line(line: string): void {
    if (line === "") {
      if (this.#data !== undefined) this.#emit(this.#data);
      this.#data = undefined;
    } else if (line.startsWith("data:")) {
      const value = line.charCodeAt(5) === SPACE ? line.slice(6) : line.slice(5);
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    } else if (line === "data") {
      this.#data = this.#data === undefined ? "" : `${this.#data}\n`;
    }
  }
}

const LF = 10;
const CR = 13;
const SPACE = 32;

function lineEnd(text: string, from: number): number {
  const lf = text.indexOf("\n", from);
  const cr = text.indexOf("\r", from);
  if (cr === -1) return lf;
  return lf === -1 ? cr : Math.min(lf, cr);
}
