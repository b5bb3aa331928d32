/** Finds files that ship with the project, from the sources as from dist/. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

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
