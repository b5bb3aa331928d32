/** How a folder of sentence-transformers makes one vector of a text: modules.json and its pooling module. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isObject, ModelConfigError } from "../config.ts";
import { readJson } from "./folder.ts";

export type PoolingKind = "cls" | "mean" | "last";

export interface Pooling {
  readonly kind: PoolingKind;
  readonly normalise: boolean;
}

const KINDS: readonly (readonly [key: string, kind: PoolingKind])[] = [
  ["pooling_mode_cls_token", "cls"],
  ["pooling_mode_mean_tokens", "mean"],
  ["pooling_mode_lasttoken", "last"],
];

/** Undefined: the folder does not say. Throws ModelConfigError for another way of pooling. */
export function readPooling(folder: string): Pooling | undefined {
  const path = join(folder, "modules.json");
  if (!existsSync(path)) return undefined;
  const modules: unknown = JSON.parse(readFileSync(path, "utf8"));
  const list = Array.isArray(modules) ? modules.filter(isObject) : [];
  const ofType = (name: string) => list.find(({ type }) => String(type).endsWith(`.${name}`));
  const pooling = ofType("Pooling");
  if (pooling === undefined) return undefined;
  const file = join(folder, String(pooling["path"]), "config.json");
  const told = readJson(file);
  const kind = KINDS.find(([key]) => told[key] === true)?.[1];
  if (kind === undefined) {
    const known = KINDS.map(([key]) => key).join(", ");
    throw new ModelConfigError(`${file}: expected one of ${known} to be true`);
  }
  return { kind, normalise: ofType("Normalize") !== undefined };
}
