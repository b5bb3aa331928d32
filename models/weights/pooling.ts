/** How a folder of sentence-transformers makes one vector of a text: modules.json and its modules. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isObject, ModelConfigError } from "../config.ts";
import type { PoolingKind } from "../model.ts";
import { readText } from "./files.ts";
import { readJson, readJsonIfThere } from "./folder.ts";

export interface Pooling {
  readonly kind: PoolingKind;
  readonly normalise: boolean;
  /** Dense modules behind the pooled state, by their folders. */
  readonly projections: readonly { readonly path: string }[];
}

const KINDS: ReadonlyMap<string, PoolingKind> = new Map([
  ["cls_token", "cls"],
  ["cls", "cls"],
  ["mean_tokens", "mean"],
  ["mean", "mean"],
  ["lasttoken", "last"],
]);

function listOf(path: string): readonly Readonly<Record<string, unknown>>[] {
  try {
    const modules: unknown = JSON.parse(readText(path));
    return Array.isArray(modules) ? modules.filter(isObject) : [];
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new ModelConfigError(`${path}: corrupt: its JSON does not parse`, { cause });
  }
}

/** Undefined: the folder does not say. Throws ModelConfigError for another way of pooling. */
export function readPooling(folder: string): Pooling | undefined {
  const path = join(folder, "modules.json");
  if (!existsSync(path)) return undefined;
  const list = listOf(path);
  const ofType = (name: string) => list.filter(({ type }) => String(type).endsWith(`.${name}`));
  const [pooling] = ofType("Pooling");
  if (pooling === undefined) return undefined;
  const pathOf = (module: Readonly<Record<string, unknown>>): string => {
    const own = String(module["path"]);
    if (/[\\/]|^\.\.?$/.test(own))
      throw new ModelConfigError(`${path}: "path" must name a folder of this one, found "${own}"`);
    return own;
  };
  const file = join(folder, pathOf(pooling), "config.json");
  const told = readJson(file);
  // Older files have a switch for each way, newer ones name it.
  const on = Object.keys(told).filter(
    (key) => key.startsWith("pooling_mode_") && told[key] === true,
  );
  const named = told["pooling_mode"] ?? on.map((key) => key.slice("pooling_mode_".length)).join();
  const kind = KINDS.get(String(named));
  if (kind === undefined) {
    throw new ModelConfigError(
      `${file}: expected one pooling mode of cls_token, mean_tokens and lasttoken, found "${named}"`,
    );
  }
  const projections = ofType("Dense").map((module) => ({ path: pathOf(module) }));
  return { kind, normalise: ofType("Normalize").length > 0, projections };
}

/** What sentence-transformers makes of a text before it is computed. */
export interface SentenceConfig {
  /** Tokens at most; absent: the model's. */
  readonly maxTokens?: number;
  readonly lowerCase: boolean;
}

/** sentence_bert_config.json, also of RoBERTa's folders. */
export function readSentenceConfig(folder: string): SentenceConfig {
  for (const kind of ["bert", "roberta", "xlm-roberta"]) {
    const told = readJsonIfThere(folder, `sentence_${kind}_config.json`);
    const most = told["max_seq_length"];
    if (typeof most !== "number" || !Number.isInteger(most) || most < 1) continue;
    return { maxTokens: most, lowerCase: told["do_lower_case"] === true };
  }
  return { lowerCase: false };
}
