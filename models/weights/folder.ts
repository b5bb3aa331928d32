/** Files of a model folder and of the catalogue: finding them, and reading their JSON. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isObject, ModelConfigError } from "../config.ts";
import { nearest } from "../nearest.ts";
import { isThere, readText } from "./files.ts";
import { cachedSnapshot, hubCacheFolder, parseHubName } from "./hub-cache.ts";
import { projectPath } from "./project-files.ts";

const CATALOG = projectPath("models", "catalog");

/** Where a model's files are: a folder, or one config of the catalogue. */
export interface ModelFiles {
  /** Path of config.json, or of a GGUF file. */
  readonly config: string;
  readonly gguf?: true;
  /** Absent for the catalogue. */
  readonly folder?: string;
}

/**
 * Finds a folder by its path, a GGUF file or a config (a .json file, without weights) by its own, else
 * `ORG/NAME[@revision]` in the hub's cache, else in the catalogue; a cached name without
 * weights gives way to the catalogue. Throws ModelConfigError: a name never becomes
 * something else.
 */
export function locateModel(source: string): ModelFiles {
  if (existsSync(source)) {
    const found = statSync(source);
    if (!found.isDirectory()) {
      if (!found.isFile()) throw new ModelConfigError(`${source}: neither a folder nor a file`);
      if (source.endsWith(".json")) return { config: source };
      if (source.endsWith(".gguf")) return { config: source, gguf: true };
      throw new ModelConfigError(
        `${source}: expected a folder with a config.json, or a .gguf file, found another file`,
      );
    }
    return filesOf(source);
  }
  const name = parseHubName(source);
  if (name === undefined) {
    throw new ModelConfigError(
      `model "${source}": no such folder, and no ORG/NAME[@revision] of the hub or the catalogue${similar(source)}`,
    );
  }
  const snapshot = cachedSnapshot(name);
  if (snapshot !== undefined && holdsWeights(snapshot)) return filesOf(snapshot);
  const config = join(CATALOG, `${name.repo.replace("/", "--")}.json`);
  if (name.revision === undefined && existsSync(config)) return { config };
  if (snapshot !== undefined) return filesOf(snapshot);
  throw new ModelConfigError(
    `model "${source}": neither a folder, nor in the hub's cache ${hubCacheFolder()} (\`trainyard pull ${source}\` fetches it), nor an id of the catalogue${similar(name.repo)}`,
  );
}

function filesOf(folder: string): ModelFiles {
  const config = join(folder, "config.json");
  if (!isThere(config))
    throw new ModelConfigError(withoutConfig(folder) ?? `${config}: no such file`);
  return { config, folder };
}

/** What a folder is that has no config.json, where that can be told. */
function withoutConfig(folder: string): string | undefined {
  const adapter = join(folder, "adapter_config.json");
  if (isThere(adapter)) {
    const base = readJson(adapter)["base_model_name_or_path"];
    const said = typeof base === "string" ? base : "its base model";
    return `${adapter}: an adapter alone, of "base_model_name_or_path" ${said}; serve that with --enable-lora --lora-modules NAME=${folder}, or merge the two`;
  }
  const gguf = readdirSync(folder).find((name) => name.endsWith(".gguf"));
  return gguf === undefined
    ? undefined
    : `${join(folder, gguf)}: a GGUF file is a model by itself; give its own path, not the folder's`;
}

function holdsWeights(folder: string): boolean {
  return readdirSync(folder).some((name) => /\.(safetensors|gguf|bin|pth?|npz)$/.test(name));
}

/** A folder for a path as for a name of the hub's cache; anything else as it was. */
export function resolveFolder(source: string): string {
  const name = existsSync(source) ? undefined : parseHubName(source);
  return (name && cachedSnapshot(name)) ?? source;
}

/** Ids of the catalogue, sorted. */
export function catalogIds(): readonly string[] {
  if (!existsSync(CATALOG)) return [];
  const names = readdirSync(CATALOG).filter(
    (name) => name.endsWith(".json") && name.includes("--"),
  );
  return names.map((name) => name.slice(0, -".json".length).replace("--", "/")).sort();
}

/** Ids that may have been meant, and where all of them are listed. */
function similar(source: string): string {
  const close = nearest(source, catalogIds());
  const known = "`trainyard models` lists all";
  return close.length === 0 ? `; ${known}` : `; similar ids: ${close.join(", ")} (${known})`;
}

/** A JSON object from a file. Throws ModelConfigError naming it. */
export function readJson(path: string): Record<string, unknown> {
  const text = readText(path);
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (cause) {
    throw new ModelConfigError(`${path}: corrupt: its JSON does not parse`, { cause });
  }
  throw new ModelConfigError(`${path}: expected a JSON object`);
}

/** The same, of a file that may be absent: then empty. */
export function readJsonIfThere(folder: string, file: string): Record<string, unknown> {
  const path = join(folder, file);
  return isThere(path) ? readJson(path) : {};
}
