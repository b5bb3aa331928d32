/**
 * A parser splits the text of one choice into content, reasoning and tool calls,
 * piece by piece: any split of the same text into pieces gives the same parts,
 * joined. `ChoiceReader` makes of it the parts that wire formats write.
 */
import type { ChoiceDelta } from "./choice.ts";
import type { OutputDelta, OutputPart, ParsedPart } from "./parts.ts";

/** One choice's parser; it has state and serves one output. */
export interface OutputParser {
  /** `ids` are the output ids behind `text`; text may be empty while a character or a stop string is held back. */
  push(text: string, ids: readonly number[]): readonly ParsedPart[];
  /** The output is over: what was held back. */
  end(): readonly ParsedPart[];
  /** A tool parser reads the text now. */
  readonly readsTools?: boolean;
  /** Output tokens that were reasoning so far; absent: not counted. */
  readonly reasoningTokens?: number;
  /** All text so far that is no reasoning, before calls were taken out of it; absent: not kept. */
  readonly content?: string;
}

/** The parser of a request without tools and without reasoning: all is content. */
export const PLAIN: OutputParser = {
  push: (text) => (text === "" ? [] : [{ type: "text-delta", text }]),
  end: () => [],
};

/** Reads one choice: its parser's findings, opened and ended. */
export class ChoiceReader {
  readonly parser: OutputParser;
  /** Calls begun so far. */
  calls = 0;
  #open: "text" | "reasoning" | "call" | undefined;
  readonly #parsedTools: (called: boolean) => void;

  /** `parsedTools` is told of each delta that a tool parser read, and whether it found a call. */
  constructor(parser: OutputParser, parsedTools: (called: boolean) => void = () => {}) {
    this.parser = parser;
    this.#parsedTools = parsedTools;
  }

  read(delta: ChoiceDelta): OutputDelta {
    const { index, ids, logprobs, promptLogprobs, finish } = delta;
    const parts: OutputPart[] = [];
    for (const part of this.parser.push(delta.text, ids)) this.#add(parts, part);
    if (finish !== undefined) {
      for (const part of this.parser.end()) this.#add(parts, part);
      this.#close(parts);
      const { reason, stopReason } = finish;
      parts.push({ type: "finish", reason, stopReason, calls: this.calls });
    }
    if (this.parser.readsTools)
      this.#parsedTools(parts.some(({ type }) => type.startsWith("call")));
    return {
      index,
      text: delta.text,
      ids,
      logprobs,
      ...(promptLogprobs && { promptLogprobs }),
      parts,
    };
  }

  #add(parts: OutputPart[], part: ParsedPart): void {
    if (part.type === "call-start") {
      this.#close(parts);
      this.#open = "call";
      this.calls = Math.max(this.calls, part.call + 1);
    } else if (part.type !== "call-delta") {
      const kind = part.type === "text-delta" ? "text" : "reasoning";
      if (this.#open !== kind) {
        this.#close(parts);
        parts.push({ type: `${kind}-start` });
        this.#open = kind;
      }
    }
    parts.push(part);
  }

  #close(parts: OutputPart[]): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === "call") parts.push({ type: "call-end", call: this.calls - 1 });
    else if (open !== undefined) parts.push({ type: `${open}-end` });
  }
}
