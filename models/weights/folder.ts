/** Files of a model folder and of the catalogue: finding them, and reading their JSON. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isObject, ModelConfigError } from "../config.ts";
import { nearest } from "../nearest.ts";
import { isThere, readText } from "./files.ts";
import { projectPath } from "./project-files.ts";

const CATALOG = projectPath("models", "catalog");

/** Where a model's files are: a folder, or one config of the catalogue. */
export interface ModelFiles {
  /** Path of config.json. */
  readonly config: string;
  /** Absent for the catalogue. */
  readonly folder?: string;
}

/**
 * Finds a folder by its path, a config (a .json file, without weights) by its own, else a
 * catalogue entry by its id (`org/name`). Throws ModelConfigError.
 */
export function locateModel(source: string): ModelFiles {
  if (existsSync(source)) {
    if (!statSync(source).isDirectory()) {
      if (source.endsWith(".json")) return { config: source };
      throw new ModelConfigError(`${source}: expected a folder with a config.json, found a file`);
    }
    const config = join(source, "config.json");
    if (!isThere(config)) throw new ModelConfigError(`${config}: no such file`);
    return { config, folder: source };
  }
  const config = join(CATALOG, `${source.replace("/", "--")}.json`);
  if (/^[\w.-]+\/[\w.-]+$/.test(source) && existsSync(config)) return { config };
  throw new ModelConfigError(
    `model "${source}": neither a folder nor an id of the catalogue${similar(source)}`,
  );
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
