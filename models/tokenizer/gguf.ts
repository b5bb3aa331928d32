/**
 * The tokenizer that a GGUF file describes, as a tokenizer.json and a tokenizer_config.json:
 * byte-level BPE ("gpt2"), whose splitting the file only names, and SentencePiece's ("llama"),
 * whose merges follow from its scores.
 */
import { type ConfigReader, ModelConfigError } from "../config.ts";
import type { GgufMetadata } from "../weights/gguf/model.ts";
import { PRE_TOKENIZERS } from "./gguf-pre.ts";
import { mergesByScore } from "./merges.ts";

export interface GgufTokenizer {
  /** The text of a tokenizer.json. */
  readonly file: string;
  /** As tokenizer_config.json has it: template, tokens that begin and end a text. */
  readonly config: Readonly<Record<string, unknown>>;
}

const key = (name: string): string => `tokenizer.ggml.${name}`;

/** Kinds of tokens, as GGUF numbers them. */
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;
const BYTE = 6;

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly kinds: ArrayLike<number>;
  readonly scores: ArrayLike<number>;
}

/** Undefined: the file has none. Throws ModelConfigError that names the key. */
export function ggufTokenizer(words: GgufMetadata): GgufTokenizer | undefined {
  const { metadata } = words;
  if (!metadata.has(key("model")) || metadata.string(key("model")) === "none") return undefined;
  const model = metadata.choice(key("model"), ["gpt2", "llama"]);
  const vocabulary = vocabularyOf(words);
  const parts = model === "gpt2" ? byteLevel(words, vocabulary) : sentencePiece(words, vocabulary);
  const ends = endsOf(metadata, vocabulary, parts.begins);
  return {
    file: JSON.stringify({
      version: "1.0",
      added_tokens: addedTokens(metadata, vocabulary),
      ...parts.file,
      post_processor: ends.processor,
    }),
    config: {
      ...ends.tokens,
      ...(metadata.has("tokenizer.chat_template") && {
        chat_template: metadata.string("tokenizer.chat_template"),
      }),
    },
  };
}

function vocabularyOf({ metadata, strings, numbers }: GgufMetadata): Vocabulary {
  const tokens = strings(key("tokens")) ?? metadata.fail(key("tokens"), "a list of strings");
  const list = (name: string, otherwise: number): ArrayLike<number> => {
    const found = numbers(key(name));
    if (found === undefined) return new Array<number>(tokens.length).fill(otherwise);
    return found.length < tokens.length
      ? metadata.fail(key(name), `a list of ${tokens.length} numbers`)
      : found;
  };
  return { tokens, kinds: list("token_type", 1), scores: list("scores", 0) };
}

/** What every text passes, and whether a file of the kind begins texts where it does not say. */
interface Parts {
  readonly begins: boolean;
  readonly file: Readonly<Record<string, unknown>>;
}

function byteLevel({ metadata, strings }: GgufMetadata, { tokens, kinds }: Vocabulary): Parts {
  const name = metadata.string(key("pre"));
  const pre = Object.hasOwn(PRE_TOKENIZERS, name) ? PRE_TOKENIZERS[name] : undefined;
  if (pre === undefined)
    throw new ModelConfigError(
      `${metadata.file}: key "${key("pre")}" says "${name}", which is not known (${Object.keys(PRE_TOKENIZERS).join(", ")} are); give the model's own tokenizer by --tokenizer`,
    );
  const merges = strings(key("merges")) ?? metadata.fail(key("merges"), "a list of strings");
  const vocab: Record<string, number> = {};
  for (const [id, token] of tokens.entries())
    if (kinds[id] !== CONTROL && kinds[id] !== UNUSED) vocab[token] = id;
  return {
    begins: pre.begins ?? false,
    file: {
      normalizer: pre.normalizer === undefined ? null : { type: pre.normalizer },
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          ...pre.steps,
          { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: pre.words },
          ...(pre.after ?? []),
        ],
      },
      decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: "BPE",
        ignore_merges: pre.wholeFirst ?? false,
        vocab,
        merges: merges.map((merge) => pairOf(merge)),
      },
    },
  };
}

/** The first space after the first character parts them. */
function pairOf(merge: string): readonly [string, string] {
  const at = merge.indexOf(" ", 1);
  return [merge.slice(0, at), merge.slice(at + 1)];
}

function sentencePiece({ metadata }: GgufMetadata, vocabulary: Vocabulary): Parts {
  const { tokens, kinds } = vocabulary;
  const prefixed = metadata.boolean(key("add_space_prefix"), true);
  const vocab: Record<string, number> = {};
  for (const [id, token] of tokens.entries()) if (kinds[id] !== UNUSED) vocab[token] = id;
  const unknown = tokens[metadata.integer(key("unknown_token_id"), 0, 0)];
  const replace = (from: string, to: string) => ({
    type: "Replace",
    pattern: { String: from },
    content: to,
  });
  return {
    begins: true,
    file: {
      normalizer: {
        type: "Sequence",
        normalizers: [...(prefixed ? [{ type: "Prepend", prepend: "▁" }] : []), replace(" ", "▁")],
      },
      pre_tokenizer: null,
      decoder: {
        type: "Sequence",
        decoders: [
          replace("▁", " "),
          { type: "ByteFallback" },
          { type: "Fuse" },
          ...(prefixed ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
        ],
      },
      model: {
        type: "BPE",
        ...(unknown !== undefined && { unk_token: unknown }),
        fuse_unk: true,
        byte_fallback: Array.from(kinds).includes(BYTE),
        vocab,
        merges: mergesByScore(vocabulary),
      },
    },
  };
}

/** Tokens that are cut out of a text before anything else. */
function addedTokens(metadata: ConfigReader, { tokens, kinds }: Vocabulary): readonly object[] {
  const unknown = metadata.optionalInteger(key("unknown_token_id"), 0);
  // Phi-3's take the white space behind them, which no key says.
  const strips =
    /phi-?3/i.test(metadata.string("general.architecture", "")) &&
    metadata.string(key("model")) === "llama";
  return tokens.flatMap((content, id) => {
    const special = kinds[id] === CONTROL || id === unknown;
    if ((!special && kinds[id] !== USER_DEFINED) || content === "") return [];
    return {
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: strips && !["<unk>", "<s>", "<|endoftext|>"].includes(content),
      normalized: false,
      special,
    };
  });
}

interface TextEnds {
  /** What a BPE file has after its model: the tokens around a text. */
  readonly processor: object;
  readonly tokens: Readonly<Record<string, string>>;
}

function endsOf(metadata: ConfigReader, { tokens }: Vocabulary, begins: boolean): TextEnds {
  const named = (name: string): { readonly id: number; readonly token: string } | undefined => {
    const id = metadata.optionalInteger(key(`${name}_token_id`), 0);
    const token = id === undefined ? undefined : tokens[id];
    return id === undefined || token === undefined ? undefined : { id, token };
  };
  const [begin, end] = [named("bos"), named("eos")];
  const before = metadata.boolean(key("add_bos_token"), begins) ? begin : undefined;
  const after = metadata.boolean(key("add_eos_token"), false) ? end : undefined;
  const around = [before, after].flatMap((one) => one ?? []);
  const part = (one: { readonly token: string } | undefined) =>
    one === undefined ? [] : [{ SpecialToken: { id: one.token, type_id: 0 } }];
  const single = [...part(before), { Sequence: { id: "A", type_id: 0 } }, ...part(after)];
  return {
    processor: {
      type: "TemplateProcessing",
      single,
      pair: [...single, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: Object.fromEntries(
        around.map(({ id, token }) => [token, { id: token, ids: [id], tokens: [token] }]),
      ),
    },
    tokens: {
      ...(begin && { bos_token: begin.token }),
      ...(end && { eos_token: end.token }),
    },
  };
}
