/**
 * What becomes of output text on its way to the client. A parser splits the text
 * of one choice into content, reasoning and tool calls, piece by piece: any split
 * of the same text into pieces gives the same parts, joined.
 */

/** A tool call as it grows. The first delta of an index carries id and name. */
export interface ToolCallDelta {
  /** Position among the calls of the choice. */
  readonly index: number;
  readonly id?: string;
  readonly name?: string;
  /** The next piece of the arguments' JSON text. */
  readonly arguments?: string;
}

export interface OutputPart {
  readonly content?: string;
  readonly reasoning?: string;
  readonly toolCalls?: readonly ToolCallDelta[];
}

/** One choice's parser; it has state and serves one output. */
export interface OutputParser {
  /** `ids` are the output ids behind `text`; text may be empty while a character or a stop string is held back. */
  push(text: string, ids: readonly number[]): OutputPart;
  /** The output is over: what was held back. */
  end(): OutputPart;
  /** Output tokens that were reasoning so far; absent: not counted. */
  readonly reasoningTokens?: number;
}

/** The parser of a request without tools and without reasoning: all is content. */
export const PLAIN: OutputParser = {
  push: (text) => ({ content: text }),
  end: () => ({}),
};
