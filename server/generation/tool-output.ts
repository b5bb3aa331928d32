/** Where a tool parser puts what it finds; joined until it is taken. */
import { joinPart, type ParsedPart } from "./parts.ts";

/** Reads text character by character, so that no split of it can matter. */
export interface ToolParser {
  char(char: string): void;
  end(): void;
}

const BLANK = /^\s$/;
export const isBlank = (char: string): boolean => BLANK.test(char);

export class ToolOutput {
  readonly #newId: () => string;
  #parts: ParsedPart[] = [];
  #count = 0;
  /** Blanks that belong to the text only if text follows: those around calls do not. */
  #blanks = "";
  #inText = false;

  constructor(newId: () => string) {
    this.#newId = newId;
  }

  /** Calls begun so far. */
  get count(): number {
    return this.#count;
  }

  text(piece: string): void {
    for (const char of piece) {
      if (!this.#inText && isBlank(char)) {
        this.#blanks += char;
        continue;
      }
      joinPart(this.#parts, { type: "text-delta", text: this.#blanks + char });
      this.#blanks = "";
      this.#inText = true;
    }
  }

  /** `id`: as the model itself names the call; absent: a new one. */
  call(name: string, id = this.#newId()): void {
    this.#blanks = "";
    this.#inText = false;
    this.#parts.push({ type: "call-start", call: this.#count++, id, name });
  }

  /** More of the JSON text of the arguments of the call begun last. */
  arguments(piece: string): void {
    joinPart(this.#parts, { type: "call-delta", call: this.#count - 1, text: piece });
  }

  end(): void {
    if (this.#count === 0 && this.#blanks !== "") {
      joinPart(this.#parts, { type: "text-delta", text: this.#blanks });
    }
    this.#blanks = "";
  }

  /** Calls from `most` on are left out. */
  take(most = Number.POSITIVE_INFINITY): readonly ParsedPart[] {
    const parts = this.#parts.filter((part) => !("call" in part) || part.call < most);
    this.#parts = [];
    return parts;
  }
}

/** Finds markers in text that comes by the character; holds back what may become one. */
export class MarkerScan {
  readonly #markers: readonly string[];
  #held = "";

  constructor(...markers: readonly string[]) {
    this.#markers = markers;
  }

  /** `text`: what surely is part of no marker; `found`: the marker that is complete. */
  push(char: string): { readonly text: string; readonly found: string | undefined } {
    this.#held += char;
    let text = "";
    while (this.#held !== "" && !this.#markers.some((marker) => marker.startsWith(this.#held))) {
      text += this.#held.charAt(0);
      this.#held = this.#held.slice(1);
    }
    const found = this.#markers.find((marker) => marker === this.#held);
    if (found !== undefined) this.#held = "";
    return { text, found };
  }

  /** Nothing is held back, and no marker can begin in this text. */
  passes(text: string): boolean {
    return this.#held === "" && !this.#markers.some((marker) => text.includes(marker.charAt(0)));
  }

  /** What is held back, given up. */
  rest(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }
}
