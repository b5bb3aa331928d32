/** Finds files that ship with the project, from the sources as from dist/. */
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Is this file run from its source? */
const FROM_SOURCE = import.meta.url.endsWith(".ts");

let root: string | undefined;

/** Absolute path of a file of the project, e.g. projectPath("models", "catalog"). */
export function projectPath(...parts: readonly string[]): string {
  root ??= findRoot(dirname(fileURLToPath(import.meta.url)));
  return join(root, ...parts);
}

/** The nearest folder above that holds package.json: dist/ has none of its own. */
function findRoot(folder: string): string {
  if (existsSync(join(folder, "package.json"))) return folder;
  const above = dirname(folder);
  if (above === folder) throw new Error("The project's package.json was not found.");
  return findRoot(above);
}

/** A module of ours that a thread or a process begins with. */
export interface Entry {
  readonly url: URL;
  /** TypeScript: tsx has to be registered first. */
  readonly source: boolean;
}

/**
 * `entry` is a sibling of `base` without its extension, e.g. `./rank`. From source it is the source,
 * or what the tests' set-up compiled of it: TRAINYARD_COMPILED is a folder laid out as the project is.
 * tsx loads a module's imports anew in every thread, which takes longer than most tests.
 */
export function entryOf(entry: string, base: string): Entry {
  if (!FROM_SOURCE) return { url: new URL(`${entry}.js`, base), source: false };
  const url = new URL(`${entry}.ts`, base);
  const compiled = process.env["TRAINYARD_COMPILED"];
  if (compiled === undefined) return { url, source: true };
  const path = relative(projectPath(), fileURLToPath(url)).replace(/\.ts$/, ".js");
  return { url: pathToFileURL(join(compiled, path)), source: false };
}
