/**
 * A thought between tags as vLLM's parser engine reads it: tags that are repeated or stray
 * are dropped, a call that begins ends the thought, and what stands in a call is left alone.
 */
import { MarkerScan } from "../tool-output.ts";
import type { ThoughtMarks } from "./registry.ts";
import type { ReasoningSplitter, Split } from "./think.ts";

type State = "thought" | "answer" | "call";
type Writable = { -readonly [key in keyof Split]: Split[key] };

export class TaggedSplitter implements ReasoningSplitter {
  readonly #marks: ThoughtMarks;
  readonly #calls: readonly string[];
  #state: State;
  #ended = false;
  #scan: MarkerScan;
  /** Of a thought that may end here: blanks at its end are none of it. */
  #blanks = "";

  constructor(marks: ThoughtMarks, calls: readonly string[]) {
    this.#marks = marks;
    this.#calls = calls;
    this.#state = marks.begun ? "thought" : "answer";
    this.#scan = this.#scanOf(undefined);
  }

  get over(): boolean {
    return this.#state !== "thought" && this.#ended;
  }

  get thinking(): boolean {
    return this.#state === "thought";
  }

  push(text: string): Split {
    const split = { reasoning: "", content: "" };
    if (this.#scan.passes(text)) this.#put(text, split);
    else for (const char of text) this.#char(char, split);
    return split;
  }

  end(): Split {
    const split = { reasoning: "", content: "" };
    this.#put(this.#scan.rest(), split);
    return split;
  }

  #char(char: string, split: Writable): void {
    const { text, found } = this.#scan.push(char);
    this.#put(text, split);
    if (found !== undefined) this.#mark(found, split);
  }

  #mark(found: string, split: Writable): void {
    const was = this.#state;
    if (was === "call") this.#state = "answer";
    else if (this.#calls.includes(found)) this.#state = "call";
    else this.#state = this.#marks.open.includes(found) ? "thought" : "answer";
    if (was === "thought" && this.#state !== was) this.#ended = true;
    if (was === "call" || this.#state === "call") split.content += found;
    if (was !== this.#state) this.#scan = this.#scanOf(found);
  }

  /** What counts as a mark from here on; `call`: the mark that a call began with. */
  #scanOf(call: string | undefined): MarkerScan {
    const { open, close, reopens = false } = this.#marks;
    if (this.#state === "call") return new MarkerScan(...closingOf(call));
    const opens = this.#state === "thought" || reopens ? open : [];
    return new MarkerScan(...opens, ...close, ...this.#calls);
  }

  #put(text: string, split: Writable): void {
    if (this.#state !== "thought") {
      split.content += text;
      return;
    }
    const shown = this.#marks.trims ? text.trimEnd() : text;
    const blanks = text.slice(shown.length);
    // Only the new text is looked at: a model may write nothing but blanks for long.
    if (shown === "") this.#blanks += blanks;
    else {
      split.reasoning += this.#blanks + shown;
      this.#blanks = blanks;
    }
  }
}

/** `<a>` ends with `</a>`, a mark that begins with the one that ends; of others a call goes on to the end. */
function closingOf(open = ""): readonly string[] {
  if (/^<[^|]/.test(open)) return [`</${open.slice(1)}`];
  return open.includes("begin") ? [open.replace("begin", "end")] : [];
}
