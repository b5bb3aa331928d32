/** Where what is served comes from: the model and its revision, and what its tokenizer says of itself. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { resolveFolder } from "../../models/weights/folder.ts";
import type { Serving } from "../serving.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";
import { bundledModel } from "./words.ts";

/** The model as loadModel takes it: with its revision. */
export function modelSource({ model, revision }: Settings): string {
  if (revision === undefined) return model ?? bundledModel();
  if (model === undefined || model.includes("@")) {
    throw new SettingsError(
      "--revision needs a model of the hub by ORG/NAME, and none after its @.",
    );
  }
  return `${model}@${revision}`;
}

/** tokenizer_config.json, for /tokenizer_info; undefined where there is none. */
export function tokenizerInfo(source: string): Serving["tokenizerInfo"] {
  const path = join(resolveFolder(source), "tokenizer_config.json");
  return existsSync(path)
    ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>) // served as it is
    : undefined;
}
