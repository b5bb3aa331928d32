/** Files of a model's folder as they come from a download: also links to nothing and Git LFS pointers. */
import { closeSync, existsSync, lstatSync, openSync, readFileSync, readSync } from "node:fs";
import { ModelConfigError } from "../config.ts";

/** Is there an entry of that name, be it a link to nothing? */
export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

export function isDangling(path: string): boolean {
  return isThere(path) && !existsSync(path);
}

const LFS = "version https://git-lfs";

/** Does the file hold the name of its contents, as a clone without Git LFS leaves it? */
export function isLfsPointer(path: string): boolean {
  if (lstatSync(path).isDirectory()) return false;
  const descriptor = openSync(path, "r");
  try {
    const head = Buffer.alloc(LFS.length);
    readSync(descriptor, head, 0, head.length, 0);
    return head.toString("latin1") === LFS;
  } finally {
    closeSync(descriptor);
  }
}

/** The text of a file. Throws ModelConfigError where there is only a link or a pointer to it. */
export function readText(path: string): string {
  if (isDangling(path)) throw new ModelConfigError(`${path}: a link to nothing`);
  if (isLfsPointer(path)) {
    throw new ModelConfigError(
      `${path}: a Git LFS pointer, not the file; run git lfs pull in the folder`,
    );
  }
  return readFileSync(path, "utf8");
}
