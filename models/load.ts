/**
 * Loads a model: a Hugging Face folder as users have it, a GGUF file, a name in the hub's
 * cache, or an id of the catalogue, which is a config without weights. Weights are indexed and checked
 * here; devices read them.
 */
import { ConfigReader } from "./config.ts";
import { declaredFormat } from "./format.ts";
import type { Checkpoint, GenerationDefaults, Model } from "./model.ts";
import { describe, describeComputed, familyOf } from "./registry.ts";
import type { OwnWords, Words } from "./tokenizer/words.ts";
import {
  checkpointFormat,
  checkWeights,
  hasCheckpoint,
  indexCheckpoint,
  underModel,
} from "./weights/checkpoint.ts";
import { locateModel, type ModelFiles, readJson, readJsonIfThere } from "./weights/folder.ts";
import { unpackNames } from "./weights/packing.ts";
import { readSentenceConfig } from "./weights/pooling.ts";
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
  const parts = files.gguf ? await ggufParts(files.config, options) : folderParts(files, options);
  const { config, checkpoint, reader } = parts;
  const described = (checkpoint ? describeComputed : describe)(config, files.config);
  const architecture = { ...described, maxContext: longest(described.maxContext, parts) };
  // An encoder\'s description prices it; its weights are checked where they are read.
  if (checkpoint && architecture.family !== "encoder") checkWeights(checkpoint, architecture);
  const words = await wordsOf(parts, options);
  const { tokenizer, tokenizerConfig, chatTemplate } = words;
  const lent = options.tokenizer !== undefined;
  return {
    source,
    config,
    architecture,
    format: (checkpoint && checkpointFormat(checkpoint)) ?? declaredFormat(reader),
    ...(checkpoint && { checkpoint }),
    ...(parts.unread !== undefined && { unread: parts.unread }),
    generation: readGeneration(reader, parts.generation, { words, lent }),
    ...(tokenizer && { tokenizer }),
    ...(chatTemplate && { chatTemplate }),
    ...(tokenizer && tokenizerConfig && { tokenizerConfig }),
  };
}

/** Of a model without any, the code that reads them is not loaded: half of what a simulation would load. */
async function wordsOf({ folder, words }: Parts, options: LoadOptions): Promise<Words> {
  const asked = options.tokenizer !== undefined || options.chatTemplate !== undefined;
  if (folder === undefined && words === undefined && !asked) return {};
  return (await import("./tokenizer/words.ts")).readWords({ folder, words }, options);
}

/** What a folder, a config or a GGUF file holds of a model. */
interface Parts {
  readonly config: Readonly<Record<string, unknown>>;
  readonly reader: ConfigReader;
  readonly checkpoint?: Checkpoint;
  readonly unread?: string;
  /** generation_config.json, or what stands in its place. */
  readonly generation: ConfigReader;
  /** Where the model's own tokenizer files are. */
  readonly folder?: string;
  /** The tokenizer that came with the weights. */
  readonly words?: OwnWords;
}

function folderParts(files: ModelFiles, options: LoadOptions): Parts {
  const config = { ...readJson(files.config), ...options.config };
  const reader = new ConfigReader(config, files.config);
  const { folder } = files;
  if (folder === undefined) {
    return { config, reader, generation: new ConfigReader({}, files.config) };
  }
  const unread = unreadWeights(folder, reader) ?? pricedOnly(reader);
  const checkpoint =
    unread === undefined && hasCheckpoint(folder)
      ? unpackNames(underModel(indexCheckpoint(folder)), reader)
      : undefined;
  const values = readJsonIfThere(folder, "generation_config.json");
  return {
    config,
    reader,
    folder,
    ...(checkpoint ? { checkpoint } : { unread: unread ?? noWeights(folder) }),
    generation: new ConfigReader(values, `${folder}/generation_config.json`),
  };
}

/** sentence-transformers may have its model read less than it could. */
function longest(maxContext: number, { folder }: Parts): number {
  const { maxTokens = maxContext } = folder === undefined ? {} : readSentenceConfig(folder);
  return Math.min(maxContext, maxTokens);
}

async function ggufParts(path: string, options: LoadOptions): Promise<Parts> {
  const { readGgufModel } = await import("./weights/gguf/model.ts");
  const gguf = readGgufModel(path);
  const config = { ...gguf.config, ...options.config };
  const reader = new ConfigReader(config, path);
  const unread = pricedOnly(reader);
  const words =
    options.tokenizer === undefined
      ? (await import("./tokenizer/words.ts")).wordsOfGguf(gguf.words, path)
      : undefined;
  return {
    config,
    reader,
    ...(unread === undefined ? { checkpoint: gguf.checkpoint } : { unread }),
    generation: new ConfigReader(gguf.generation, path),
    ...(words && { words }),
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
  own: ConfigReader,
  { words, lent }: { readonly words: Words; readonly lent: boolean },
): GenerationDefaults {
  const { tokenizer, end } = words;
  const ends = own.has("eos_token_id") ? own : config;
  // The tokenizer's own first: it ends a text without being named as a stop.
  const eosTokenIds = new Set(end === undefined ? [] : [end]);
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
