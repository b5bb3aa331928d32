/** `<tool_call>{"name": …, "arguments": {…}}</tool_call>`: Hermes, Qwen 2.5 and 3; LongCat's tag has another name. */

import { isBlank, MarkerScan, type ToolOutput, type ToolParser } from "../tool-output.ts";
import { JsonCall } from "./json-call.ts";

export class HermesParser implements ToolParser {
  readonly #output: ToolOutput;
  readonly #tag: string;
  #state: "text" | "call" | "after" = "text";
  readonly #open: MarkerScan;
  #close: MarkerScan;
  #call: JsonCall;

  constructor(output: ToolOutput, tag = "tool_call") {
    this.#output = output;
    this.#tag = tag;
    this.#open = new MarkerScan(`<${tag}>`);
    this.#close = this.#closing();
    this.#call = new JsonCall(output);
  }

  char(char: string): void {
    if (this.#state === "text") {
      const { text, found } = this.#open.push(char);
      this.#output.text(text);
      if (found !== undefined) {
        this.#state = "call";
        this.#call = new JsonCall(this.#output);
      }
      return;
    }
    if (this.#state === "call") {
      const at = this.#call.push(char);
      if (at === "done") {
        this.#state = "after";
        this.#close = this.#closing();
      } else if (at === "failed")
        this.#giveUp(this.#call.raw === "" ? char : this.#opened + this.#call.raw);
      return;
    }
    const { text, found } = this.#close.push(char);
    if (found !== undefined) this.#state = "text";
    // What stands between the object and its closing tag is text, unless blank.
    else if (!isBlankText(text)) this.#giveUp(text + this.#close.rest());
  }

  end(): void {
    if (this.#state === "text") this.#output.text(this.#open.rest());
    else if (this.#state === "call" && this.#call.raw !== "") {
      this.#giveUp(this.#opened + this.#call.raw);
      this.end();
    } else if (this.#state === "call" && this.#output.count === 0) this.#output.text(this.#opened);
  }

  get #opened(): string {
    return `<${this.#tag}>`;
  }

  #closing(): MarkerScan {
    return new MarkerScan(`</${this.#tag}>`);
  }

  #giveUp(raw: string): void {
    this.#state = "text";
    // The text may hold the beginning of the next call: it is read again, but for the tag.
    const again = raw.startsWith(this.#opened) ? raw.slice(this.#opened.length) : raw;
    if (again !== raw) this.#output.text(this.#opened);
    for (const char of again) this.char(char);
  }
}

function isBlankText(text: string): boolean {
  return Array.from(text).every(isBlank);
}
