/** Follows JSON text by the character: where does a value end? */
import { isBlank } from "../tool-output.ts";

/** One JSON value. Brackets and quotes are followed, the rest is taken on trust. */
export class JsonValueScan {
  #depth = 0;
  #inString = false;
  #escaped = false;
  #kind: "none" | "scalar" | "string" | "nested" = "none";

  /** `end`: the value ended with this character; `over`: it ended before it. */
  push(char: string): "more" | "end" | "over" {
    if (this.#inString) return this.#string(char);
    if (this.#kind === "none")
      this.#kind = char === '"' ? "string" : char === "{" || char === "[" ? "nested" : "scalar";
    if (char === '"') {
      this.#inString = true;
      return "more";
    }
    if (char === "{" || char === "[") this.#depth++;
    else if (char === "}" || char === "]") {
      if (this.#depth === 0) return "over";
      this.#depth--;
      if (this.#depth === 0) return "end";
    } else if (this.#kind === "scalar" && this.#depth === 0 && (char === "," || isBlank(char)))
      return "over";
    return "more";
  }

  #string(char: string): "more" | "end" {
    if (this.#escaped) this.#escaped = false;
    else if (char === "\\") this.#escaped = true;
    else if (char === '"') {
      this.#inString = false;
      if (this.#depth === 0) return "end";
    }
    return "more";
  }
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
