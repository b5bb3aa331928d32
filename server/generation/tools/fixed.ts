/** Parsers of output that a constraint has made calls of and nothing else. */

import type { ToolOutput, ToolParser } from "../tool-output.ts";
import { JsonCall } from "./json-call.ts";

/** Named choice: the whole output is the arguments of one call. */
export class ArgumentsParser implements ToolParser {
  readonly #output: ToolOutput;
  readonly #name: string;

  constructor(output: ToolOutput, name: string) {
    this.#output = output;
    this.#name = name;
  }

  char(char: string): void {
    if (this.#output.count === 0) this.#output.call(this.#name);
    this.#output.arguments(char);
  }

  end(): void {}
}

/** `required`: a list of calls, `[{"name": …, "parameters": {…}}, …]`. */
export class CallListParser implements ToolParser {
  readonly #output: ToolOutput;
  #call: JsonCall | undefined;

  constructor(output: ToolOutput) {
    this.#output = output;
  }

  char(char: string): void {
    if (this.#call === undefined) {
      if (char !== "{") return;
      this.#call = new JsonCall(this.#output);
    }
    if (this.#call.push(char) !== "more") this.#call = undefined;
  }

  end(): void {}
}
