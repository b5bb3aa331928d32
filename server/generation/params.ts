/**
 * Request fields to SamplingParams: the defaults of the model's generation
 * config, then the checks of vLLM in vLLM's words. Shapes were checked by the
 * route's schema.
 */
import type { TokenId } from "../../device/device.ts";
import type { SamplingParams } from "../../engine/sequence.ts";
import type { GenerationDefaults } from "../../models/model.ts";
import { type Soon, soon } from "../../models/soon.ts";
import { badRequest, notSampled } from "../http/errors.ts";
import { pyFloat } from "../http/shape/python.ts";
import type { SamplingFields } from "./fields.ts";
import type { BeamOptions } from "./generate.ts";

/** Limits of vLLM's environment variables, at their defaults. */
const LIMITS = {
  sequences: 16_384, // VLLM_MAX_N_SEQUENCES
  badWords: 128, // VLLM_MAX_NUM_BAD_WORDS
  badWordCharacters: 100_000, // of all of them: each is tokenized twice
  logprobTokenIds: 128,
};

export interface SamplingContext {
  readonly defaults: GenerationDefaults;
  readonly vocabSize: number;
  readonly maxModelLen: number;
  /** −1: no limit. */
  readonly maxLogprobs: number;
  /** False: ids are not drawn from logits, so there are no log-probabilities. */
  readonly samples: boolean;
  /** Bad words as ids: each word as it stands at a start and after a space. */
  readonly encode?: (text: string) => Soon<Int32Array>;
}

/** What the endpoints spell differently. */
export interface SamplingRequest {
  readonly maxTokens: number;
  /** Wanted of each output position; absent: none. */
  readonly logprobs?: number;
  readonly promptLogprobs?: number;
}

export interface CheckedSampling {
  readonly n: number;
  readonly stop: readonly string[];
  readonly includeStop: boolean;
  readonly params: SamplingParams;
  /** Absent: ids are drawn. */
  readonly beams?: BeamOptions;
}

/** vLLM raises colder temperatures to this: below it softmax overflows in half precision. */
const LOWEST_TEMPERATURE = 0.01;

/** Throws ApiError 400, with vLLM's message where vLLM has one. */
export function samplingParams(
  fields: SamplingFields,
  request: SamplingRequest,
  context: SamplingContext,
): Soon<CheckedSampling> {
  const { defaults, vocabSize } = context;
  const drawn = drawing(fields, defaults);
  const minTokens = fields.min_tokens ?? 0;
  const { maxTokens, logprobs, promptLogprobs } = request;
  const stop = typeof fields.stop === "string" ? [fields.stop] : (fields.stop ?? []);
  checkDrawing(drawn);
  checkLengths(minTokens, maxTokens);
  checkLogprobs("sample", "logprobs", logprobs, context);
  checkLogprobs("prompt", "prompt_logprobs", promptLogprobs, context);
  if (stop.includes("")) throw badRequest("stop cannot contain an empty string.");
  const { n, temperature, topP, topK, minP } = drawn;
  const greedy = temperature === 0;
  if (greedy && n > 1) {
    throw badRequest(`n must be 1 when using greedy sampling, got ${n}.`);
  }
  // In the order of their complaints.
  const bias = logitBias(fields.logit_bias, vocabSize);
  const allowed = allowedIds(fields.allowed_token_ids, vocabSize);
  return soon(badWordIds(fields.bad_words, context), (badWords) => {
    const params = {
      maxTokens,
      minTokens,
      temperature: greedy ? 0 : Math.max(temperature, LOWEST_TEMPERATURE),
      topP: greedy ? 1 : topP,
      topK: greedy || topK === -1 ? 0 : topK,
      minP: greedy ? 0 : minP,
      repetitionPenalty: drawn.repetitionPenalty,
      presencePenalty: drawn.presencePenalty,
      frequencyPenalty: drawn.frequencyPenalty,
      logitBias: bias,
      badWords,
      stopTokenIds: stopIds(fields.stop_token_ids, vocabSize),
      eosTokenIds: defaults.eosTokenIds,
      ignoreEos: fields.ignore_eos ?? false,
    };
    const further = furtherParams(fields, request, { vocabSize, allowed });
    return {
      n,
      stop,
      includeStop: fields.include_stop_str_in_output ?? false,
      params: further === undefined ? params : { ...params, ...further },
    };
  });
}

/** What few requests ask for; undefined: nothing of it. */
function furtherParams(
  fields: SamplingFields,
  request: SamplingRequest,
  { vocabSize, allowed }: { readonly vocabSize: number; readonly allowed: Ids | undefined },
): Partial<SamplingParams> | undefined {
  const { seed, logprob_token_ids: named } = fields;
  const { logprobs, promptLogprobs } = request;
  const seeded = seed !== undefined && seed !== null && seed !== -1;
  const asked = (allowed ?? logprobs ?? promptLogprobs) !== undefined;
  if (!(seeded || asked || named?.length)) return undefined;
  return {
    ...(seeded && { seed }),
    ...(allowed !== undefined && { allowedTokenIds: allowed }),
    ...(logprobs !== undefined && {
      // Ids that were asked for by name come instead of the likeliest.
      logprobs: named?.length ? 0 : logprobs,
    }),
    ...logprobIds(named, request, vocabSize),
    ...(promptLogprobs !== undefined && { promptLogprobs }),
  };
}

/** How ids are drawn: what was asked for, else the model's defaults, else vLLM's. */
function drawing(fields: SamplingFields, defaults: GenerationDefaults) {
  return {
    n: fields.n ?? 1,
    temperature: fields.temperature ?? defaults.temperature ?? 1,
    topP: fields.top_p ?? defaults.topP ?? 1,
    topK: fields.top_k ?? defaults.topK ?? 0,
    minP: fields.min_p ?? defaults.minP ?? 0,
    repetitionPenalty: fields.repetition_penalty ?? defaults.repetitionPenalty ?? 1,
    presencePenalty: fields.presence_penalty ?? 0,
    frequencyPenalty: fields.frequency_penalty ?? 0,
  };
}

/** In vLLM's order. */
function checkDrawing(drawn: ReturnType<typeof drawing>): void {
  const { n, temperature, topP, topK, repetitionPenalty } = drawn;
  if (n < 1) throw badRequest(`n must be at least 1, got ${n}.`);
  if (n > LIMITS.sequences) {
    throw badRequest(
      `n must be at most ${LIMITS.sequences}, got ${n}. To increase this limit, set the VLLM_MAX_N_SEQUENCES environment variable.`,
    );
  }
  within("presence_penalty", drawn.presencePenalty, -2, 2);
  within("frequency_penalty", drawn.frequencyPenalty, -2, 2);
  finite("repetition_penalty", repetitionPenalty);
  if (repetitionPenalty <= 0) {
    throw badRequest(
      `repetition_penalty must be greater than zero, got ${pyFloat(repetitionPenalty)}.`,
    );
  }
  finite("temperature", temperature, "temperature");
  if (temperature < 0 || temperature > 2) {
    const range = temperature < 0 ? "non-negative" : "in [0, 2]";
    const given = pyFloat(temperature);
    throw badRequest(`temperature must be ${range}, got ${given}.`, "temperature", given);
  }
  if (!(topP > 0 && topP <= 1)) {
    throw badRequest(`top_p must be in (0, 1], got ${pyFloat(topP)}.`, "top_p", pyFloat(topP));
  }
  if (topK < -1) {
    throw badRequest(`top_k must be 0 (disable), or at least 1, got ${topK}.`);
  }
  within("min_p", drawn.minP, 0, 1);
}

function checkLengths(minTokens: number, maxTokens: number): void {
  if (maxTokens < 1) {
    throw badRequest(`max_tokens must be at least 1, got ${maxTokens}.`, "max_tokens", maxTokens);
  }
  if (minTokens < 0) {
    throw badRequest(`min_tokens must be greater than or equal to 0, got ${minTokens}.`);
  }
  if (minTokens > maxTokens) {
    throw badRequest(
      `min_tokens must be less than or equal to max_tokens=${maxTokens}, got ${minTokens}.`,
    );
  }
}

function finite(name: string, value: number, param?: string): void {
  if (Number.isFinite(value)) return;
  const given = pyFloat(value);
  throw badRequest(
    `${name} must be a finite number, got ${given}.`,
    param,
    param === undefined ? undefined : given,
  );
}

function within(name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high)) {
    throw badRequest(`${name} must be in [${low}, ${high}], got ${pyFloat(value)}.`);
  }
}

function checkLogprobs(
  kind: "sample" | "prompt",
  param: string,
  value: number | undefined,
  { maxLogprobs, vocabSize, samples }: SamplingContext,
): void {
  if (value === undefined) return;
  if (!samples) throw notSampled(param);
  if (value < -1) {
    throw badRequest(`${param} must be non-negative or -1, got ${value}.`, param, value);
  }
  const wanted = value === -1 ? vocabSize : value;
  if (maxLogprobs !== -1 && wanted > maxLogprobs) {
    throw badRequest(
      `Requested ${kind} logprobs of ${wanted}, which is greater than max allowed: ${maxLogprobs}`,
      param,
      wanted,
    );
  }
}

/** An id as Python reads one: digits of any script. */
const ID = /^\s*[+-]?\p{Nd}+(?:_\p{Nd}+)*\s*$/u;
const OTHER_DIGIT = /(?!\d)\p{Nd}/gu;
/** Of an integer Python reads no more; a pattern that repeats a group runs out of stack. */
const LONGEST_KEY = 4_300;
const NO_BIAS: ReadonlyMap<TokenId, number> = new Map();

function logitBias(
  given: Readonly<Record<string, number>> | null | undefined,
  vocabSize: number,
): ReadonlyMap<TokenId, number> {
  if (given === undefined || given === null) return NO_BIAS;
  const bias = new Map<TokenId, number>();
  const invalid: string[] = [];
  for (const [key, value] of Object.entries(given)) {
    if (key.length <= LONGEST_KEY && ID.test(key))
      bias.set(readId(key), Math.min(100, Math.max(-100, value)));
    else invalid.push(`'${key}'`);
  }
  if (invalid.length > 0) {
    const keys = listed(invalid);
    throw badRequest(
      `logit_bias contains key(s) that cannot be converted to integer token IDs: ${keys}`,
      "logit_bias",
      keys,
    );
  }
  inVocabulary("logit_bias", [...bias.keys()], vocabSize);
  return bias;
}

function readId(key: string): number {
  return Number(key.replaceAll("_", "").replaceAll(OTHER_DIGIT, plainDigit));
}

/** Scripts have their digits in order, and some blocks of ten stand side by side. */
function plainDigit(digit: string): string {
  const point = digit.codePointAt(0) ?? 0;
  let zero = point;
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
  return String((point - zero) % 10);
}

/** A Python list, cut where it is long. */
function listed(items: readonly unknown[]): string {
  return `[${items.slice(0, 20).join(", ")}]`;
}

type Ids = readonly number[];

function allowedIds(given: Ids | null | undefined, vocabSize: number): Ids | undefined {
  if (given === undefined || given === null) return undefined;
  if (given.length === 0) {
    throw badRequest("allowed_token_ids is not None and empty!", "allowed_token_ids", "[]");
  }
  const outside = given.filter((id) => id < 0 || id >= vocabSize);
  if (outside.length > 0) {
    throw badRequest(
      "allowed_token_ids contains out-of-vocab token id!",
      "allowed_token_ids",
      listed(outside),
    );
  }
  return distinct(given);
}

function stopIds(given: Ids | null | undefined, vocabSize: number): Ids {
  return given?.length ? distinct(inVocabulary("stop_token_ids", given, vocabSize)) : NO_IDS;
}

const NO_IDS: Ids = [];

/** Each once: what is looked at at every step is bounded by the vocabulary. */
function distinct(ids: Ids): Ids {
  return [...new Set(ids)];
}

function inVocabulary(name: string, ids: Ids, vocabSize: number): Ids {
  const outside = ids.filter((id) => id < 0 || id >= vocabSize);
  if (outside.length > 0) {
    throw badRequest(
      `token_id(s) ${listed(outside)} in ${name} contain out-of-vocab token ids. Vocabulary size: ${vocabSize}`,
      name,
      listed(outside),
    );
  }
  return ids;
}

function logprobIds(
  given: readonly number[] | null | undefined,
  request: SamplingRequest,
  vocabSize: number,
) {
  if (!given?.length) return {};
  if (request.logprobs === undefined) {
    throw badRequest(
      "when using `logprob_token_ids`, `logprobs` must be set to true.",
      "logprob_token_ids",
    );
  }
  if (given.length > LIMITS.logprobTokenIds) {
    throw badRequest(
      `Requested logprob_token_ids of length ${given.length}, which is greater than max allowed: ${LIMITS.logprobTokenIds}`,
      "logprob_token_ids",
      given.length,
    );
  }
  return { logprobTokenIds: inVocabulary("logprob_token_ids", given, vocabSize) };
}

/** As vLLM: a word is banned at the start of a text and after a space. */
function badWordIds(
  words: readonly string[] | null | undefined,
  context: SamplingContext,
): Soon<BadWords> {
  return words?.length ? encodedWords(words, context) : NO_WORDS;
}

type BadWords = SamplingParams["badWords"];
const NO_WORDS: BadWords = [];

async function encodedWords(
  words: readonly string[],
  { encode }: SamplingContext,
): Promise<BadWords> {
  if (encode === undefined) {
    throw badRequest("bad_words needs a tokenizer, which this model has not.", "bad_words");
  }
  if (words.includes("")) {
    const given = listed(words.map((word) => `'${word}'`));
    throw badRequest(`bad_words cannot contain an empty string. Got bad_words=${given}`);
  }
  const characters = words.reduce((sum, word) => sum + word.length, 0);
  if (characters > LIMITS.badWordCharacters) {
    throw badRequest(
      `bad_words have ${characters} characters together; at most ${LIMITS.badWordCharacters} are tokenized.`,
      "bad_words",
    );
  }
  if (words.some((word) => word.trimStart() === "")) {
    const given = listed(words.map((word) => `'${word}'`));
    throw badRequest("bad_words entries must tokenize to at least one token.", "bad_words", given);
  }
  const found: TokenId[][] = [];
  for (const word of words) {
    const bare = [...(await encode(word.trimStart()))];
    const spaced = [...(await encode(` ${word.trimStart()}`))];
    if (bare.length > 0) found.push(bare);
    if (spaced.length > 0 && spaced[0] !== bare[0] && spaced.length === bare.length) {
      found.push(spaced);
    }
    if (found.length > LIMITS.badWords) {
      throw badRequest(
        `Too many bad words after tokenization: ${found.length}. The max number is ${LIMITS.badWords}.`,
        "bad_words",
        listed(words.map((each) => `'${each}'`)),
      );
    }
  }
  return found;
}
