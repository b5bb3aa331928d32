/**
 * Calls as JSON objects after a marker: Granite's in a list, `<|tool_call|>[{…}, {…}]`,
 * MiniMax-M1's on lines, `<tool_calls>\n{…}\n{…}\n</tool_calls>`.
 */

import { isBlank, MarkerScan, type ToolOutput, type ToolParser } from "../tool-output.ts";
import { JsonCall } from "./json-call.ts";

export interface JsonCallMarks {
  readonly open: readonly string[];
  /** Text that ends the calls. */
  readonly close: string;
  /** The calls stand in a JSON list. */
  readonly list: boolean;
}

export const GRANITE: JsonCallMarks = {
  open: ["<|tool_call|>", "<tool_call>"],
  close: "]",
  list: true,
};

export const MINIMAX_M1: JsonCallMarks = {
  open: ["<tool_calls>"],
  close: "</tool_calls>",
  list: false,
};

export const JAMBA: JsonCallMarks = {
  open: ["<tool_calls>"],
  close: "]</tool_calls>",
  list: true,
};

export const PHI4: JsonCallMarks = { open: ["functools["], close: "]", list: false };

export class JsonCallsParser implements ToolParser {
  readonly #output: ToolOutput;
  readonly #marks: JsonCallMarks;
  #state: "text" | "opened" | "between" | "call" = "text";
  readonly #open: MarkerScan;
  /** Read since the marker, until a call has begun; then since the last call. */
  #held = "";
  #call: JsonCall;

  constructor(output: ToolOutput, marks: JsonCallMarks) {
    this.#output = output;
    this.#marks = marks;
    this.#open = new MarkerScan(...marks.open);
    this.#call = new JsonCall(output);
  }

  char(char: string): void {
    if (this.#state === "text") {
      const { text, found } = this.#open.push(char);
      this.#output.text(text);
      if (found === undefined) return;
      this.#held = found;
      this.#state = this.#marks.list ? "opened" : "between";
      return;
    }
    if (this.#state === "call") {
      const at = this.#call.push(char);
      if (at === "failed") this.#giveUp(this.#call.raw === "" ? char : this.#held + this.#call.raw);
      else if (at === "done") {
        this.#held = "";
        this.#state = "between";
      }
      return;
    }
    if (this.#state === "between" && char === "{") {
      this.#state = "call";
      this.#call = new JsonCall(this.#output);
      this.#call.push(char);
      return;
    }
    this.#held += char;
    if (this.#state === "opened") {
      if (char === "[") this.#state = "between";
      else if (!isBlank(char)) this.#giveUp(this.#held);
      return;
    }
    const since = this.#held.trimStart();
    if (since.endsWith(this.#marks.close)) this.#state = "text";
    else if (!isBlank(char) && char !== "," && !this.#closes()) this.#giveUp(this.#held);
  }

  end(): void {
    if (this.#state === "text") this.#output.text(this.#open.rest());
    else if (this.#state === "call") {
      if (this.#call.raw !== "") this.#output.text(this.#held + this.#call.raw);
    } else if (this.#output.count === 0) this.#output.text(this.#held);
  }

  /** Does what was read since the last call end in the beginning of the closing text? */
  #closes(): boolean {
    const { close } = this.#marks;
    const at = this.#held.lastIndexOf(close.charAt(0));
    return at >= 0 && close.startsWith(this.#held.slice(at));
  }

  #giveUp(raw: string): void {
    this.#state = "text";
    this.#output.text(raw);
  }
}
