/** One choice's text through reasoning, then tools: what the routes call. */
import type { OutputParser } from "../parser.ts";
import type { ParsedPart } from "../parts.ts";
import type { ThoughtCounter } from "../reasoning/count.ts";
import { HarmonyParser } from "../reasoning/harmony.ts";
import { type ReasoningSplitter, ThinkSplitter } from "../reasoning/think.ts";
import { ToolOutput, type ToolParser } from "../tool-output.ts";
import { newToolCallId } from "./registry.ts";

export interface ParserParts {
  /** `think`: `<think>` tags; absent: text is content at once. */
  readonly reasoning?: "think" | "harmony" | ReasoningSplitter | undefined;
  /** Counts the thought's tokens; absent: they count by the piece of text that they came with. */
  readonly counter?: ThoughtCounter | undefined;
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
  content = "";

  constructor(parts: ParserParts) {
    this.#parts = parts;
    const { reasoning } = parts;
    this.#splitter = typeof reasoning === "string" ? new ThinkSplitter() : reasoning;
  }

  get reasoningTokens(): number {
    return this.#parts.counter?.count ?? this.#reasoningTokens;
  }

  get readsTools(): boolean {
    return this.#parts.tools !== undefined && (this.#splitter?.over ?? true);
  }

  push(text: string, ids: readonly number[]): readonly ParsedPart[] {
    const splitter = this.#splitter;
    if (splitter === undefined) return this.#content(text);
    this.#parts.counter?.push(ids);
    if (!splitter.over) this.#reasoningTokens += ids.length;
    const { reasoning, content } = splitter.push(text);
    return [...this.#reasoning(reasoning), ...this.#content(content)];
  }

  end(): readonly ParsedPart[] {
    const { reasoning, content } = this.#splitter?.end() ?? { reasoning: "", content: "" };
    const { tools, maxCalls } = this.#parts;
    const parts = [...this.#reasoning(reasoning), ...this.#content(content)];
    if (tools === undefined) return parts;
    tools.parser.end();
    tools.output.end();
    return [...parts, ...tools.output.take(maxCalls)];
  }

  #reasoning(text: string): readonly ParsedPart[] {
    return text === "" || !this.#parts.showReasoning ? [] : [{ type: "reasoning-delta", text }];
  }

  #content(text: string): readonly ParsedPart[] {
    const { tools, maxCalls } = this.#parts;
    if (tools === undefined) return text === "" ? [] : [{ type: "text-delta", text }];
    this.content += text;
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

  push(text: string, ids: readonly number[]): readonly ParsedPart[] {
    if (!this.#parser.over) this.#reasoningTokens += ids.length;
    for (const char of text) this.#parser.char(char);
    return this.#take();
  }

  end(): readonly ParsedPart[] {
    this.#parser.end();
    this.#output.end();
    return this.#take();
  }

  #take(): readonly ParsedPart[] {
    const text = this.#parser.takeReasoning();
    const shown = text !== "" && this.#parts.showReasoning;
    return [
      ...(shown ? [{ type: "reasoning-delta" as const, text }] : []),
      ...this.#output.take(this.#parts.maxCalls),
    ];
  }
}
