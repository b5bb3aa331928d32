/**
 * GLM's calls: the name, then keys and values in turn.
 *
 *     <tool_call>name
 *     <arg_key>key</arg_key>
 *     <arg_value>value</arg_value>
 *     </tool_call>
 *
 * The tool's schema says which values are JSON.
 */

import { MarkerScan, type ToolOutput, type ToolParser } from "../tool-output.ts";
import { jsonArgument, type ParameterTypes } from "./arguments.ts";

const OPEN = "<tool_call>";
const CLOSE = "</tool_call>";
const KEY = "<arg_key>";
const KEY_END = "</arg_key>";
const VALUE = "<arg_value>";
const VALUE_END = "</arg_value>";

export class KeyedParser implements ToolParser {
  readonly #output: ToolOutput;
  readonly #types: ParameterTypes;
  /** Where the text goes that stands before the next marker. */
  #state: "text" | "name" | "between" | "key" | "value" = "text";
  #scan = new MarkerScan(OPEN);
  #held = "";
  #name = "";
  #key = "";
  #parameters = 0;

  constructor(output: ToolOutput, types: ParameterTypes) {
    this.#output = output;
    this.#types = types;
  }

  char(char: string): void {
    const { text, found } = this.#scan.push(char);
    if (this.#state === "text") this.#output.text(text);
    else this.#held += text;
    if (found !== undefined) this.#found(found);
  }

  end(): void {
    const rest = this.#scan.rest();
    if (this.#state === "text") this.#output.text(rest);
    else if (this.#state === "name") this.#output.text(`${OPEN}${this.#held}${rest}`);
    else {
      this.#held += rest;
      // Cut off inside a value: what came of it counts.
      if (this.#state === "value") this.#parameter();
      this.#close();
    }
  }

  #found(marker: string): void {
    if (this.#state === "name" && this.#held.trim() !== "") this.#begin();
    else if (this.#state === "name") {
      // No name: no call.
      this.#output.text(`${OPEN}${this.#held}${marker}`);
      this.#go("text", OPEN);
      return;
    }
    switch (marker) {
      case OPEN:
        this.#go("name", KEY, CLOSE);
        return;
      case KEY:
        this.#go("key", KEY_END, VALUE, CLOSE);
        return;
      case KEY_END:
      case VALUE:
        if (this.#state === "key") this.#key = this.#held.trim();
        if (marker === VALUE) this.#go("value", VALUE_END, KEY, CLOSE);
        else this.#go("between", VALUE, KEY, CLOSE);
        return;
      case VALUE_END:
        this.#parameter();
        this.#go("between", KEY, CLOSE);
        return;
      default:
        if (this.#state === "value") this.#parameter();
        this.#close();
    }
  }

  #begin(): void {
    this.#name = this.#held.trim();
    this.#parameters = 0;
    this.#output.call(this.#name);
  }

  #parameter(): void {
    const json = jsonArgument(this.#held, this.#types.get(this.#name)?.get(this.#key));
    this.#output.arguments(
      `${this.#parameters++ === 0 ? "{" : ", "}${JSON.stringify(this.#key)}: ${json}`,
    );
  }

  #close(): void {
    this.#output.arguments(this.#parameters === 0 ? "{}" : "}");
    this.#go("text", OPEN);
  }

  #go(state: "text" | "name" | "between" | "key" | "value", ...markers: readonly string[]): void {
    this.#state = state;
    this.#held = "";
    this.#scan = new MarkerScan(...markers);
  }
}
