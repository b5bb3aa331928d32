/**
 * Files line by line: traces are longer than a string may be (512 MB) and than one
 * would hold in memory beside what is read from them.
 */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";

/** Lines without their ends; a text's, or a file's as it is read. */
export type Lines = Iterable<string> | AsyncIterable<string>;

/** Longest line that is taken, in characters: more is no line of a trace. */
const LONGEST = 64 * 2 ** 20;

/** Text of a file in pieces, unpacked when its name ends in .gz. */
async function* piecesOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path);
  const bytes = path.endsWith(".gz") ? file.pipe(createGunzip()) : file;
  file.on("error", (error) => bytes.destroy(error));
  const decoder = new TextDecoder();
  for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
    yield decoder.decode(chunk, { stream: true });
  }
  yield decoder.decode();
}

/** Throws with the path. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of piecesOf(path)) {
    const text = rest + piece;
    let begin = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", begin)) {
      yield withoutReturn(text.slice(begin, end));
      begin = end + 1;
    }
    rest = text.slice(begin);
    if (rest.length > LONGEST) {
      throw new Error(
        `${path}: a line of more than ${LONGEST / 2 ** 20} MiB is no line of a trace.`,
      );
    }
  }
  if (rest !== "") yield withoutReturn(rest);
}

/**
 * Elements of a file that is one JSON array, each parsed alone. Throws with the path
 * where it is no array, or an element is no JSON.
 */
export async function* elementsOf(path: string): AsyncGenerator<unknown> {
  const scan = new ArrayScan(path);
  for await (const piece of piecesOf(path)) yield* scan.push(piece);
  scan.end();
}

/** Where the elements of an array begin and end: depth and strings are followed, nothing else. */
class ArrayScan {
  readonly #path: string;
  #element = "";
  #depth = 0;
  #inString = false;
  #escaped = false;
  #ended = false;

  constructor(path: string) {
    this.#path = path;
  }

  *push(piece: string): Generator<unknown> {
    let begin = 0;
    for (let at = 0; at < piece.length; at++) {
      const letter = piece.charCodeAt(at);
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (letter === BACKSLASH) this.#escaped = true;
        else if (letter === QUOTE) this.#inString = false;
        continue;
      }
      if (this.#depth === 0) {
        if (letter === OPEN_LIST && !this.#ended) {
          this.#depth = 1;
          begin = at + 1;
        } else if (letter > SPACE && letter !== BYTE_ORDER) throw this.#wrong();
        continue;
      }
      if (letter === QUOTE) this.#inString = true;
      else if (letter === OPEN_LIST || letter === OPEN_OBJECT) this.#depth++;
      else if (letter === CLOSE_LIST || letter === CLOSE_OBJECT) this.#depth--;
      const ends = this.#depth === 0 || (this.#depth === 1 && letter === COMMA);
      if (!ends) continue;
      const element = this.#element + piece.slice(begin, at);
      this.#element = "";
      begin = at + 1;
      this.#ended = this.#depth === 0;
      if (element.trim() !== "") yield this.#parsed(element);
    }
    if (this.#depth > 0) this.#element += piece.slice(begin);
    if (this.#element.length > LONGEST) throw this.#wrong();
  }

  end(): void {
    if (!this.#ended) throw this.#wrong();
  }

  #parsed(element: string): unknown {
    try {
      return JSON.parse(element);
    } catch {
      throw new Error(`${this.#path} holds what is no JSON: ${element.trim().slice(0, 60)}`);
    }
  }

  #wrong(): Error {
    return new Error(
      `${this.#path} is not one JSON array of {"conversations": …}: make one of JSON Lines with \`jq -s . FILE\`, or give lines of {"prompt": …} with --dataset-name custom.`,
    );
  }
}

const [QUOTE, BACKSLASH, COMMA, SPACE, BYTE_ORDER] = [0x22, 0x5c, 0x2c, 0x20, 0xfeff];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

export function textLines(text: string): string[] {
  return text.split(/\r?\n/);
}

/** With their numbers, from 1; empty ones are left out. */
export async function* numbered(lines: Lines): AsyncGenerator<readonly [string, number]> {
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() !== "") yield [line, number];
  }
}

/** One line of JSON Lines. Throws with its number. */
export function jsonLine(line: string, number: number): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error(`Line ${number} is not JSON: ${line.slice(0, 60)}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new Error(`Line ${number} is no JSON object: ${line.slice(0, 60)}`);
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
