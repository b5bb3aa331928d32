/** tools, tool_choice and parallel_tool_calls: what they ask for, checked in vLLM's words. */

import type { Schema } from "../../grammar/schema/flat.ts";
import type { ToolSchema } from "../../grammar/spec.ts";
import { badRequest } from "../../http/errors.ts";
import type { OutputFields } from "../planner.ts";
import { record } from "./arguments.ts";

export interface ToolWish {
  readonly tools: readonly unknown[];
  readonly schemas: readonly ToolSchema[];
  readonly choice: "none" | "auto" | "required" | { readonly name: string };
  /** With `auto`: some tool says `strict`. */
  readonly strict: boolean;
  readonly maxCalls: number;
}

/** Undefined: no tools. */
export function toolWish(fields: OutputFields): ToolWish | undefined {
  const { tools, tool_choice: choice } = fields;
  if (tools?.length === 0) {
    throw badRequest(
      "`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.",
      "tools",
    );
  }
  const none = tools === undefined || tools === null;
  if (none) {
    if (choice !== undefined && choice !== null && choice !== "none") {
      throw badRequest("When using `tool_choice`, `tools` must be set.", "tool_choice");
    }
    return undefined;
  }
  const functions = tools.map((tool, i) => {
    const described = record(record(tool)?.["function"]);
    if (described === undefined)
      throw badRequest("Only tools of type `function` are supported.", `tools.${i}`);
    return described;
  });
  return {
    tools,
    schemas: functions.map(schemaOf),
    choice: choiceOf(choice, functions),
    strict: functions.some((one) => one["strict"] === true),
    maxCalls: fields.parallel_tool_calls === false ? 1 : Number.POSITIVE_INFINITY,
  };
}

function choiceOf(
  choice: unknown,
  functions: readonly Readonly<Record<string, unknown>>[],
): ToolWish["choice"] {
  if (choice === undefined || choice === null || choice === "auto") return "auto";
  if (choice === "none" || choice === "required") return choice;
  const name = record(record(choice)?.["function"])?.["name"];
  if (typeof choice === "string" || typeof name !== "string") {
    throw badRequest(
      `Invalid value for \`tool_choice\`: ${typeof choice === "string" ? choice : JSON.stringify(choice)}! Only named tools, "none", "auto" or "required" are supported.`,
      "tool_choice",
    );
  }
  if (!functions.some((one) => one["name"] === name)) {
    throw badRequest(
      "The tool specified in `tool_choice` does not match any of the specified `tools`",
      "tool_choice",
    );
  }
  return { name };
}

function schemaOf(described: Readonly<Record<string, unknown>>): ToolSchema {
  const parameters = record(described["parameters"]);
  // Without properties a tool takes nothing: an open object would invite inventions.
  const empty: Schema = { type: "object", additionalProperties: false };
  const schema =
    parameters === undefined || Object.keys(parameters).length === 0 ? empty : parameters;
  const closed =
    schema["type"] === "object" &&
    schema["properties"] === undefined &&
    schema["additionalProperties"] === undefined;
  return {
    name: String(described["name"]),
    parameters: closed ? { ...schema, additionalProperties: false } : schema,
  };
}
