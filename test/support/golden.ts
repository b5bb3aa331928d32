/** The golden files of models/tiny, as scripts/make-goldens writes them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const TINY = fileURLToPath(new URL("../../models/tiny/", import.meta.url));

/** Logits of one position: of `ids`, or of the whole vocabulary. */
export interface GoldenLogits {
  readonly ids?: readonly number[];
  readonly values: readonly number[];
}

export interface GoldenCase {
  readonly prompt: string;
  readonly prompt_ids: readonly number[];
  /** Greedy ids. */
  readonly output_ids: readonly number[];
  /** Smallest lead of a chosen logit over the second. */
  readonly margin: number;
  readonly text: string;
  /** Logits that chose the first and the last output id. */
  readonly first_logits?: GoldenLogits;
  readonly last_logits?: GoldenLogits;
}

export interface Golden {
  readonly name: string;
  /** Folder of the model. */
  readonly folder: string;
  readonly cases: readonly GoldenCase[];
  readonly texts: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly decoded: string;
  }[];
  readonly chats: readonly {
    readonly messages: readonly unknown[];
    readonly add_generation_prompt: boolean;
    readonly prompt: string;
  }[];
}

/** Every folder of models/tiny with a golden.json, by name. */
export function goldens(): readonly Golden[] {
  return readdirSync(TINY)
    .sort()
    .filter((name) => existsSync(join(TINY, name, "golden.json")))
    .map((name) => {
      const golden = JSON.parse(readFileSync(join(TINY, name, "golden.json"), "utf8"));
      return { ...golden, name, folder: join(TINY, name, golden.model) };
    });
}

/** Greatest difference between logits and their golden. */
export function logitsError(logits: ArrayLike<number>, golden: GoldenLogits): number {
  let worst = 0;
  for (const [i, value] of golden.values.entries()) {
    const found = logits[golden.ids?.[i] ?? i] ?? Number.NaN;
    const error = Math.abs(found - value);
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

/** A JSON file of models/tiny. */
export function tinyJson(name: string): unknown {
  return JSON.parse(readFileSync(join(TINY, name), "utf8"));
}

/** A folder or file of the data beside the project; undefined where it is absent. */
export function sharedData(name: string): string | undefined {
  const path = join(process.env["TRAINYARD_DATA"] ?? "../shared/data", name);
  return existsSync(path) ? path : undefined;
}
