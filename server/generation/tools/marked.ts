/**
 * Calls between special tokens, each a head with the name and a JSON object:
 *
 *     DeepSeek-V3     <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>name
 *                     ```json
 *                     {…}
 *                     ```<｜tool▁call▁end｜><｜tool▁calls▁end｜>
 *     DeepSeek-V3.1   …<｜tool▁call▁begin｜>name<｜tool▁sep｜>{…}<｜tool▁call▁end｜>…
 *     Kimi-K2         <|tool_calls_section_begin|><|tool_call_begin|>functions.name:0
 *                     <|tool_call_argument_begin|>{…}<|tool_call_end|><|tool_calls_section_end|>
 *
 * Arguments go out as they come. What stands after the calls is no text.
 */

import { MarkerScan, type ToolOutput, type ToolParser } from "../tool-output.ts";
import { JsonValueScan } from "./json-text.ts";

export interface Marks {
  readonly open: string;
  readonly begin: string;
  /** Between the head and the arguments. */
  readonly separator: string;
  readonly end: string;
  readonly close: string;
  /** The name stands after the separator, on a line of its own. */
  readonly nameAfter?: boolean;
  /** Name, and id where the model gives one, of a head; undefined: no call. */
  readonly read: (head: string) => { readonly name: string; readonly id?: string } | undefined;
}

const plain: Marks["read"] = (head) => (head.trim() === "" ? undefined : { name: head.trim() });

export const DEEPSEEK_V31: Marks = {
  open: "<｜tool▁calls▁begin｜>",
  begin: "<｜tool▁call▁begin｜>",
  separator: "<｜tool▁sep｜>",
  end: "<｜tool▁call▁end｜>",
  close: "<｜tool▁calls▁end｜>",
  read: plain,
};

export const DEEPSEEK_V3: Marks = { ...DEEPSEEK_V31, nameAfter: true };

export const KIMI: Marks = {
  open: "<|tool_calls_section_begin|>",
  begin: "<|tool_call_begin|>",
  separator: "<|tool_call_argument_begin|>",
  end: "<|tool_call_end|>",
  close: "<|tool_calls_section_end|>",
  // `functions.name:0` is the call's id as well.
  read: (head) => {
    const id = head.trim();
    const colon = id.lastIndexOf(":");
    // A tool's own name may have dots.
    const name = id.slice(0, Math.max(0, colon)).replace(/^functions\./, "");
    return name !== "" && /^\d+$/.test(id.slice(colon + 1)) ? { name, id } : plain(head);
  },
};

export class MarkedParser implements ToolParser {
  readonly #output: ToolOutput;
  readonly #marks: Marks;
  /** `section`: between calls; `line`: the name after the separator. */
  #state: "text" | "section" | "head" | "line" | "arguments" | "over" = "text";
  readonly #scan: MarkerScan;
  #held = "";
  #json: JsonValueScan | undefined;
  #complete = false;

  constructor(output: ToolOutput, marks: Marks) {
    this.#output = output;
    this.#marks = marks;
    const { open, begin, separator, end, close } = marks;
    this.#scan = new MarkerScan(open, begin, separator, end, close);
  }

  char(char: string): void {
    const { text, found } = this.#scan.push(char);
    for (const one of text) this.#text(one);
    if (found !== undefined) this.#found(found);
  }

  end(): void {
    for (const char of this.#scan.rest()) this.#text(char);
    if (this.#state === "line") this.#name();
    if (this.#state === "arguments" && this.#json === undefined) this.#output.arguments("{}");
  }

  #text(char: string): void {
    switch (this.#state) {
      case "text":
        this.#output.text(char);
        return;
      case "head":
        this.#held += char;
        return;
      case "line":
        if (char === "\n" && this.#held.trim() !== "") this.#name();
        else this.#held += char;
        return;
      case "arguments":
        this.#argument(char);
    }
  }

  #found(marker: string): void {
    const { open, begin, separator, end, close, nameAfter } = this.#marks;
    if (this.#state === "line") this.#name();
    if (marker === open) this.#state = "section";
    else if (marker === begin) {
      this.#state = "head";
      this.#held = "";
    } else if (marker === separator && this.#state === "head") {
      if (nameAfter) {
        this.#state = "line";
        this.#held = "";
      } else this.#name();
    } else if (marker === end || marker === close) {
      if (this.#state === "arguments" && this.#json === undefined) this.#output.arguments("{}");
      this.#state = marker === end ? "section" : "over";
    }
  }

  #name(): void {
    const read = this.#marks.read(this.#held);
    this.#state = read === undefined ? "section" : "arguments";
    this.#json = undefined;
    this.#complete = false;
    if (read !== undefined) this.#output.call(read.name, read.id);
  }

  /** What stands around the object (a fence, blanks) is layout. */
  #argument(char: string): void {
    if (this.#complete) return;
    if (this.#json === undefined && char !== "{") return;
    this.#json ??= new JsonValueScan();
    this.#output.arguments(char);
    this.#complete = this.#json.push(char) === "end";
  }
}
