/** What a request's tools ask of its output: which grammar holds it, who reads it, how it ends. */

import type { GrammarSpec, ToolSchema } from "../grammar/spec.ts";
import type { FinishedOutput } from "./planner.ts";
import { ToolOutput } from "./tool-output.ts";
import type { ToolWish } from "./tools/choice.ts";
import { ArgumentsParser, CallListParser } from "./tools/fixed.ts";
import type { ParserParts } from "./tools/output-parser.ts";
import { createToolParser, newToolCallId, toolFormat } from "./tools/registry.ts";

/** The tools of which gpt-oss must call one, in its own format; undefined: it need not, or is none. */
export function harmonyTools(
  wish: ToolWish | undefined,
  parser: string | undefined,
): readonly ToolSchema[] | undefined {
  if (wish === undefined || parser !== "openai") return undefined;
  const { choice, schemas } = wish;
  if (choice === "required") return schemas;
  return typeof choice === "object"
    ? schemas.filter(({ name }) => name === choice.name)
    : undefined;
}

/** A named choice as one required call of the one tool. */
export function byName(wish: ToolWish | undefined): ToolWish | undefined {
  if (wish === undefined || typeof wish.choice !== "object") return wish;
  const { name } = wish.choice;
  const schemas = wish.schemas.filter((tool) => tool.name === name);
  return { ...wish, choice: "required", schemas, maxCalls: 1 };
}

export function toolsSpec(
  wish: ToolWish | undefined,
  parser: string | undefined,
): GrammarSpec | undefined {
  if (wish === undefined || wish.choice === "none") return undefined;
  if (harmonyTools(wish, parser)) return undefined; // held as ids: see harmony-call.ts
  const { choice, schemas: tools } = wish;
  const calls = { ...(Number.isFinite(wish.maxCalls) && { maxCalls: wish.maxCalls }) };
  const native = parser === "hermes";
  if (choice === "auto") {
    if (!wish.strict || !native) return undefined;
    return { kind: "tools", tools, format: "hermes", ...calls, required: false };
  }
  if (choice === "required") {
    return { kind: "tools", tools, format: native ? "hermes" : "list", ...calls, required: true };
  }
  const tool = tools.find((one) => one.name === choice.name);
  return tool === undefined ? undefined : { kind: "json", schema: tool.parameters, compact: false };
}

/** Who reads the calls; `native`: in the model's own format. */
export function toolReader(
  wish: ToolWish,
  parser: string | undefined,
): { readonly native: boolean; readonly create: () => ParserParts["tools"] } | undefined {
  const { choice, tools } = wish;
  const format = toolFormat(parser ?? "");
  if (format !== undefined && harmonyTools(wish, parser))
    return { native: true, create: () => createToolParser(format, tools) };
  if (typeof choice === "object") {
    return {
      native: false,
      create: () => {
        const output = new ToolOutput(format?.newId ?? newToolCallId);
        return { output, parser: new ArgumentsParser(output, choice.name) };
      },
    };
  }
  if (choice === "required" && parser !== "hermes") {
    return {
      native: false,
      create: () => {
        const output = new ToolOutput(format?.newId ?? newToolCallId);
        return { output, parser: new CallListParser(output) };
      },
    };
  }
  return format === undefined
    ? undefined
    : { native: true, create: () => createToolParser(format, tools) };
}

/**
 * As vLLM: a named call ends with the engine's reason; `required` and streams say
 * "tool_calls" for "stop" alone, `auto` at once for whatever a call came with.
 */
export function finishReason(
  wish: ToolWish,
  { reason, toolCalls, streamed }: FinishedOutput,
): string {
  if (typeof wish.choice === "object") return reason;
  if (streamed) return toolCalls > 0 && reason === "stop" ? "tool_calls" : reason;
  const called = wish.choice === "required" ? reason === "stop" : toolCalls > 0;
  return called ? "tool_calls" : reason;
}
