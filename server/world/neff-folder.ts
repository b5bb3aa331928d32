/**
 * What was compiled before, as a folder: a small JSON file for each graph, named
 * by a hash of its key. Servers may share it; a file that does not hold its key
 * counts as absent.
 */
import { createHash } from "node:crypto";
import { accessSync, constants, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { CompiledGraph } from "../../device/machine.ts";

export class NeffFolder {
  readonly path: string;

  /** Makes the folder. Throws when it cannot be written. */
  constructor(path: string) {
    this.path = resolve(path);
    mkdirSync(this.path, { recursive: true });
    accessSync(this.path, constants.W_OK);
  }

  has(key: string): boolean {
    try {
      const entry: unknown = JSON.parse(readFileSync(this.#file(key), "utf8"));
      return typeof entry === "object" && entry !== null && "key" in entry && entry.key === key;
    } catch {
      return false;
    }
  }

  /** A full disk loses the entry, never the server: the graph is compiled again. */
  add({ name, key, compileSeconds }: CompiledGraph): void {
    const file = this.#file(key);
    const part = `${file}.${process.pid}`;
    try {
      writeFileSync(
        part,
        `${JSON.stringify({ name, key, compileSeconds, is_simulation: true })}\n`,
      );
      renameSync(part, file);
    } catch {
      // As above.
    }
  }

  #file(key: string): string {
    return join(this.path, `${createHash("sha256").update(key).digest("hex").slice(0, 32)}.json`);
  }
}
