/**
 * A thought before the answer, between marks such as `<think>…</think>`. Where the
 * opening one may be in the prompt, text counts as reasoning until the closing one,
 * even if that never comes (as in vLLM); a tool call that begins ends it, too.
 */
import { isBlank, MarkerScan } from "../tool-output.ts";
import type { ThoughtMarks } from "./registry.ts";

export interface Split {
  readonly reasoning: string;
  readonly content: string;
}

/** Splits an output's text in two; where pieces are cut does not matter. */
export interface ReasoningSplitter {
  push(text: string): Split;
  end(): Split;
  /** The answer has begun. */
  readonly over: boolean;
  /** What comes next may be of a thought. */
  readonly thinking: boolean;
}

const THINK: ThoughtMarks = { open: ["<think>"], close: ["</think>"], begun: true };

export class ThinkSplitter implements ReasoningSplitter {
  over = false;
  readonly #marks: ThoughtMarks;
  /** Marks of a call: they belong to the content that follows. */
  readonly #calls: readonly string[];
  /** `head`: may still open; `before`: no thought yet; `inside`: a thought. */
  #state: "head" | "before" | "inside";
  /** What may become the opening mark, and the blanks before it. */
  #head = "";
  #blanks = "";
  readonly #open: MarkerScan;
  /** What ends a thought; and of those that begin at once, marks that open it again, which say nothing. */
  readonly #close: MarkerScan;

  constructor(marks: ThoughtMarks = THINK, calls: readonly string[] = []) {
    this.#marks = marks;
    this.#calls = calls;
    this.#state = marks.begun ? "head" : "before";
    this.#open = new MarkerScan(...marks.open);
    this.#close = new MarkerScan(...(marks.begun ? marks.open : []), ...marks.close, ...calls);
  }

  get thinking(): boolean {
    return !this.over && this.#state !== "before";
  }

  push(text: string): Split {
    const split = { reasoning: "", content: "" };
    for (const char of text) this.#char(char, split);
    return split;
  }

  end(): Split {
    if (this.over) return { reasoning: "", content: "" };
    if (this.#state === "before") return { reasoning: "", content: this.#open.rest() };
    const split = { reasoning: "", content: "" };
    this.#headless(split);
    return { ...split, reasoning: split.reasoning + this.#close.rest() };
  }

  #char(char: string, split: Writable): void {
    if (this.over) split.content += char;
    else if (this.#state === "inside") this.#thought(char, split);
    else if (this.#state === "before") {
      const { text, found } = this.#open.push(char);
      split.content += text;
      if (found !== undefined) this.#state = "inside";
    } else this.#begin(char, split);
  }

  /** The opening mark counts only where nothing came before it. */
  #begin(char: string, split: Writable): void {
    if (this.#head === "" && isBlank(char)) {
      this.#blanks += char;
      return;
    }
    this.#head += char;
    if (this.#marks.open.includes(this.#head)) {
      this.#state = "inside";
      this.#head = "";
      this.#blanks = "";
    } else if (!this.#marks.open.some((mark) => mark.startsWith(this.#head))) {
      this.#headless(split);
    }
  }

  /** What looked like the opening mark and is not. */
  #headless(split: Writable): void {
    const head = this.#blanks + this.#head;
    this.#head = "";
    this.#blanks = "";
    this.#state = "inside";
    for (const char of head) this.#char(char, split);
  }

  #thought(char: string, split: Writable): void {
    const { text, found } = this.#close.push(char);
    split.reasoning += text;
    if (found === undefined || this.#marks.open.includes(found)) return;
    this.over = true;
    if (this.#calls.includes(found)) split.content += found;
  }
}

type Writable = { -readonly [key in keyof Split]: Split[key] };
