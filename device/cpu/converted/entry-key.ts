/**
 * What a converted model is known by: where it came from, what is computed of it, and the code
 * that converts. Sizes and times of its files are told apart, so that a source that changed
 * gives way to the new one instead of lying beside it.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Architecture } from "../../../models/architecture.ts";
import type { Checkpoint } from "../../../models/model.ts";

/** Plain data: it crosses to the ranks' threads. */
export interface ConvertedFrom {
  readonly architecture: Architecture;
  readonly checkpoint: Checkpoint;
  readonly rank: number;
  readonly ranks: number;
  readonly expertParallel?: boolean;
  /** Are segments cut where adapters add? */
  readonly adapters: boolean;
  readonly quantization: string;
  /** Of int4's blocks. */
  readonly blockBits?: number;
  /** Are they held a second time in int8? */
  readonly twoCopies?: boolean;
  /** Are small segments held for one thread and for all? */
  readonly alone?: boolean;
  /** Have experts no second copy, though the rest has? */
  readonly expertsOnce?: boolean;
}

/** Path, size and time of each file of weights. */
export type Sources = readonly (readonly [path: string, size: number, modified: number])[];

export function sourcesOf(checkpoint: Checkpoint): Sources {
  const files = new Set([...checkpoint.tensors.values()].map(({ file }) => file));
  return [...files].sort().map((file) => {
    const path = realpathSync(join(checkpoint.folder, file));
    const { size, mtimeMs } = statSync(path);
    return [path, size, mtimeMs];
  });
}

/** Hexadecimal, 32 digits. */
export function keyOf(from: ConvertedFrom): string {
  const {
    architecture,
    checkpoint,
    rank,
    ranks,
    expertParallel = false,
    adapters,
    quantization,
    blockBits,
    twoCopies = false,
    alone = false,
    expertsOnce = false,
  } = from;
  const said = JSON.stringify([
    sourcesOf(checkpoint).map(([path]) => path),
    architecture,
    [rank, ranks, expertParallel, adapters, quantization, twoCopies, alone, expertsOnce],
    quantization === "int4" ? blockBits : undefined,
    codeKey(),
  ]);
  return createHash("sha256").update(said).digest("hex").slice(0, 32);
}

/** Folders of the code that decides what weights become. */
const CODE = ["../graph", "../../../models/weights"].map((folder) =>
  join(dirname(fileURLToPath(import.meta.url)), folder),
);

let code: string | undefined;

/** Changes with the code that converts: nobody has to think of raising a version. */
function codeKey(): string {
  code ??= keyOfCode(CODE);
  return code;
}

/** Of all modules in the folders and in those below them. */
export function keyOfCode(folders: readonly string[]): string {
  const hash = createHash("sha256");
  for (const folder of folders)
    for (const name of readdirSync(folder, { encoding: "utf8", recursive: true }).sort())
      if (/\.(ts|js)$/.test(name)) hash.update(name).update(readFileSync(join(folder, name)));
  return hash.digest("hex");
}
