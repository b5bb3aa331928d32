/** A Python literal, by the character, to JSON: strings, numbers, True/False/None, lists, tuples, dicts. */

type Frame = {
  readonly close: string;
  readonly dict: boolean;
  readonly tuple: boolean;
  items: number;
  needsKey: boolean;
};

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  v: "\v",
  a: "\x07",
  "0": "\0",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "\n": "",
};
const WORDS: Readonly<Record<string, string>> = {
  True: "true",
  False: "false",
  None: "null",
  true: "true",
  false: "false",
  null: "null",
};
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

export class PythonReader {
  /** JSON text of the value, once it ended. */
  json = "";
  readonly #stack: Frame[] = [];
  #state: "value" | "string" | "escape" | "hex" | "word" | "next" | "pair" = "value";
  #quote = "";
  /** Three quotes opened the string; so many in a row were read that may close it. */
  #triple = false;
  #closing = 0;
  #text = "";
  #word = "";
  #hex = "";
  #hexDigits = 0;

  /** `end`: ended with this character; `over`: ended before it. */
  push(char: string): "more" | "end" | "over" | "failed" {
    switch (this.#state) {
      case "string":
        return this.#string(char);
      case "escape":
        this.#hexDigits = HEX_DIGITS[char] ?? 0;
        this.#hex = "";
        this.#state = this.#hexDigits > 0 ? "hex" : "string";
        if (this.#hexDigits === 0) this.#text += ESCAPES[char] ?? `\\${char}`;
        return "more";
      case "hex":
        this.#hex += char;
        if (!/^[0-9a-fA-F]+$/.test(this.#hex)) return "failed";
        if (this.#hex.length < this.#hexDigits) return "more";
        this.#state = "string";
        if (Number.parseInt(this.#hex, 16) > 0x10ffff) return "failed";
        this.#text += String.fromCodePoint(Number.parseInt(this.#hex, 16));
        return "more";
      case "pair":
        return this.#pair(char);
      case "word":
        return this.#inWord(char);
      case "value":
        return this.#value(char);
      case "next":
        return this.#next(char);
    }
  }

  #value(char: string): "more" | "end" | "failed" {
    if (/^\s$/.test(char)) return "more";
    const frame = this.#stack.at(-1);
    if (char === frame?.close && (frame.items === 0 || frame.needsKey || !frame.dict))
      return this.#pop(frame);
    if (char === '"' || char === "'") {
      this.#quote = char;
      this.#text = "";
      this.#triple = false;
      this.#closing = 0;
      this.#state = "string";
      return "more";
    }
    if (frame?.dict === true && frame.needsKey) return "failed";
    if (char === "[" || char === "{" || char === "(") {
      this.#before();
      const dict = char === "{";
      this.#stack.push({
        close: dict ? "}" : char === "[" ? "]" : ")",
        dict,
        tuple: char === "(",
        items: 0,
        needsKey: dict,
      });
      this.json += dict ? "{" : "[";
      return "more";
    }
    if (!/^[-+.0-9A-Za-z_]$/.test(char)) return "failed";
    this.#word = char;
    this.#state = "word";
    return "more";
  }

  #string(char: string): "more" | "end" {
    if (char === this.#quote) {
      if (!this.#triple && this.#text !== "") return this.#done(JSON.stringify(this.#text));
      if (!this.#triple) this.#state = "pair";
      else if (++this.#closing === 3) return this.#done(JSON.stringify(this.#text));
      return "more";
    }
    this.#text += this.#quote.repeat(this.#closing);
    this.#closing = 0;
    if (char === "\\") this.#state = "escape";
    else this.#text += char;
    return "more";
  }

  /** Two quotes: an empty string, or the beginning of three. */
  #pair(char: string): "more" | "end" | "over" | "failed" {
    if (char === this.#quote) {
      this.#triple = true;
      this.#state = "string";
      return "more";
    }
    if (this.#stack.length === 0) {
      this.json = '""';
      return "over";
    }
    this.#done('""');
    return this.#next(char);
  }

  #inWord(char: string): "more" | "end" | "over" | "failed" {
    if (/^[-+.0-9A-Za-z_]$/.test(char)) {
      this.#word += char;
      return "more";
    }
    const json = WORDS[this.#word] ?? numberText(this.#word);
    if (json === undefined) return "failed";
    if (this.#stack.length === 0) {
      this.json = json;
      return "over";
    }
    this.#done(json);
    return this.#next(char);
  }

  /** After a value inside brackets. */
  #next(char: string): "more" | "end" | "failed" {
    const frame = this.#stack.at(-1);
    if (/^\s$/.test(char)) return "more";
    if (frame === undefined) return "failed";
    if (char === frame.close && !(frame.dict && !frame.needsKey && this.#afterKey))
      return this.#pop(frame);
    if (char === ":" && this.#afterKey) {
      this.json += ": ";
      this.#afterKey = false;
      frame.needsKey = false;
      this.#state = "value";
      return "more";
    }
    if (char !== "," || this.#afterKey) return "failed";
    if (frame.dict) frame.needsKey = true;
    this.#state = "value";
    return "more";
  }

  #afterKey = false;

  /** Separator before a value. */
  #before(): void {
    const frame = this.#stack.at(-1);
    if (frame === undefined) return;
    const isValueOfKey = frame.dict && !frame.needsKey;
    if (!isValueOfKey && frame.items > 0) this.json += ", ";
    if (!isValueOfKey) frame.items++;
  }

  #done(json: string): "more" | "end" {
    const frame = this.#stack.at(-1);
    this.#before();
    this.json += json;
    if (frame === undefined) return "end";
    this.#afterKey = frame.dict && frame.needsKey;
    this.#state = "next";
    return "more";
  }

  #pop(frame: Frame): "more" | "end" | "failed" {
    if (this.#afterKey) return "failed";
    this.#stack.pop();
    this.json += frame.dict ? "}" : "]";
    if (this.#stack.length === 0) return "end";
    this.#state = "next";
    return "more";
  }
}

function numberText(word: string): string | undefined {
  const plain = word.replaceAll("_", "").replace(/^\+/, "");
  if (/^-?0(?:x[\da-f]+|o[0-7]+|b[01]+)$/i.test(plain)) {
    const value = BigInt(plain.replace("-", "")); // Python's have no limit
    return String(plain.startsWith("-") ? -value : value);
  }
  if (!/^-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/.test(plain)) return undefined;
  const value = Number(plain);
  if (!Number.isFinite(value)) return undefined;
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(plain) ? plain : JSON.stringify(value);
}
