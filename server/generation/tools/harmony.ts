/** gpt-oss's calls alone, for a server without its reasoning parser: reasoning is dropped. */
import { HarmonyParser } from "../reasoning/harmony.ts";
import type { ToolOutput, ToolParser } from "../tool-output.ts";

export class HarmonyTools implements ToolParser {
  readonly #parser: HarmonyParser;

  constructor(output: ToolOutput) {
    this.#parser = new HarmonyParser(output);
  }

  char(char: string): void {
    this.#parser.char(char);
    this.#parser.takeReasoning();
  }

  end(): void {
    this.#parser.end();
  }
}
