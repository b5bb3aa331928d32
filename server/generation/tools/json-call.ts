/**
 * One call written as a JSON object, `{"name": …, "arguments": {…}}`, keys in any
 * order. Arguments go out as they come once the name is known; text that turns out
 * to be no call is handed back whole.
 */

import { isBlank, type ToolOutput } from "../tool-output.ts";
import { JsonValueScan, parseJson } from "./json-text.ts";

const ARGUMENT_KEYS: ReadonlySet<string> = new Set(["arguments", "parameters"]);

export class JsonCall {
  readonly #output: ToolOutput;
  /** All read so far; kept until a call has begun. */
  #raw = "";
  #state: "open" | "key" | "in-key" | "colon" | "value" | "in-value" | "comma" = "open";
  #scan = new JsonValueScan();
  #key = "";
  #value = "";
  #streaming = false;
  #begun = false;
  #arguments: string | undefined;
  #blanks = "";

  constructor(output: ToolOutput) {
    this.#output = output;
  }

  /** Text to give back when this is no call; empty once the call has begun. */
  get raw(): string {
    return this.#begun ? "" : this.#raw;
  }

  /** `failed`: this character cannot be; it is part of `raw`. */
  push(char: string): "more" | "done" | "failed" {
    if (!this.#begun) this.#raw += char;
    if (this.#state === "in-key" || this.#state === "in-value") return this.#inside(char);
    if (isBlank(char)) return "more";
    switch (this.#state) {
      case "open":
        this.#state = "key";
        return char === "{" ? "more" : "failed";
      case "key":
        if (char === "}") return this.#close();
        if (char !== '"') return "failed";
        this.#begin("in-key", char);
        return "more";
      case "colon":
        this.#state = "value";
        return char === ":" ? "more" : "failed";
      case "value":
        if (",:}]".includes(char)) return "failed";
        this.#begin("in-value", char);
        this.#streaming =
          this.#begun && ARGUMENT_KEYS.has(this.#key) && (char === "{" || char === "[");
        if (this.#streaming) this.#stream(char);
        return "more";
      case "comma":
        this.#state = "key";
        if (char === "}") return this.#close();
        return char === "," ? "more" : "failed";
    }
  }

  #begin(state: "in-key" | "in-value", char: string): void {
    this.#state = state;
    this.#scan = new JsonValueScan();
    this.#scan.push(char);
    this.#value = char;
  }

  #inside(char: string): "more" | "done" | "failed" {
    const at = this.#scan.push(char);
    if (at !== "over") {
      this.#value += char;
      if (this.#streaming) this.#stream(char);
    }
    if (at === "more") return "more";
    if (this.#state === "in-key") {
      const key = parseJson(this.#value);
      this.#state = "colon";
      this.#key = typeof key === "string" ? key : "";
      return typeof key === "string" ? "more" : "failed";
    }
    this.#state = "comma";
    if (!this.#take()) return "failed";
    if (at === "end") return "more";
    // A number or a word ends at what follows it.
    if (isBlank(char)) return "more";
    this.#state = "key";
    return char === "}" ? this.#close() : char === "," ? "more" : "failed";
  }

  /** Blanks go out with what follows them, as vLLM's, which reads a stripped text anew. */
  #stream(char: string): void {
    if (isBlank(char)) this.#blanks += char;
    else {
      this.#output.arguments(this.#blanks + char);
      this.#blanks = "";
    }
  }

  /** A value is complete. */
  #take(): boolean {
    if (this.#streaming) {
      this.#streaming = false;
      this.#arguments = this.#value;
      return true;
    }
    if (this.#key === "name" && !this.#begun) {
      const name = parseJson(this.#value);
      if (typeof name !== "string" || name === "") return false;
      this.#begun = true;
      this.#raw = "";
      this.#output.call(name);
      if (this.#arguments !== undefined) this.#output.arguments(this.#arguments);
    } else if (ARGUMENT_KEYS.has(this.#key) && this.#arguments === undefined) {
      this.#arguments = argumentsText(this.#value);
      if (this.#begun) this.#output.arguments(this.#arguments);
    }
    return true;
  }

  #close(): "done" | "failed" {
    if (!this.#begun) return "failed";
    if (this.#arguments === undefined) this.#output.arguments("{}");
    return "done";
  }
}

/** Arguments that come as JSON text in a string are taken out of it; none are an empty object. */
function argumentsText(value: string): string {
  if (value === "null") return "{}";
  if (!value.startsWith('"')) return value;
  const inner = parseJson(value);
  return typeof inner === "string" && parseJson(inner) !== undefined ? inner : value;
}
