/**
 * Prompts: text to ids, and whether they fit. The engine is asked only for what
 * it can serve; what cannot fit is refused here with vLLM's messages.
 */
import type { Tokenizer } from "../../models/model.ts";
import { type Soon, soon } from "../../models/soon.ts";
import { badRequest } from "../http/errors.ts";

export interface Prompt {
  readonly ids: Int32Array;
  /** Absent: the prompt came as ids. */
  readonly text?: string;
}

export interface PromptLimits {
  readonly maxModelLen: number;
  /** Ids of a prompt are below it. */
  readonly promptVocabSize: number;
}

export interface TokenizeOptions {
  readonly addSpecialTokens: boolean;
  /** truncate_prompt_tokens; −1: to the context's length. */
  readonly truncate?: number;
  readonly truncateFrom?: "left" | "right";
  /** Of the context, tokens that −1 leaves for output. */
  readonly outputKept?: number;
}

export function textPrompt(
  text: string,
  tokenizer: Tokenizer | undefined,
  limits: PromptLimits,
  options: TokenizeOptions,
): Soon<Prompt> {
  if (tokenizer === undefined) {
    throw badRequest("This model has no tokenizer: send token ids as the prompt.", "prompt");
  }
  checkCharacters(text.length, tokenizer, limits);
  const { addSpecialTokens } = options;
  return soon(tokenizer.encode(text, { addSpecialTokens }), (ids) => {
    // A tokenizer may have tokens beyond the model's vocabulary: they cannot be embedded.
    checkIds(ids, limits);
    return { ids: truncate(ids, limits, options), text };
  });
}

export function idsPrompt(
  ids: readonly number[],
  limits: PromptLimits,
  options: Omit<TokenizeOptions, "addSpecialTokens">,
): Prompt {
  checkIds(ids, limits);
  return { ids: truncate(Int32Array.from(ids), limits, options) };
}

function checkIds(ids: readonly number[] | Int32Array, { promptVocabSize }: PromptLimits): void {
  const outside = ids.find((id) => id < 0 || id >= promptVocabSize);
  if (outside !== undefined) throw badRequest(`Token id ${outside} is out of vocabulary`);
}

/**
 * Output tokens that this prompt leaves room for: what was asked (`wanted`), cut to
 * the context. Throws what vLLM answers to a prompt that does not fit.
 */
export function outputBudget(
  { ids: { length }, text }: Prompt,
  wanted: number | undefined,
  {
    maxModelLen,
    param = "max_tokens",
  }: Pick<PromptLimits, "maxModelLen"> & { readonly param?: string },
): number {
  if (length === 0) throw badRequest("The decoder prompt cannot be empty");
  if (wanted !== undefined && wanted > maxModelLen) {
    throw badRequest(
      `${param}=${wanted} cannot be greater than max_model_len=${maxModelLen}. Please request fewer output tokens.`,
      param,
      wanted,
    );
  }
  if (length > maxModelLen) {
    // vLLM counts a text no further than that it is too long.
    const counted = text === undefined ? length : maxModelLen + 1;
    const least = counted === maxModelLen + 1 ? "at least " : "";
    throw badRequest(
      `This model's maximum context length is ${maxModelLen} tokens. However, your prompt contains ${least}${counted} input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt.`,
      "input_tokens",
      counted,
    );
  }
  return Math.min(wanted ?? maxModelLen, maxModelLen - length);
}

/**
 * Text so long that no tokenization of it fits is not tokenized at all, nor where it
 * would be truncated: tokenizing it first is the cost.
 */
export function checkCharacters(
  characters: number,
  tokenizer: Tokenizer,
  { maxModelLen }: Pick<PromptLimits, "maxModelLen">,
): void {
  if (characters <= maxModelLen) return;
  const most = maxModelLen * longestToken(tokenizer);
  if (characters <= most) return;
  throw badRequest(
    `This model's maximum context length is ${maxModelLen} tokens. However, your prompt contains ${characters} characters (more than ${most} characters, which is the upper bound for ${maxModelLen} input tokens). Please reduce the length of the input prompt.`,
    "input_text",
    characters,
  );
}

const longestTokens = new WeakMap<Tokenizer, number>();

/** Bytes of the longest token; no token spans more characters than bytes. */
function longestToken(tokenizer: Tokenizer): number {
  const known = longestTokens.get(tokenizer);
  if (known !== undefined) return known;
  let longest = 1;
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    longest = Math.max(longest, tokenizer.bytes(id).length);
  }
  longestTokens.set(tokenizer, longest);
  return longest;
}

function truncate(
  ids: Int32Array,
  { maxModelLen }: PromptLimits,
  { truncate: wanted, truncateFrom, outputKept = 0 }: Omit<TokenizeOptions, "addSpecialTokens">,
): Int32Array {
  if (wanted === undefined) return ids;
  if (wanted < -1) {
    throw badRequest(
      `truncate_prompt_tokens must be an integer >= -1, got ${wanted}.`,
      "truncate_prompt_tokens",
      wanted,
    );
  }
  if (wanted > maxModelLen) {
    throw badRequest(
      `truncate_prompt_tokens=${wanted} cannot be greater than max_model_len = ${maxModelLen}. Please request a smaller truncation size.`,
      "truncate_prompt_tokens",
      wanted,
    );
  }
  const size = wanted === -1 ? maxModelLen - outputKept : wanted;
  if (ids.length <= size) return ids;
  return truncateFrom === "right" ? ids.slice(0, size) : ids.slice(ids.length - size);
}
