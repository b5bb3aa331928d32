/** A flag whose value is a file: its text is the setting. */
import { readFileSync } from "node:fs";

/** Throws an Error that says which file cannot be read. */
export function fileText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(`${path} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}
