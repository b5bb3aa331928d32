/** What is to be embedded: texts, ids or a chat, checked and turned into prompts. */
import { type Static, Type } from "typebox";
import { chatPrompt } from "../generation/chat-prompt.ts";
import { requestId } from "../generation/fields.ts";
import type { ChatMessage } from "../generation/messages.ts";
import {
  checkCharacters,
  idsPrompt,
  outputBudget,
  type Prompt,
  type TokenizeOptions,
  textPrompt,
} from "../generation/prompt.ts";
import { badRequest } from "../http/errors.ts";
import type { Serving } from "../serving.ts";
import type { Pooler } from "./pooler.ts";

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
  request_id: Type.Optional(requestId),
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

/** A prompt to pool, of one text or of two. */
export interface PoolingPrompt extends Prompt {
  /** Of a pair: where the second text begins. */
  readonly secondFrom?: number;
}

/** How the model's folder wants texts. */
type Reading = Pick<Pooler, "lowerCase">;

type Truncation = Pick<PoolingBody, "truncate_prompt_tokens" | "truncation_side">;

/** Inputs of one request: each is computed by itself. */
export const MOST_INPUTS = 4096;

/** Throws ApiError. */
export async function readInputs(
  serving: Serving,
  body: PoolingBody,
  reading: Reading,
): Promise<readonly Prompt[]> {
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
  checkCount(list.length, "input");
  return readTexts(serving, list, { ...reading, ...body });
}

/** The same of texts and ids alone. */
export async function readTexts(
  serving: Serving,
  list: readonly (string | readonly number[])[],
  how: Truncation & Reading & { readonly add_special_tokens?: boolean },
): Promise<readonly Prompt[]> {
  const options = tokenizing(how, how.add_special_tokens ?? true);
  const prompts: Prompt[] = [];
  for (const each of list) {
    const prompt =
      typeof each === "string"
        ? await readText(serving, cased(each, how), { ...options, whole: !how.truncation_side })
        : idsPrompt(each, serving, options);
    prompts.push(checked(prompt, serving));
  }
  return prompts;
}

/** `whole`: what the tokenizer sets around a text stays when the text is cut, as vLLM has it where no side is named. */
async function readText(
  serving: Serving,
  text: string,
  { whole, ...options }: TokenizeOptions & { readonly whole: boolean },
): Promise<Prompt> {
  const { tokenizer, maxModelLen } = serving;
  const prompt = await textPrompt(text, tokenizer, serving, options);
  const { truncate, addSpecialTokens } = options;
  const size = truncate === -1 ? maxModelLen : truncate;
  if (!whole || !addSpecialTokens || prompt.ids.length !== size) return prompt;
  const read = async (special: boolean) =>
    (await textPrompt(text, tokenizer, serving, { addSpecialTokens: special })).ids;
  const [all, bare] = [await read(true), await read(false)];
  const around = all.length - bare.length;
  const before = all.findIndex((_, at) => bare.every((id, index) => all[at + index] === id));
  if (around === 0 || before < 0 || size < around) return prompt;
  const kept = bare.subarray(0, size - around);
  const ids = Int32Array.of(
    ...all.subarray(0, before),
    ...kept,
    ...all.subarray(before + bare.length),
  );
  return { ...prompt, ids };
}

/** Pairs of texts, each as one prompt. Throws ApiError. */
export async function readPairs(
  serving: Serving,
  pairs: readonly (readonly [string, string])[],
  how: Truncation & Reading,
): Promise<readonly PoolingPrompt[]> {
  const { tokenizer, maxModelLen, modelConfig } = serving;
  const { truncate_prompt_tokens: truncate, truncation_side: side } = how;
  const apart = modelConfig["use_sep_token"] ?? modelConfig["use_pad_token"] ?? true;
  if (apart === false) {
    return readTexts(
      serving,
      pairs.map((pair) => pair.join("")),
      how,
    );
  }
  if (tokenizer?.encodePair === undefined) {
    throw badRequest("This model has no tokenizer that joins two texts.");
  }
  const most =
    typeof truncate === "number" ? (truncate === -1 ? maxModelLen : truncate) : undefined;
  const prompts: PoolingPrompt[] = [];
  for (const pair of pairs) {
    // As transformers: beside nothing a text stands alone.
    if (pair[1] === "") {
      prompts.push(...(await readTexts(serving, [pair[0]], how)));
      continue;
    }
    for (const text of pair) checkCharacters(text.length, tokenizer, serving);
    const [first, second] = pair.map((text) => cased(text, how)) as [string, string];
    const joined = await tokenizer.encodePair(first, second, side ? undefined : most);
    const { ids } = idsPrompt([...joined.ids], serving, tokenizing(how, true));
    const { secondFrom } = joined;
    // A cut from the left moves the second text forward.
    const moved = side === "left" ? joined.ids.length - ids.length : 0;
    const from = secondFrom === undefined ? {} : { secondFrom: Math.max(0, secondFrom - moved) };
    prompts.push({ ...checked({ ids, text: first }, serving), ...from });
  }
  return prompts;
}

/** Throws ApiError naming the field that has too many texts. */
export function checkCount(count: number, param: string): void {
  if (count <= MOST_INPUTS) return;
  throw badRequest(`${param} may hold ${MOST_INPUTS} texts at most, got ${count}.`, param);
}

function cased(text: string, { lowerCase }: Reading): string {
  return lowerCase ? text.toLowerCase() : text;
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
    truncateFrom: side ?? "right",
  };
}

function checked(prompt: Prompt, serving: Serving): Prompt {
  outputBudget(prompt, undefined, serving);
  return prompt;
}
