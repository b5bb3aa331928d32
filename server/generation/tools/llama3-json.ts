/**
 * `{"name": …, "parameters": {…}}`, after `<|python_tag|>` or at the very start; more after `;` or on
 * lines of their own. Llama 3.x.
 */

import { isBlank, type ToolOutput, type ToolParser } from "../tool-output.ts";
import { JsonCall } from "./json-call.ts";

const TAG = "<|python_tag|>";

export class Llama3JsonParser implements ToolParser {
  readonly #output: ToolOutput;
  #state: "start" | "call" | "after" | "text" = "start";
  /** Start: what was read. After a call: what may lead to the next. */
  #held = "";
  #call: JsonCall;

  constructor(output: ToolOutput) {
    this.#output = output;
    this.#call = new JsonCall(output);
  }

  char(char: string): void {
    switch (this.#state) {
      case "text":
        this.#output.text(char);
        return;
      case "start": {
        this.#held += char;
        const begun = this.#held.trimStart();
        if (begun === "" || TAG.startsWith(begun)) return;
        const body = begun.startsWith(TAG) ? begun.slice(TAG.length).trimStart() : begun;
        if (body === "") return;
        if (body === "{") this.#begin();
        else this.#text(this.#held);
        return;
      }
      case "call": {
        const at = this.#call.push(char);
        if (at === "done") {
          this.#state = "after";
          this.#held = "";
        } else if (at === "failed")
          this.#text(this.#call.raw === "" ? char : this.#held + this.#call.raw);
        return;
      }
      case "after":
        if (char === "{") this.#begin();
        else if (isBlank(char) || (char === ";" && !this.#held.includes(";"))) this.#held += char;
        else this.#text(this.#held + char);
    }
  }

  end(): void {
    if (this.#state === "start") this.#text(this.#held);
    else if (this.#state === "call" && this.#call.raw !== "")
      this.#text(this.#held + this.#call.raw);
  }

  #begin(): void {
    this.#state = "call";
    this.#call = new JsonCall(this.#output);
    this.#call.push("{");
    if (this.#held.endsWith("{")) this.#held = this.#held.slice(0, -1);
  }

  #text(raw: string): void {
    this.#state = "text";
    this.#output.text(raw);
  }
}
