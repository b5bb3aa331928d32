/** What is to be embedded: texts, ids or a chat, checked and turned into prompts. */
import { type Static, Type } from "typebox";
import { chatPrompt } from "../generation/chat-prompt.ts";
import {
  idsPrompt,
  outputBudget,
  type Prompt,
  type TokenizeOptions,
  textPrompt,
} from "../generation/prompt.ts";
import { badRequest } from "../http/errors.ts";
import type { ChatMessage } from "../openai/chat/schema.ts";
import type { Serving } from "../serving.ts";

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) =>
  Type.Optional(Type.Union([type, Type.Null()]));

const text = Type.String();
const ids = Type.Array(Type.Integer());

/** Fields that all pooling routes have. */
export const poolingFields = {
  model: nullable(Type.String()),
  user: nullable(Type.String()),
  truncate_prompt_tokens: nullable(Type.Integer({ minimum: -1 })),
  truncation_side: nullable(Type.Enum(["left", "right"])),
  request_id: Type.Optional(Type.String()),
  priority: Type.Optional(Type.Integer()),
  cache_salt: nullable(Type.String()),
  use_activation: nullable(Type.Boolean()),
};

/** Fields of the routes that take one list of texts. */
export const inputFields = {
  input: Type.Optional(Type.Union([text, Type.Array(text), ids, Type.Array(ids)])),
  messages: Type.Optional(Type.Array(Type.Object({ role: Type.String() }), { minItems: 1 })),
  add_special_tokens: Type.Optional(Type.Boolean()),
  add_generation_prompt: Type.Optional(Type.Boolean()),
  continue_final_message: Type.Optional(Type.Boolean()),
  chat_template: nullable(Type.String()),
  chat_template_kwargs: nullable(Type.Record(Type.String(), Type.Unknown())),
};

const fields = Type.Object({ ...poolingFields, ...inputFields });
export type PoolingBody = Static<typeof fields>;

type Truncation = Pick<PoolingBody, "truncate_prompt_tokens" | "truncation_side">;

/** Inputs of one request: each is computed by itself. */
const MOST_INPUTS = 4096;

/** Throws ApiError. */
export async function readInputs(serving: Serving, body: PoolingBody): Promise<readonly Prompt[]> {
  if ("normalize" in body) {
    const message = "Parameter `normalize` was removed; use `use_activation` instead.";
    throw badRequest(message, "normalize");
  }
  const { input, messages } = body;
  if (messages !== undefined) {
    const options = tokenizing(body, body.add_special_tokens ?? false);
    const chat = {
      ...body,
      // Shapes of messages are checked where they are rendered.
      messages: messages as readonly ChatMessage[],
      add_generation_prompt: body.add_generation_prompt ?? false,
    };
    return [
      checked(
        await chatPrompt(serving, chat as Parameters<typeof chatPrompt>[1], {
          plan: {},
          tokenize: options,
        }),
        serving,
      ),
    ];
  }
  if (input === undefined) throw badRequest("Either input or messages must be given.", "input");
  const list: readonly (string | readonly number[])[] =
    typeof input === "string" ? [input] : isIds(input) ? [input] : input;
  if (list.length === 0) throw badRequest("You must pass at least one prompt");
  return readTexts(serving, list, body, body.add_special_tokens ?? true);
}

/** The same of texts and ids alone. */
export async function readTexts(
  serving: Serving,
  list: readonly (string | readonly number[])[],
  body: Truncation,
  addSpecialTokens = true,
): Promise<readonly Prompt[]> {
  if (list.length > MOST_INPUTS)
    throw badRequest(`input must be ${MOST_INPUTS} texts at most.`, "input");
  const options = tokenizing(body, addSpecialTokens);
  const prompts: Prompt[] = [];
  for (const each of list) {
    const prompt =
      typeof each === "string"
        ? await textPrompt(each, serving.tokenizer, serving, options)
        : idsPrompt(each, serving, options);
    prompts.push(checked(prompt, serving));
  }
  return prompts;
}

function isIds(input: readonly unknown[]): input is readonly number[] {
  return input.length > 0 && typeof input[0] === "number";
}

function tokenizing(body: Truncation, addSpecialTokens: boolean): TokenizeOptions {
  const { truncate_prompt_tokens: truncate, truncation_side: side } = body;
  return {
    addSpecialTokens,
    outputKept: 0,
    ...(typeof truncate === "number" && { truncate }),
    ...(side && { truncateFrom: side }),
  };
}

function checked(prompt: Prompt, serving: Serving): Prompt {
  outputBudget(prompt, undefined, serving);
  return prompt;
}
