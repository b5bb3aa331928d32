/** How many of an output's ids are its thought: its marks and the end of the output are none of it. */
import type { Decoder } from "../../../models/model.ts";
import type { ThoughtMarks } from "./registry.ts";
import type { ReasoningSplitter } from "./think.ts";

export class ThoughtCounter {
  count = 0;
  readonly #decoder: Decoder;
  /** One of its own: ids come by the step, or all at once. */
  readonly #splitter: ReasoningSplitter;
  readonly #marks: ThoughtMarks;
  readonly #endIds: readonly number[];

  constructor(
    decoder: Decoder,
    splitter: ReasoningSplitter,
    { marks, endIds }: { readonly marks: ThoughtMarks; readonly endIds: readonly number[] },
  ) {
    this.#decoder = decoder;
    this.#splitter = splitter;
    this.#marks = marks;
    this.#endIds = endIds;
  }

  push(ids: readonly number[]): void {
    for (const id of ids) {
      if (this.#splitter.over && !this.#marks.reopens) return;
      const text = this.#decoder.push(id);
      const before = this.#splitter.thinking;
      this.#splitter.push(text);
      const thought = before && this.#splitter.thinking && !this.#marks.open.includes(text);
      if (thought && !this.#endIds.includes(id)) this.count++;
    }
  }
}
