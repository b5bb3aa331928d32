/**
 * `[TOOL_CALLS]` and then either a list of `{"name": …, "arguments": {…}}` (to v7)
 * or `name{…}`, `name[CALL_ID]id[ARGS]{…}` with the marker before each (from v11).
 */

import { isBlank, MarkerScan, type ToolOutput, type ToolParser } from "../tool-output.ts";
import { JsonCall } from "./json-call.ts";
import { JsonValueScan } from "./json-text.ts";

const MARKER = "[TOOL_CALLS]";
const NAME = /^\s*([A-Za-z0-9_.-]+)\s*(?:\[CALL_ID\][A-Za-z0-9]*)?(?:\[ARGS\])?\s*$/;
/** A name longer than this is text. */
const MAX_HEAD = 256;

export class MistralParser implements ToolParser {
  readonly #output: ToolOutput;
  #state: "text" | "marked" | "list" | "object" | "head" | "arguments" = "text";
  #marker = new MarkerScan(MARKER);
  #call: JsonCall;
  #scan = new JsonValueScan();
  /** Since the marker. */
  #held = "";

  constructor(output: ToolOutput) {
    this.#output = output;
    this.#call = new JsonCall(output);
  }

  char(char: string): void {
    switch (this.#state) {
      case "text": {
        const { text, found } = this.#marker.push(char);
        this.#output.text(text);
        if (found !== undefined) {
          this.#state = "marked";
          this.#held = "";
        }
        return;
      }
      case "marked":
        this.#held += char;
        if (isBlank(char)) return;
        if (char === "[") this.#state = "list";
        else if (char === "{") this.#object(char);
        else this.#state = "head";
        return;
      case "list":
        this.#held += char;
        if (char === "{") this.#object(char);
        else if (char === "]") this.#state = "text";
        else if (char !== "," && !isBlank(char)) this.#giveUp(this.#held);
        return;
      case "object": {
        const at = this.#call.push(char);
        if (at === "more") return;
        if (at === "failed")
          this.#giveUp(this.#call.raw === "" ? char : this.#held + this.#call.raw.slice(1));
        else if (this.#held.trimStart().startsWith("[")) {
          this.#state = "list";
          this.#held = "[";
        } else this.#state = "text";
        return;
      }
      case "head":
        this.#head(char);
        return;
      case "arguments":
        this.#output.arguments(char);
        if (this.#scan.push(char) === "end") this.#state = "text";
    }
  }

  end(): void {
    if (this.#state === "text") this.#output.text(this.#marker.rest());
    else if (this.#state === "object" && this.#call.raw !== "") {
      this.#giveUp(this.#held + this.#call.raw.slice(1));
    } else if (this.#state === "marked" || this.#state === "head") this.#giveUp(this.#held);
  }

  #head(char: string): void {
    const name = char === "{" ? NAME.exec(this.#held)?.[1] : undefined;
    this.#held += char;
    if (name !== undefined) {
      this.#state = "arguments";
      this.#output.call(name);
      this.#output.arguments(char);
      this.#scan = new JsonValueScan();
      this.#scan.push(char);
    } else if (char === "{" || char === "\n" || this.#held.length > MAX_HEAD)
      this.#giveUp(this.#held);
  }

  #object(char: string): void {
    this.#state = "object";
    this.#call = new JsonCall(this.#output);
    this.#call.push(char);
  }

  #giveUp(raw: string): void {
    this.#state = "text";
    this.#marker = new MarkerScan(MARKER);
    this.#output.text(raw);
  }
}
