/**
 * Converted weights on their way into a session, where nothing is kept: a file a segment in the
 * system's temporary folder, which is gone when the session is made. The runtime maps it and
 * takes what it packs a matrix at a time; bytes handed over from memory it would hold thrice.
 */
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownerLives, ownerText } from "../../../models/weights/owner.ts";
import type { FileRange } from "../graph/builder.ts";
import { ALIGNED, SHARE_OF_FREE, writeWhole } from "./files.ts";

const PREFIX = "trainyard-weights-";
const WRITER = "writer";

export class Scratch {
  /** What the ranges of `keep` are relative to. */
  readonly folder: string;
  #segment = 0;
  #file: number | undefined;
  #bytes = 0;
  #failed = false;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Undefined where no folder can be made; removes what processes that were killed left. */
  static open(): Scratch | undefined {
    try {
      const folder = mkdtempSync(join(tmpdir(), PREFIX));
      writeFileSync(join(folder, WRITER), ownerText());
      removeLeft();
      return new Scratch(folder);
    } catch {
      return undefined;
    }
  }

  /** Could something not be written? Then nothing is any more. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Where the bytes lie until `clear`; undefined: they could not be written. */
  keep(data: Uint8Array): FileRange | undefined {
    if (this.#failed) return undefined;
    const file = `${this.#segment}.bin`;
    const begin = Math.ceil(this.#bytes / ALIGNED) * ALIGNED;
    try {
      const { bavail, bsize } = statfsSync(this.folder);
      if (data.byteLength > bavail * bsize * SHARE_OF_FREE) throw new Error("too full");
      this.#file ??= openSync(join(this.folder, file), "w");
      writeWhole(this.#file, data, begin);
    } catch {
      this.#failed = true;
      return undefined;
    }
    this.#bytes = begin + data.byteLength;
    return { file, begin, end: this.#bytes };
  }

  /** A session has what it needs: its file goes, and what of it is mapped goes with the session. */
  clear(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
    this.#bytes = 0;
    remove(join(this.folder, `${this.#segment++}.bin`));
  }

  close(): void {
    this.clear();
    remove(this.folder);
  }
}

function removeLeft(): void {
  for (const name of readdirSync(tmpdir())) {
    const path = join(tmpdir(), name);
    if (name.startsWith(PREFIX) && !ownerLives(join(path, WRITER), path)) remove(path);
  }
}

/** Another user's stays, and so does what a system does not let go while it is mapped. */
function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // The system's temporary folder is cleared by the system.
  }
}
