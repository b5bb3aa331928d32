/**
 * Which tokenizer.json files the native package may read inside this process. Its
 * regular expressions backtrack, and where one match needs 10^7 retries the package
 * aborts the process; no handler catches that. So a file is trusted only where every
 * part is of a kind looked at here and every pattern is a published one, to the
 * letter: those take at most two retries a character (text-limits.ts bounds the
 * characters). All others run in a process of their own (encoder-process.ts).
 */
import { isObject } from "../config.ts";
import { PATTERNS } from "./patterns.ts";

type Part = Readonly<Record<string, unknown>>;

/** Characters that one replaced or prepended piece may have: more would multiply a text. */
const MAX_CONTENT = 8;
/** Special tokens around a text; longest word of WordPiece, whose search is quadratic in it. */
const MAX_SPECIAL = 32;
const MAX_WORD = 200;

/** Why a file is not trusted in this process, or undefined: it is. */
export function distrusted(file: Part): string | undefined {
  return (
    part(file["normalizer"], "normalizer", NORMALIZERS) ??
    part(file["pre_tokenizer"], "pre_tokenizer", PRE_TOKENIZERS) ??
    model(file["model"]) ??
    added(file["added_tokens"]) ??
    after(file["post_processor"])
  );
}

type Check = (part: Part) => string | undefined;

const fine: Check = () => undefined;

const NORMALIZERS: Readonly<Record<string, Check>> = {
  Sequence: ({ normalizers }) => all(normalizers, "normalizer", NORMALIZERS),
  NFC: fine,
  NFD: fine,
  NFKC: fine,
  NFKD: fine,
  Lowercase: fine,
  StripAccents: fine,
  BertNormalizer: fine,
  Prepend: ({ prepend }) => short(prepend),
  Replace: ({ pattern, content }) => split(pattern) ?? short(content),
};

const PRE_TOKENIZERS: Readonly<Record<string, Check>> = {
  Sequence: ({ pretokenizers }) => all(pretokenizers, "pre_tokenizer", PRE_TOKENIZERS),
  ByteLevel: fine,
  Digits: fine,
  Metaspace: fine,
  Whitespace: fine,
  WhitespaceSplit: fine,
  Punctuation: fine,
  BertPreTokenizer: fine,
  Split: ({ pattern }) => split(pattern),
};

function part(
  value: unknown,
  what: string,
  kinds: Readonly<Record<string, Check>>,
): string | undefined {
  if (value === undefined || value === null) return undefined;
  const type = isObject(value) ? String(value["type"]) : typeof value;
  const check = Object.hasOwn(kinds, type) ? kinds[type] : undefined;
  if (check === undefined || !isObject(value)) return `the ${what} "${type}"`;
  return check(value);
}

/** Sequences in sequences are as deep as a file likes: one level is what files have. */
function all(
  list: unknown,
  what: string,
  kinds: Readonly<Record<string, Check>>,
): string | undefined {
  if (!Array.isArray(list) || list.length > MAX_SPECIAL) return `the list of its ${what}s`;
  for (const each of list) {
    if (isObject(each) && each["type"] === "Sequence") return `a ${what} in a ${what}`;
    const why = part(each, what, kinds);
    if (why !== undefined) return why;
  }
  return undefined;
}

function split(pattern: unknown): string | undefined {
  if (!isObject(pattern)) return "a pattern of no kind";
  const { String: text, Regex: regex } = pattern;
  if (typeof text === "string") return text === "" ? "an empty pattern" : undefined;
  return typeof regex === "string" && PATTERNS.has(regex)
    ? undefined
    : `the pattern ${JSON.stringify(String(regex).slice(0, 80))}`;
}

function short(content: unknown): string | undefined {
  return typeof content === "string" && content.length <= MAX_CONTENT
    ? undefined
    : "a replacement of many characters";
}

function model(value: unknown): string | undefined {
  if (!isObject(value)) return "the model";
  const { type = "BPE", dropout, max_input_chars_per_word: longest = 100 } = value;
  if (type === "BPE") return dropout === undefined || dropout === null ? undefined : "its dropout";
  if (type === "WordPiece") {
    return typeof longest === "number" && longest <= MAX_WORD ? undefined : "the length of words";
  }
  return type === "WordLevel" ? undefined : `the model "${type}"`;
}

/** A token that takes the white space before it searches the text from its beginning each time. */
function added(list: unknown): string | undefined {
  if (!Array.isArray(list)) return undefined;
  return list.some((token) => isObject(token) && token["lstrip"] === true)
    ? "an added token with lstrip"
    : undefined;
}

function after(value: unknown, depth = 0): string | undefined {
  if (!isObject(value)) return undefined;
  const { type, single, processors } = value;
  if (type === "TemplateProcessing") {
    return Array.isArray(single) && single.length <= MAX_SPECIAL ? undefined : "the post_processor";
  }
  if (type === "Sequence" && depth === 0 && Array.isArray(processors)) {
    return processors.reduce<string | undefined>((why, one) => why ?? after(one, 1), undefined);
  }
  const plain = type === "ByteLevel" || type === "BertProcessing" || type === "RobertaProcessing";
  return plain ? undefined : `the post_processor "${type}"`;
}
