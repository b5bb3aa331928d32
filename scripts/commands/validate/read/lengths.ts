/** The words of `input_len` and `output_len` → tokens. */
import { COUNT, countOf, Words } from "./words.ts";

/** A data set's prompts and answers, tokens. */
interface DataSet {
  readonly prompt: number;
  readonly output: number;
  readonly promptSpread: number;
  readonly outputSpread: number;
}

/**
 * Means of the data sets of `vllm bench serve`: its documentation prints 1,000 ShareGPT prompts of
 * 217,393 tokens and 185,616 of answers (lengths spread as wide as their mean); sonnet's defaults
 * are 550 and 150.
 */
const SHARE_GPT: DataSet = { prompt: 217, output: 186, promptSpread: 216, outputSpread: 185 };
const SONNET: DataSet = { prompt: 550, output: 150, promptSpread: 0, outputSpread: 0 };

export interface Length {
  /** Tokens, when told. */
  readonly tokens: number | undefined;
  /** The number after `+/-`, which each client means in its own way. */
  readonly spread: number | undefined;
  /** Half-width of a data set's lengths. */
  readonly setSpread: number | undefined;
  /** Sequence length compiled for. */
  readonly compiled: number | undefined;
  /** Prompt bucket compiled for. */
  readonly bucket: number | undefined;
  /** Lengths are llmperf's. */
  readonly llmperf: boolean;
  /** A prompt is there, but not its length: a question, an image. */
  readonly vague: "short" | "image" | undefined;
}

const COMPILED = new RegExp(
  String.raw`(?:seq(?:uence)?[\s_-]*len(?:gth)?|n_positions|max[\s_-]*(?:model[\s_-]*)?(?:len(?:gth)?|context))\s*[=:]?\s*(${COUNT})`,
  "i",
);
const BUCKET = new RegExp(
  String.raw`(${COUNT})\s*-?(?:tokens?\s+)?buckets?|(?:buckets?|padded to)\s*(?:of|=|:)?\s*(${COUNT})`,
  "i",
);
const SPREAD = new RegExp(String.raw`(?:\+/-|±|\+-)\s*(${COUNT})`);

export function readLength(column: "input_len" | "output_len", text: string): [Length, Words] {
  const words = new Words(column, text);
  // "8192 (8K)" says it twice; "8K/1K" says the answer's length too; "448x448" is an image's.
  const twice = new RegExp(`^\\s*(${COUNT})\\s*\\((${COUNT})\\)\\s*$`).exec(text);
  if (twice !== null && countOf(twice[1]) === countOf(twice[2])) words.take(/\(.*\)/);
  words.take(new RegExp(`(?<=^\\s*${COUNT})\\s*/\\s*${COUNT}\\s*$`));
  words.takes(/\b\d+\s?x\s?\d+\b/i);
  const compiled = words.count(COMPILED);
  const bucket = words.count(BUCKET);
  words.takes(/\bbucketed\b|\bpadded\b/i);
  const spread = words.count(SPREAD);
  const llmperf = words.takes(/\bllmperf\b/i);
  const set = words.takes(/\bshare\s?gpt\b/i)
    ? SHARE_GPT
    : words.takes(/\bsonnet\b/i)
      ? SONNET
      : undefined;
  words.takes(/\b(?:random|synthetic|emulated)(?: data| prompts?| tokens?)?\b/i);
  const image = words.takes(/\b(?:images?|pictures?|vision|video|audio|multimodal)\b/i);
  const short = words.takes(
    /\b(?:chat|short|simple|single|text|question|default|warm-?up)\b(?:\s+(?:prompts?|questions?|inputs?))?/i,
  );
  const told = words.count(new RegExp(`(${COUNT})`));
  words.takes(
    /\b(?:tokens?|toks?|tok|avg|average|mean|median|max|up to|nominal|input|output|prompts?|new|generated|ignore[_ ]eos|eos|context|length|len|isl|osl|fixed|dataset|words)\b/i,
  );
  words.takes(/[~≈]/);
  const ofSet = column === "input_len" ? set?.prompt : set?.output;
  const setSpread = column === "input_len" ? set?.promptSpread : set?.outputSpread;
  return [
    {
      tokens: told ?? ofSet,
      spread,
      setSpread: told === undefined ? setSpread : undefined,
      compiled,
      bucket,
      llmperf,
      vague: image ? "image" : short ? "short" : undefined,
    },
    words,
  ];
}
