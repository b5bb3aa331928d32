/**
 * Loads a model: a Hugging Face folder as users have it, a name in the hub's cache, or an
 * id of the catalogue, which is a config without weights. Weights are indexed and checked
 * here; devices read them.
 */
import { ConfigReader, ModelConfigError } from "./config.ts";
import { declaredFormat } from "./format.ts";
import type { GenerationDefaults, Model, Tokenizer } from "./model.ts";
import { describe, describeComputed, familyOf } from "./registry.ts";
import { createChatTemplate, findChatTemplate, specialTokens } from "./tokenizer/chat-template.ts";
import { folderOf, loadTokenizer } from "./tokenizer/tokenizer.ts";
import {
  checkpointFormat,
  checkWeights,
  hasCheckpoint,
  indexCheckpoint,
} from "./weights/checkpoint.ts";
import { locateModel, readJson, readJsonIfThere, resolveFolder } from "./weights/folder.ts";
import { unpackNames } from "./weights/packing.ts";
import { unreadWeights } from "./weights/unread.ts";

export interface LoadOptions {
  /** Folder of another tokenizer; absent: the model's own. */
  readonly tokenizer?: string;
  /** File of a chat template, or the template itself; absent: the tokenizer's own. */
  readonly chatTemplate?: string;
  /** Keys over those of config.json (`--hf-overrides`). */
  readonly config?: Readonly<Record<string, unknown>>;
}

/**
 * Throws ModelConfigError or CheckpointError that names the file, what was
 * expected and what was found.
 */
export async function loadModel(source: string, options: LoadOptions = {}): Promise<Model> {
  const files = locateModel(source);
  const config = { ...readJson(files.config), ...options.config };
  const reader = new ConfigReader(config, files.config);
  const { folder } = files;
  const unread =
    folder === undefined ? undefined : (unreadWeights(folder, reader) ?? pricedOnly(reader));
  const checkpoint =
    folder !== undefined && unread === undefined && hasCheckpoint(folder)
      ? unpackNames(indexCheckpoint(folder), reader)
      : undefined;
  const architecture = (checkpoint ? describeComputed : describe)(config, files.config);
  if (checkpoint) checkWeights(checkpoint, architecture);
  const given = options.tokenizer === undefined ? undefined : resolveFolder(options.tokenizer);
  const words = given === undefined ? files.folder : folderOf(given);
  const tokenizerConfig = words === undefined ? {} : readTokenizerConfig(words);
  const tokenizer =
    words === undefined ? undefined : loadTokenizer(given ?? words, tokenizerConfig);
  if (given !== undefined && !tokenizer)
    throw new ModelConfigError(`${given}: expected a folder with a tokenizer.json, or such a file`);
  const template =
    words === undefined && options.chatTemplate === undefined
      ? undefined
      : findChatTemplate(words ?? "", tokenizerConfig, options.chatTemplate);
  return {
    source,
    config,
    architecture,
    format: (checkpoint && checkpointFormat(checkpoint)) ?? declaredFormat(reader),
    ...(checkpoint && { checkpoint }),
    ...(folder !== undefined && !checkpoint && { unread: unread ?? noWeights(folder) }),
    generation: readGeneration(reader, files.folder, {
      tokenizer,
      tokenizerConfig,
      lent: given !== undefined,
    }),
    ...(tokenizer && { tokenizer }),
    ...(template && { chatTemplate: createChatTemplate(template) }),
    ...(tokenizer && { tokenizerConfig }),
  };
}

/** tokenizer_config.json; special_tokens_map.json fills what it leaves out. */
function readTokenizerConfig(folder: string): Record<string, unknown> {
  return {
    ...readJsonIfThere(folder, "special_tokens_map.json"),
    ...readJsonIfThere(folder, "tokenizer_config.json"),
  };
}

/** Why the CPU does not compute the family, naming the key. */
function pricedOnly(config: ConfigReader): string | undefined {
  const { pricedOnly: reason } = familyOf(config);
  const why = typeof reason === "function" ? reason(config) : reason;
  if (why === undefined) return undefined;
  const key = config.has("architectures") ? "architectures" : "model_type";
  const said = config.has("architectures")
    ? config.strings("architectures").join(", ")
    : config.string("model_type");
  return `${config.file}: "${key}" says ${said}, which is priced, not computed: ${why}`;
}

function noWeights(folder: string): string {
  return `${folder}: no weights, neither model.safetensors nor model.safetensors.index.json`;
}

/** generation_config.json, and the ids that end a text by it, by config.json and by the tokenizer. */
const USUAL_ENDS = ["<|eot_id|>", "<|im_end|>", "<|return|>", "<|endoftext|>", "</s>"];

/** `lent`: the tokenizer is another model's, so the config's ids are not its. */
function readGeneration(
  config: ConfigReader,
  folder: string | undefined,
  {
    tokenizer,
    tokenizerConfig,
    lent,
  }: {
    readonly tokenizer: Tokenizer | undefined;
    readonly tokenizerConfig: Readonly<Record<string, unknown>>;
    readonly lent: boolean;
  },
): GenerationDefaults {
  const values = folder === undefined ? {} : readJsonIfThere(folder, "generation_config.json");
  const own = new ConfigReader(values, `${folder ?? ""}/generation_config.json`);
  const ends = own.has("eos_token_id") ? own : config;
  const word = specialTokens(tokenizerConfig)["eos_token"];
  const tokenizerEnd = word === undefined ? undefined : tokenizer?.id(word);
  // The tokenizer's own first: it ends a text without being named as a stop.
  const eosTokenIds = new Set(tokenizerEnd === undefined ? [] : [tokenizerEnd]);
  if (!lent) for (const id of ends.integers("eos_token_id", [])) eosTokenIds.add(id);
  // A tokenizer.json alone does not say which of its words ends an answer.
  const usual = USUAL_ENDS.map((name) => tokenizer?.id(name)).find((id) => id !== undefined);
  if (lent && eosTokenIds.size === 0 && usual !== undefined) eosTokenIds.add(usual);
  const given = {
    temperature: own.optionalNumber("temperature"),
    topP: own.optionalNumber("top_p"),
    topK: own.optionalInteger("top_k", -1),
    minP: own.optionalNumber("min_p"),
    repetitionPenalty: own.optionalNumber("repetition_penalty"),
    maxNewTokens: own.optionalInteger("max_new_tokens"),
  };
  return { ...withoutAbsent(given), eosTokenIds: [...eosTokenIds] };
}

type Given<T> = { [key in keyof T]?: Exclude<T[key], undefined> };

function withoutAbsent<T extends object>(values: T): Given<T> {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  // The entries left are those of T whose values are not undefined.
  return Object.fromEntries(entries) as Given<T>;
}
