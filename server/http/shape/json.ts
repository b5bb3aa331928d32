/**
 * JSON as Python's `json` reads it, for when JSON.parse will not do: to say in
 * its words where a text broke off, to read NaN and Infinity, and to tell 1.0 from 1.
 */
import { PyNumber } from "./python.ts";

/** Where and why a text is no JSON; `position` counts code points. */
export class JsonError extends Error {
  readonly position: number;
  /** As Python appends it to the message. */
  readonly place: string;

  constructor(message: string, text: string, at: number) {
    super(message);
    this.name = "JsonError";
    const before = text.slice(0, at);
    this.position = [...before].length;
    const line = before.split("\n").length;
    const column = [...before.slice(before.lastIndexOf("\n") + 1)].length + 1;
    this.place = `line ${line} column ${column} (char ${this.position})`;
  }
}

/** Nested deeper, or an integer of more digits, than Python reads. */
export class PythonLimit extends Error {}

const MAX_DEPTH = 1_000;
/** Of an integer. */
export const MOST_DIGITS = 4_300;

const CONSTANTS: readonly (readonly [string, unknown])[] = [
  ["null", null],
  ["true", true],
  ["false", false],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
];

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** The value; numbers are `PyNumber` where `exact`. Throws JsonError or PythonLimit. */
export function readJson(text: string, exact: boolean): unknown {
  const reader = new Reader(text, exact);
  return reader.document();
}

class Reader {
  readonly #text: string;
  readonly #exact: boolean;
  #at = 0;

  constructor(text: string, exact: boolean) {
    this.#text = text;
    this.#exact = exact;
  }

  document(): unknown {
    this.#space();
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) throw this.#error("Extra data");
    return value;
  }

  #error(message: string, at = this.#at): JsonError {
    return new JsonError(message, this.#text, at);
  }

  #space(): void {
    while (" \t\n\r".includes(this.#text[this.#at] ?? "x")) this.#at++;
  }

  #value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new PythonLimit();
    const next = this.#text[this.#at];
    if (next === '"') return this.#string();
    if (next === "{") return this.#object(depth);
    if (next === "[") return this.#array(depth);
    for (const [name, value] of CONSTANTS) {
      if (this.#text.startsWith(name, this.#at)) {
        this.#at += name.length;
        return value;
      }
    }
    const number = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?/y;
    number.lastIndex = this.#at;
    const found = number.exec(this.#text);
    if (found === null) throw this.#error("Expecting value");
    const [written, fraction, power] = found;
    const whole = fraction === undefined && power === undefined;
    if (whole && written.length > MOST_DIGITS + Number(written.startsWith("-"))) {
      throw new PythonLimit();
    }
    this.#at += written.length;
    return this.#exact ? new PyNumber(written, !whole) : Number(written);
  }

  #string(): string {
    const start = this.#at++;
    const parts: string[] = [];
    // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids just these in strings
    const plain = /[^"\\\u0000-\u001f]*/y;
    for (;;) {
      plain.lastIndex = this.#at;
      const run = plain.exec(this.#text)?.[0] ?? "";
      parts.push(run);
      this.#at += run.length;
      const next = this.#text[this.#at];
      if (next === undefined) throw this.#error("Unterminated string starting at", start);
      if (next === '"') {
        this.#at++;
        return parts.join("");
      }
      if (next !== "\\") throw this.#error("Invalid control character at");
      parts.push(this.#escape(start));
    }
  }

  #escape(start: number): string {
    const letter = this.#text[this.#at + 1];
    if (letter === undefined) throw this.#error("Unterminated string starting at", start);
    if (letter === "u") {
      const digits = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[\da-fA-F]{4}$/.test(digits)) {
        throw this.#error("Invalid \\uXXXX escape", this.#at + 1);
      }
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const read = ESCAPES[letter];
    if (read === undefined) throw this.#error("Invalid \\escape");
    this.#at += 2;
    return read;
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === "]") {
      this.#at++;
      return items;
    }
    for (;;) {
      items.push(this.#value(depth + 1));
      this.#space();
      const next = this.#text[this.#at];
      if (next !== "," && next !== "]") throw this.#error("Expecting ',' delimiter");
      this.#at++;
      if (next === "]") return items;
      this.#space();
    }
  }

  #object(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === "}") {
      this.#at++;
      return {};
    }
    for (;;) {
      if (this.#text[this.#at] !== '"') {
        throw this.#error("Expecting property name enclosed in double quotes");
      }
      const key = this.#string();
      this.#space();
      if (this.#text[this.#at] !== ":") throw this.#error("Expecting ':' delimiter");
      this.#at++;
      this.#space();
      entries.push([key, this.#value(depth + 1)]);
      this.#space();
      const next = this.#text[this.#at];
      if (next !== "," && next !== "}") throw this.#error("Expecting ',' delimiter");
      this.#at++;
      // Own properties whatever their names: "__proto__" too.
      if (next === "}") return Object.fromEntries(entries);
      this.#space();
    }
  }
}
