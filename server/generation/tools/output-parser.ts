/** One choice's text through reasoning, then tools: what the routes call. */
import type { OutputParser, OutputPart } from "../parser.ts";
import { HarmonyParser } from "../reasoning/harmony.ts";
import { type ReasoningSplitter, ThinkSplitter } from "../reasoning/think.ts";
import { ToolOutput, type ToolParser } from "./output.ts";
import { newToolCallId } from "./registry.ts";

export interface ParserParts {
  /** Absent: text is content at once. */
  readonly reasoning?: "think" | "harmony" | undefined;
  /** Absent: what is not reasoning is content. */
  readonly tools?: { readonly parser: ToolParser; readonly output: ToolOutput } | undefined;
  /** Calls passed on at most. */
  readonly maxCalls: number;
  /** False: reasoning is read and dropped. */
  readonly showReasoning: boolean;
}

export function createOutputParser(parts: ParserParts): OutputParser {
  return parts.reasoning === "harmony" ? new HarmonyOutput(parts) : new ThinkOutput(parts);
}

class ThinkOutput implements OutputParser {
  readonly #parts: ParserParts;
  readonly #splitter: ReasoningSplitter | undefined;
  #reasoningTokens = 0;

  constructor(parts: ParserParts) {
    this.#parts = parts;
    this.#splitter = parts.reasoning === "think" ? new ThinkSplitter() : undefined;
  }

  get reasoningTokens(): number {
    return this.#reasoningTokens;
  }

  push(text: string, ids: readonly number[]): OutputPart {
    const splitter = this.#splitter;
    if (splitter === undefined) return this.#content(text);
    if (!splitter.over) this.#reasoningTokens += ids.length;
    const { reasoning, content } = splitter.push(text);
    return { ...this.#reasoning(reasoning), ...this.#content(content) };
  }

  end(): OutputPart {
    const { reasoning, content } = this.#splitter?.end() ?? { reasoning: "", content: "" };
    const { tools, maxCalls } = this.#parts;
    const part = this.#content(content);
    if (tools === undefined) return { ...this.#reasoning(reasoning), ...part };
    tools.parser.end();
    tools.output.end();
    const last = tools.output.take(maxCalls);
    const joined = (part.content ?? "") + (last.content ?? "");
    const calls = [...(part.toolCalls ?? []), ...(last.toolCalls ?? [])];
    return {
      ...this.#reasoning(reasoning),
      ...(joined !== "" && { content: joined }),
      ...(calls.length > 0 && { toolCalls: calls }),
    };
  }

  #reasoning(text: string): OutputPart {
    return text === "" || !this.#parts.showReasoning ? {} : { reasoning: text };
  }

  #content(text: string): OutputPart {
    const { tools, maxCalls } = this.#parts;
    if (tools === undefined) return text === "" ? {} : { content: text };
    for (const char of text) tools.parser.char(char);
    return tools.output.take(maxCalls);
  }
}

class HarmonyOutput implements OutputParser {
  readonly #parts: ParserParts;
  readonly #output: ToolOutput;
  readonly #parser: HarmonyParser;
  #reasoningTokens = 0;

  constructor(parts: ParserParts) {
    this.#parts = parts;
    this.#output = new ToolOutput(newToolCallId);
    this.#parser = new HarmonyParser(this.#output);
  }

  get reasoningTokens(): number {
    return this.#reasoningTokens;
  }

  push(text: string, ids: readonly number[]): OutputPart {
    if (!this.#parser.over) this.#reasoningTokens += ids.length;
    for (const char of text) this.#parser.char(char);
    return this.#take();
  }

  end(): OutputPart {
    this.#parser.end();
    this.#output.end();
    return this.#take();
  }

  #take(): OutputPart {
    const reasoning = this.#parser.takeReasoning();
    return {
      ...(reasoning !== "" && this.#parts.showReasoning && { reasoning }),
      ...this.#output.take(this.#parts.maxCalls),
    };
  }
}
