/**
 * Which tokenizer.json files the native package may read inside this process. Its
 * regular expressions backtrack, and where one match needs 10^7 retries the package
 * aborts the process; no handler catches that. So a file is trusted only where every
 * part is of a kind looked at here and every pattern is a published one, to the
 * letter: those take at most two retries a character (text-limits.ts bounds the
 * characters). All others run in a process of their own (encoder-process.ts).
 */
import { isObject } from "../config.ts";

const raw = String.raw;

/** Words of the o200k family: capitals, then small letters; `ends` are contractions. */
const caseAware = (ends: string): string =>
  raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+${ends}|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*${ends}`;
const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SPACES = raw`\s*[\r\n]+|\s+(?!\S)|\s+`;

/** Split patterns of published tokenizers, as their files spell them. */
const PATTERNS: ReadonlySet<string> = new Set([
  // GPT-2, Falcon, StarCoder, GPT-NeoX
  raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  raw`'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  // Llama 3, GLM 4, SmolLM3
  raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|${SPACES}`,
  // Qwen 2 to 3, MiniMax
  raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|${SPACES}`,
  raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]+[\r\n]*|${SPACES}`,
  // Qwen 3.5
  raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|${SPACES}`,
  // cl100k: OLMo 2, DBRX, Phi-4
  raw`${CONTRACTIONS}|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
  raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
  // o200k: gpt-oss, GPT-4o
  raw`${caseAware(`${CONTRACTIONS}?`)}|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${SPACES}`,
  // Mistral's tekken
  raw`${caseAware("")}|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${SPACES}`,
  // DeepSeek LLM, and V3 with the line ends as they are in its file
  "[\r\n]",
  raw`\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+`,
  raw`\s?[!-/:-~！-／：-～‘-‟　-。]+`,
  raw`\s+$`,
  "[一-龥ࠀ-一가-퟿]+",
  raw`\s?\p{L}+`,
  raw`\s?\p{P}+`,
  raw`\p{N}`,
  raw`\p{N}{1,3}`,
  "[一-龥぀-ゟ゠-ヿ]+",
  ...[raw`\r\n`, "\r\n"].map(
    (ends) =>
      raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_${"`"}{|}~][A-Za-z]+|[^${ends}\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[${ends}]*|\s*[${ends}]+|\s+(?!\S)|\s+`,
  ),
  // Falcon's digits; BLOOM
  "[0-9][0-9][0-9]",
  raw` ?[^(\s|[.,!?…。，、।۔،])]+`,
]);

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
