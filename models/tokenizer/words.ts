/** A model's words: its tokenizer or the one asked for, what its files say of it, its chat template. */
import { ModelConfigError } from "../config.ts";
import type { ChatTemplate, Tokenizer } from "../model.ts";
import { readJsonIfThere, resolveFolder } from "../weights/folder.ts";
import type { GgufMetadata } from "../weights/gguf/model.ts";
import { createChatTemplate, findChatTemplate, specialTokens } from "./chat-template.ts";
import { ggufTokenizer } from "./gguf.ts";
import { folderOf, loadTokenizer, readTokenizer } from "./tokenizer.ts";

/** That came with the weights. */
export interface OwnWords {
  readonly tokenizer: Tokenizer;
  readonly tokenizerConfig: Readonly<Record<string, unknown>>;
}

export interface Words {
  readonly tokenizer?: Tokenizer;
  /** Absent: there is neither a folder nor a file that could say. */
  readonly tokenizerConfig?: Readonly<Record<string, unknown>>;
  readonly chatTemplate?: ChatTemplate;
  /** The id that by the tokenizer's files ends a text. */
  readonly end?: number;
}

/** What is asked for in the model's own place: LoadOptions' keys. */
interface Asked {
  readonly tokenizer?: string;
  readonly chatTemplate?: string;
}

interface Own {
  /** Where the model's own tokenizer files are. */
  readonly folder: string | undefined;
  readonly words: OwnWords | undefined;
}

export function readWords(own: Own, asked: Asked): Words {
  const { folder, tokenizer, tokenizerConfig } = tokenizerOf(own, asked);
  const some = folder !== undefined || tokenizerConfig !== undefined;
  const template =
    some || asked.chatTemplate !== undefined
      ? findChatTemplate(folder, tokenizerConfig ?? {}, asked.chatTemplate)
      : undefined;
  const word = specialTokens(tokenizerConfig ?? {})["eos_token"];
  const end = word === undefined ? undefined : tokenizer?.id(word);
  return {
    ...(tokenizer && { tokenizer }),
    ...(tokenizerConfig && { tokenizerConfig }),
    ...(template && { chatTemplate: createChatTemplate(template) }),
    ...(end !== undefined && { end }),
  };
}

/** By a GGUF file's metadata; undefined: it has no tokenizer. */
export function wordsOfGguf(words: GgufMetadata, path: string): OwnWords | undefined {
  const described = ggufTokenizer(words);
  if (described === undefined) return undefined;
  const { file, config } = described;
  return { tokenizer: readTokenizer(file, path, { config }), tokenizerConfig: config };
}

/** The tokenizer that was asked for, else the model's own. */
function tokenizerOf(
  { folder: own, words }: Own,
  asked: Asked,
): Pick<Words, "tokenizer" | "tokenizerConfig"> & { readonly folder?: string } {
  if (asked.tokenizer === undefined && words !== undefined) return words;
  const given = asked.tokenizer === undefined ? undefined : resolveFolder(asked.tokenizer);
  const folder = given === undefined ? own : folderOf(given);
  if (folder === undefined) return {};
  const tokenizerConfig = readTokenizerConfig(folder);
  const tokenizer = loadTokenizer(given ?? folder, tokenizerConfig);
  if (given !== undefined && !tokenizer)
    throw new ModelConfigError(`${given}: expected a folder with a tokenizer.json, or such a file`);
  return { folder, tokenizerConfig, ...(tokenizer && { tokenizer }) };
}

/** tokenizer_config.json; special_tokens_map.json fills what it leaves out. */
function readTokenizerConfig(folder: string): Record<string, unknown> {
  return {
    ...readJsonIfThere(folder, "special_tokens_map.json"),
    ...readJsonIfThere(folder, "tokenizer_config.json"),
  };
}
