/** `[get_weather(city="Paris", days=3), other()]`: a list of calls in Python. Llama 3.2, ToolACE. */

import { isBlank, MarkerScan, type ToolOutput, type ToolParser } from "../tool-output.ts";
import { PythonReader } from "./python-literal.ts";

const NAME_START = /^[A-Za-z_]$/;
const NAME_PART = /^[A-Za-z0-9_.]$/;

export class PythonicParser implements ToolParser {
  readonly #output: ToolOutput;
  #state:
    | "start"
    | "call"
    | "name"
    | "argument"
    | "key"
    | "value"
    | "after-value"
    | "after"
    | "text" = "start";
  #held = "";
  #word = "";
  #reader = new PythonReader();
  #count = 0;

  constructor(output: ToolOutput) {
    this.#output = output;
  }

  char(char: string): void {
    if (this.#state === "text") {
      this.#output.text(char);
      return;
    }
    this.#held += char;
    if (this.#state === "value") {
      this.#value(char);
      return;
    }
    const inWord = this.#state === "name" || this.#state === "key";
    if (isBlank(char) && !inWord) return;
    switch (this.#state) {
      case "start":
        this.#go(char === "[", "call");
        return;
      case "call":
        this.#word = char;
        this.#go(NAME_START.test(char), "name");
        return;
      case "name":
        if (NAME_PART.test(char)) this.#word += char;
        else if (char === "(") this.#state = "argument";
        else this.#text(this.#held);
        return;
      case "argument":
        if (char === ")") this.#close();
        else if (NAME_START.test(char)) {
          this.#word = this.#begun ? char : this.#open(char);
          this.#state = "key";
        } else this.#text(this.#held);
        return;
      case "key":
        if (NAME_PART.test(char)) this.#word += char;
        else if (char === "=") {
          this.#reader = new PythonReader();
          this.#state = "value";
        } else if (!isBlank(char)) this.#text(this.#held);
        return;
      case "after-value":
        if (char === ",") this.#state = "argument";
        else if (char === ")") this.#close();
        else this.#text(this.#held);
        return;
      case "after":
        if (char === "]") {
          this.#state = "text";
          this.#held = "";
        } else this.#go(char === ",", "call");
    }
  }

  end(): void {
    if (this.#state === "text" || this.#state === "after") return;
    // Cut off inside a call: the arguments that were complete count.
    this.#text(this.#announced ? "" : this.#held);
  }

  /** Name of the call whose arguments are being read, until the first of them. */
  #name: string | undefined;

  get #begun(): boolean {
    return this.#name !== undefined;
  }

  /** The first letter of a keyword: whether it is a call shows at its "=". */
  #open(char: string): string {
    this.#name = this.#word;
    this.#count = 0;
    this.#announced = false;
    return char;
  }

  #announced = false;

  #announce(name: string): void {
    if (this.#announced) return;
    this.#announced = true;
    this.#output.call(name);
    this.#held = "";
  }

  #value(char: string): void {
    const at = this.#reader.push(char);
    if (at === "more") return;
    const json = at === "failed" ? undefined : this.#reader.json;
    if (json === undefined) {
      this.#text(this.#held);
      return;
    }
    this.#announce(this.#name ?? "");
    this.#output.arguments(
      `${this.#count++ === 0 ? "{" : ", "}${JSON.stringify(this.#word)}: ${json}`,
    );
    this.#held = "";
    this.#state = "after-value";
    if (at === "over") this.char(char);
  }

  #close(): void {
    this.#announceEmpty();
    this.#output.arguments(this.#count === 0 ? "{}" : "}");
    this.#name = undefined;
    this.#announced = false;
    this.#held = "";
    this.#state = "after";
  }

  #announceEmpty(): void {
    if (this.#begun) return;
    this.#count = 0;
    this.#announce(this.#word);
  }

  #go(fits: boolean, next: "call" | "name"): void {
    if (fits) this.#state = next;
    else this.#text(this.#held);
  }

  /** No call after all; one that has begun is closed with the arguments it has. */
  #text(raw: string): void {
    if (this.#announced) this.#output.arguments(this.#count === 0 ? "{}" : "}");
    this.#announced = false;
    this.#state = "text";
    this.#output.text(raw);
  }
}

const START = "<|python_start|>";
const END = "<|python_end|>";

/** The same list of calls between Llama 4's marks, which stand in the text where special tokens are shown. */
export class MarkedPythonicParser implements ToolParser {
  readonly #calls: PythonicParser;
  readonly #scan = new MarkerScan(START, END);
  #state: "start" | "marked" | "plain" = "start";

  constructor(output: ToolOutput) {
    this.#calls = new PythonicParser(output);
  }

  char(char: string): void {
    const { text, found } = this.#scan.push(char);
    this.#read(text);
    if (found === START && this.#state === "start") this.#state = "marked";
    else if (found !== undefined && !(found === END && this.#state === "marked")) this.#read(found);
  }

  end(): void {
    this.#read(this.#scan.rest());
    this.#calls.end();
  }

  #read(text: string): void {
    if (text !== "" && this.#state === "start") this.#state = "plain";
    for (const char of text) this.#calls.char(char);
  }
}
