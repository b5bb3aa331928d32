/** Files of a model's folder as they come from a download: also links to nothing and Git LFS pointers. */
import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
} from "node:fs";
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
  // A pipe would be waited for.
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false;
  const descriptor = openSync(path, "r");
  try {
    const head = Buffer.alloc(LFS.length);
    readSync(descriptor, head, 0, head.length, 0);
    return head.toString("latin1") === LFS;
  } finally {
    closeSync(descriptor);
  }
}

/** The text of a file. Throws ModelConfigError where there is only a link or a pointer to it, or no reading it. */
export function readText(path: string): string {
  if (isDangling(path)) throw new ModelConfigError(`${path}: a link to nothing`);
  if (isLfsPointer(path)) {
    throw new ModelConfigError(
      `${path}: a Git LFS pointer, not the file; run git lfs pull in the folder`,
    );
  }
  if (!statSync(path).isFile()) throw new ModelConfigError(`${path}: not a file`);
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new ModelConfigError(`${path}: it cannot be read (${(cause as Error).message})`, {
      cause,
    });
  }
}
