/** adapter_config.json, checked as vLLM checks it: what changes an adapter's meaning and is not served is refused by name. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isObject } from "../config.ts";
import { readJson } from "./folder.ts";

/** The adapter cannot be served: why. */
export class AdapterError extends Error {
  override readonly name: string = "AdapterError";
}

/** There is no adapter in the folder. */
export class AdapterMissingError extends AdapterError {
  override readonly name = "AdapterMissingError";
}

export interface AdapterConfig {
  readonly rank: number;
  readonly alpha: number;
  readonly rslora: boolean;
  readonly rankPattern: Readonly<Record<string, number>>;
  readonly alphaPattern: Readonly<Record<string, number>>;
}

const FILE = "adapter_config.json";

/** Inits that only set the first weights; others change the base model's too. */
const PLAIN_INITS = ["gaussian", "eva", "orthogonal", "mica", "lora_ga"];

/** Each feature with what refuses it. */
const FEATURES: readonly (readonly [
  key: string,
  refuses: (value: unknown) => string | undefined,
])[] = [
  [
    "modules_to_save",
    (value) =>
      Array.isArray(value) && value.length > 0
        ? `modules_to_save is not supported: ${value.map((name) => `'${String(name)}'`).join(", ")}.`
        : undefined,
  ],
  ["use_dora", (value) => (value === true ? "DoRA (use_dora) is not supported." : undefined)],
  [
    "lora_bias",
    (value) => (value === true ? "LoRA bias (lora_bias) is not supported." : undefined),
  ],
  [
    "init_lora_weights",
    (value) =>
      typeof value === "string" && !PLAIN_INITS.includes(value.toLowerCase())
        ? `init_lora_weights='${value}' is not supported: it changes the base model's weights too. Convert it to a plain LoRA adapter with PEFT's path_initial_model_for_weight_conversion.`
        : undefined,
  ],
  [
    "alora_invocation_tokens",
    (value) =>
      Array.isArray(value) && value.length > 0
        ? "Activated LoRA (aLoRA) is not supported."
        : undefined,
  ],
  [
    "layer_replication",
    (value) =>
      Array.isArray(value) && value.length > 0 ? "layer_replication is not supported." : undefined,
  ],
  [
    "use_bdlora",
    (value) => (isObject(value) ? "Block-diagonal LoRA is not supported." : undefined),
  ],
  ["use_qalora", (value) => (value === true ? "QALoRA is not supported." : undefined)],
];

/** Throws AdapterMissingError without the file, AdapterError for what cannot be served. */
export function readAdapterConfig(folder: string, maxRank: number): AdapterConfig {
  const path = join(folder, FILE);
  if (!existsSync(path)) throw new AdapterMissingError(`${path}: no such file`);
  const given = readJson(path);
  const missing = ["r", "lora_alpha", "target_modules"].filter((key) => given[key] === undefined);
  if (missing.length > 0) {
    throw new AdapterError(
      `Missing required configuration fields: {${missing.map((key) => `'${key}'`).join(", ")}}`,
    );
  }
  const config: AdapterConfig = {
    rank: positive(
      given["r"],
      (found) => `LoRA rank \`r\` must be a positive integer, got ${found}.`,
    ),
    alpha: numberOf(path, "lora_alpha", given["lora_alpha"]),
    rslora: given["use_rslora"] === true,
    rankPattern: pattern(path, "rank_pattern", given, (value, key) =>
      positive(
        value,
        (found) =>
          `LoRA rank for \`${key}\` in \`rank_pattern\` must be a positive integer, got ${found}.`,
      ),
    ),
    alphaPattern: pattern(path, "alpha_pattern", given, (value) =>
      numberOf(path, "alpha_pattern", value),
    ),
  };
  const faults = FEATURES.flatMap(([key, refuses]) => refuses(given[key]) ?? []);
  const rank = Math.max(config.rank, ...Object.values(config.rankPattern));
  if (rank > maxRank) faults.push(`LoRA rank ${rank} is greater than max_lora_rank ${maxRank}.`);
  if (given["bias"] !== undefined && given["bias"] !== "none") {
    faults.push("Adapter bias is not supported.");
  }
  if (faults.length > 0) throw new AdapterError(faults.join(" "));
  return config;
}

/** What (in · Aᵀ) · Bᵀ is multiplied by: α / r, or α / √r where the rank is to be stable. */
export function scalingOf(config: AdapterConfig, path: string, rank: number): number {
  const alpha = matched(config.alphaPattern, path) ?? config.alpha;
  const divisor = matched(config.rankPattern, path) ?? config.rank;
  if (divisor !== rank) {
    throw new AdapterError(`${path} has rank ${rank}, and ${FILE} says ${divisor}.`);
  }
  return config.rslora ? alpha / Math.sqrt(rank) : alpha / rank;
}

/** As PEFT: a key matches the end of a module's path, from a dot on; the first that does wins. */
function matched(pattern: Readonly<Record<string, number>>, path: string): number | undefined {
  for (const [key, value] of Object.entries(pattern)) {
    if (path === key || path.endsWith(`.${key}`)) return value;
    if (/[\^$*+?()[\]{}|\\]/.test(key) && new RegExp(`^(.*\\.)?(${key})$`).test(path)) return value;
  }
  return undefined;
}

function pattern(
  path: string,
  key: string,
  given: Readonly<Record<string, unknown>>,
  read: (value: unknown, key: string) => number,
): Readonly<Record<string, number>> {
  const value = given[key] ?? {};
  if (!isObject(value)) throw new AdapterError(`${path}: "${key}" must be an object`);
  return Object.fromEntries(Object.entries(value).map(([name, its]) => [name, read(its, name)]));
}

function positive(value: unknown, message: (found: string) => string): number {
  if (typeof value === "number" && Number.isInteger(value) && value > 0) return value;
  throw new AdapterError(message(JSON.stringify(value)));
}

function numberOf(path: string, key: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new AdapterError(`${path}: "${key}" must be a number, found ${JSON.stringify(value)}`);
}
