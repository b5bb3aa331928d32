/**
 * What a program gives to the library, read by the schemas of the routes: types are not
 * there when a program runs, and the engine takes what it is given. Throws ApiError.
 */
import { SAMPLING_FIELDS, type SamplingFields } from "./generation/fields.ts";
import type { ChatMessage } from "./generation/messages.ts";
import { badRequest } from "./http/errors.ts";
import { PyNumber } from "./http/shape/python.ts";
import { type Checked, shapeCheck } from "./http/validation.ts";
import { chatRequest } from "./openai/chat/schema.ts";
import { completionRequest } from "./openai/completions/schema.ts";

/** Text, or token ids. */
export type PromptInput = string | readonly number[];

export type OneOrMore<T> = T | readonly T[];

/** Sampling fields, and what a library asks beside them. */
export interface LibraryFields extends SamplingFields, Readonly<Record<string, unknown>> {
  readonly max_tokens?: number | null | undefined;
  readonly logprobs?: number | null | undefined;
}

const KNOWN: ReadonlySet<string> = new Set([...SAMPLING_FIELDS, "max_tokens", "logprobs"]);

const completionShape = shapeCheck(completionRequest);
const chatShape = shapeCheck(chatRequest);

function read(checked: Checked): unknown {
  if ("error" in checked) throw checked.error;
  return checked.value;
}

/** By the names of requests. */
export function samplingFields(options: object): LibraryFields {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const fields: Record<string, unknown> = {};
  for (const [name, value] of given) {
    const field = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (!KNOWN.has(field)) throw badRequest(`Unexpected keyword argument '${name}'`);
    fields[field] = typeof value === "bigint" ? new PyNumber(String(value), false) : value;
  }
  const { prompt: _, ...checked } = read(completionShape({ ...fields, prompt: "any" })) as Record<
    string,
    unknown
  >; // an object, by the schema
  return checked as LibraryFields; // its names are known, their values of the schema
}

export function promptList(
  prompts: OneOrMore<string> | readonly number[] | readonly PromptInput[],
): readonly PromptInput[] {
  const given: unknown = prompts;
  if (typeof given === "string") return [given];
  if (!Array.isArray(given)) throw notPrompt();
  const list: unknown[] = typeof given[0] === "number" ? [given] : given;
  return list.map((prompt) => {
    if (typeof prompt === "string") return prompt;
    if (Array.isArray(prompt) && prompt.every(Number.isInteger)) return prompt as number[];
    throw notPrompt();
  });
}

const notPrompt = () => badRequest("A prompt must be a text or a list of token ids.", "prompt");

export function conversationList(
  conversations: readonly ChatMessage[] | readonly (readonly ChatMessage[])[],
): readonly (readonly ChatMessage[])[] {
  const given: unknown = conversations;
  const many = Array.isArray(given) && Array.isArray(given[0]);
  const list: unknown[] = many ? given : [given];
  return list.map((messages) => {
    const fields = read(chatShape({ messages })) as { readonly messages: readonly ChatMessage[] }; // of the schema
    return fields.messages;
  });
}
