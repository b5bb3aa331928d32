/**
 * A file of questions, one JSON object a line: what is asked, and what a right answer is.
 *
 *     {"id": "a1", "prompt": "The capital of Italy is", "expect": {"text": "Rome"}}
 *     {"prompt": "Is a whale a fish? Answer yes or no.", "expect": {"choice": "no", "choices": ["yes", "no"]}}
 *     {"prompt": "Tom is 7. Write it as JSON.", "response_format": {…}, "expect": {"json": {"age": 7}}}
 *     {"messages": […], "tools": […], "expect": {"call": {"name": "get_weather", "arguments": {"city": "Rome"}}}}
 *
 * `prompt` is one user's message; with `"raw": true` it is a text to go on with. All other fields go
 * into the request as they are.
 */
import { UsageError } from "../../usage.ts";

type Fields = Readonly<Record<string, unknown>>;

export type Expected =
  /** The answer begins with it; case and blanks do not count. */
  | { readonly kind: "text"; readonly text: string }
  /** Found in the answer. */
  | { readonly kind: "regex"; readonly regex: RegExp }
  /** The first of the choices that the answer names is this one. */
  | { readonly kind: "choice"; readonly choice: string; readonly choices: readonly string[] }
  /** The answer is JSON; of an object these fields are so, among others. */
  | { readonly kind: "json"; readonly json: unknown }
  /** A tool is called by this name, with these arguments among others. */
  | { readonly kind: "call"; readonly name: string; readonly args: unknown };

export interface EvalItem {
  readonly id: string;
  readonly path: "/v1/chat/completions" | "/v1/completions";
  /** Without model and streaming. */
  readonly body: Fields;
  readonly expect: Expected;
}

/** Throws UsageError that names the line. */
export function readItems(text: string): readonly EvalItem[] {
  const items = text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      return [itemOf(JSON.parse(line) as unknown, index + 1)];
    } catch (error) {
      throw new UsageError(`Line ${index + 1}: ${(error as Error).message}`); // JSON and the checks throw Errors
    }
  });
  const ids = new Set<string>();
  for (const { id } of items) {
    if (ids.has(id)) throw new UsageError(`The id "${id}" stands twice.`);
    ids.add(id);
  }
  if (items.length === 0) throw new UsageError("The file asks nothing.");
  return items;
}

function itemOf(value: unknown, line: number): EvalItem {
  const { id, prompt, raw, expect, ...rest } = fieldsOf(value, "the line");
  const expected = expectedOf(fieldsOf(expect, "expect"));
  const named = { id: id === undefined ? String(line) : String(id), expect: expected };
  if (raw === true) {
    if (typeof prompt !== "string") throw new Error("raw needs a prompt");
    return { ...named, path: "/v1/completions", body: { ...rest, prompt } };
  }
  const messages =
    rest["messages"] ??
    (typeof prompt === "string" ? [{ role: "user", content: prompt }] : undefined);
  if (!Array.isArray(messages)) throw new Error("it has neither a prompt nor messages");
  return { ...named, path: "/v1/chat/completions", body: { ...rest, messages } };
}

function expectedOf(expect: Fields): Expected {
  const { text, regex, choice, choices, json, call } = expect;
  if (typeof text === "string") return { kind: "text", text };
  if (typeof regex === "string") return { kind: "regex", regex: new RegExp(regex) };
  if (typeof choice === "string") {
    const all = Array.isArray(choices) ? choices.map(String) : [];
    if (!all.includes(choice)) throw new Error("expect.choices must hold expect.choice");
    return { kind: "choice", choice, choices: all };
  }
  if (json !== undefined) return { kind: "json", json };
  const { name, arguments: args } = fieldsOf(call, "expect.text, regex, choice, json or call");
  if (typeof name !== "string") throw new Error("expect.call.name must be a name");
  return { kind: "call", name, args };
}

function fieldsOf(value: unknown, where: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${where} must be an object`);
  }
  return value as Fields; // an object by the line above
}
