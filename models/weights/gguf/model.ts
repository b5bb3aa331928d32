/** A GGUF file as the parts of a model: config, weights under their names, and what its words are made of. */
import { dirname } from "node:path";
import { ConfigReader } from "../../config.ts";
import type { Checkpoint } from "../../model.ts";
import { WeightReader } from "../read.ts";
import { checkpointOf } from "./checkpoint.ts";
import { architectureOf, configOf, metadataOf } from "./config.ts";
import type { GgufFile, MetadataValue } from "./file.ts";
import { readParts } from "./parts.ts";

export interface GgufModel {
  /** As config.json would say it. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly checkpoint: Checkpoint;
  /** As generation_config.json would say it. */
  readonly generation: Readonly<Record<string, unknown>>;
  readonly words: GgufMetadata;
}

/** Lists by their keys, and the rest as checked getters. */
export interface GgufMetadata {
  readonly metadata: ConfigReader;
  readonly strings: (key: string) => readonly string[] | undefined;
  readonly numbers: (key: string) => ArrayLike<number> | undefined;
}

/** Reads the header. Throws CheckpointError or ModelConfigError that names file and key. */
export function readGgufModel(path: string): GgufModel {
  const file = readParts(path);
  const metadata = metadataOf(file);
  const config = configOf(file, (name) => vectorOf(file, name));
  return {
    config,
    checkpoint: checkpointOf(file, architectureOf(metadata), new ConfigReader(config, path)),
    generation: generationOf(metadata),
    words: ggufWords(file),
  };
}

export function ggufWords(file: GgufFile): GgufMetadata {
  const list = <T>(key: string, is: (value: MetadataValue) => value is MetadataValue & T) => {
    const value = file.metadata.get(key);
    return value !== undefined && is(value) ? value : undefined;
  };
  return {
    metadata: metadataOf(file),
    strings: (key) => list<readonly string[]>(key, isStrings),
    numbers: (key) => list<ArrayLike<number>>(key, isNumbers),
  };
}

function isStrings(value: MetadataValue): value is readonly string[] {
  return Array.isArray(value);
}

function isNumbers(value: MetadataValue): value is MetadataValue & ArrayLike<number> {
  return ArrayBuffer.isView(value);
}

/** Settings of generation_config.json, and where GGUF keeps them. */
const SAMPLING = {
  temperature: "temp",
  top_p: "top_p",
  top_k: "top_k",
  min_p: "min_p",
  repetition_penalty: "penalty_repeat",
} as const;

function generationOf(metadata: ConfigReader): Record<string, unknown> {
  const entries = Object.entries(SAMPLING).map(([name, key]) => [
    name,
    metadata.raw(`general.sampling.${key}`),
  ]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** A small F32 tensor whole; undefined: there is none of the name. */
function vectorOf({ path, tensors }: GgufFile, name: string): readonly number[] | undefined {
  const found = tensors.find((tensor) => tensor.name === name);
  if (found === undefined) return undefined;
  const stored = { ...found, dtype: found.type };
  const reader = new WeightReader({
    folder: dirname(path),
    tensors: new Map([[name, stored]]),
    bytes: found.end - found.begin,
  });
  try {
    return [...reader.read(name)];
  } finally {
    reader.close();
  }
}
