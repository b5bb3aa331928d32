/** Speculative methods by vLLM's names, and vLLM's `--speculative-config` as data. */
import type { Device } from "../../device/device.ts";
import type { DraftDevice } from "./draft-model.ts";
import type { Proposer } from "./proposer.ts";

export interface SpeculativeConfig {
  readonly method: string;
  /** Guesses a row at most. */
  readonly maxTokens: number;
  /** Absent: lengths adapt to acceptance and cost. */
  readonly adaptive: boolean;
  /** Folder of the draft model, for `draft_model`. */
  readonly model?: string;
  /** Of heads that are simulated: rates at which a guess's positions hold, given those before. Absent: other methods. */
  readonly acceptance?: readonly number[];
  /** The JSON as given, for the method's own keys. */
  readonly keys: Readonly<Record<string, unknown>>;
}

export interface ProposerParts {
  readonly config: SpeculativeConfig;
  /** What the engine runs on; where its heads are simulated, as whoever simulates them has it. */
  readonly target: Device;
  /** Runs the draft model, for `draft_model`. */
  readonly draft?: Device;
}

type Maker = (parts: ProposerParts) => Promise<Proposer>;

const heads: Maker = async ({ config, target }) => {
  const { HeadsProposer } = await import("./heads.ts");
  return new HeadsProposer(config.method, drafting(target, config.method));
};

const METHODS: Readonly<Record<string, Maker>> = Object.freeze({
  ngram: async ({ config: { keys } }) => {
    const { NgramProposer } = await import("./ngram.ts");
    const min = count(keys, "prompt_lookup_min");
    const max = count(keys, "prompt_lookup_max");
    // As vLLM: one stands for both, and 5 for neither.
    return new NgramProposer({ min: min ?? max ?? 5, max: max ?? min ?? 5 });
  },
  suffix: async ({ config: { keys } }) => {
    const { SuffixProposer, SUFFIX_DEFAULTS } = await import("./suffix.ts");
    return new SuffixProposer({
      maxDepth: count(keys, "suffix_decoding_max_tree_depth") ?? SUFFIX_DEFAULTS.maxDepth,
      maxSpecFactor:
        number(keys, "suffix_decoding_max_spec_factor") ?? SUFFIX_DEFAULTS.maxSpecFactor,
      minTokenProb: number(keys, "suffix_decoding_min_token_prob") ?? SUFFIX_DEFAULTS.minTokenProb,
    });
  },
  draft_model: async ({ draft, config }) => {
    const { DraftModelProposer } = await import("./draft-model.ts");
    if (draft === undefined) throw new Error('speculative_config: draft_model needs "model".');
    return new DraftModelProposer(drafting(draft, config.method));
  },
  eagle3: heads,
  medusa: heads,
  mtp: heads,
});

export const speculativeMethods: readonly string[] = Object.keys(METHODS);

export function createProposer(parts: ProposerParts): Promise<Proposer> {
  const make = METHODS[parts.config.method];
  if (make === undefined) throw unknownMethod(parts.config.method);
  return make(parts);
}

/** Checks `--speculative-config`; errors name the key. */
export function readSpeculativeConfig(keys: Readonly<Record<string, unknown>>): SpeculativeConfig {
  const model = keys["model"];
  if (model !== undefined && typeof model !== "string") throw wrong("model", "a path", model);
  const named = keys["method"];
  // As vLLM: `{"model": "ngram"}` and a bare model name the method.
  const method =
    named ?? (model === "ngram" ? "ngram" : model === undefined ? undefined : "draft_model");
  if (typeof method !== "string")
    throw wrong("method", `one of ${speculativeMethods.join(", ")}`, method);
  if (METHODS[method] === undefined) throw unknownMethod(method);
  const suffix = method === "suffix" ? 24 : undefined;
  const maxTokens = count(keys, "num_speculative_tokens") ?? suffix;
  if (maxTokens === undefined) throw wrong("num_speculative_tokens", "a number above 0", undefined);
  const adaptive = keys["adaptive"] ?? true;
  if (typeof adaptive !== "boolean") throw wrong("adaptive", "true or false", adaptive);
  return {
    method,
    maxTokens,
    adaptive,
    keys,
    ...(model === undefined ? {} : { model }),
    ...(METHODS[method] === heads ? { acceptance: acceptanceOf(keys, maxTokens) } : {}),
  };
}

/** `acceptance_rate` (one or one for each position) or `acceptance_length` (ids a step); 0.7 when neither. */
function acceptanceOf(
  keys: Readonly<Record<string, unknown>>,
  maxTokens: number,
): readonly number[] {
  const rates = keys["acceptance_rate"] ?? keys["synthetic_acceptance_rates"];
  if (Array.isArray(rates)) {
    return rates.map((rate: unknown) => {
      if (typeof rate !== "number" || rate < 0 || rate > 1)
        throw wrong("acceptance_rate", "in [0, 1]", rate);
      return rate;
    });
  }
  const length = number(keys, "acceptance_length") ?? number(keys, "synthetic_acceptance_length");
  if (length !== undefined) return [rateOfLength(length, maxTokens)];
  return [number(keys, "acceptance_rate") ?? 0.7];
}

/**
 * Ids that a step with all its guesses is expected to yield, at least 1. Only methods
 * that are simulated know their acceptance beforehand; the others are given 1.
 */
export function expectedLength(config: SpeculativeConfig): number {
  const rates = config.acceptance;
  if (rates === undefined) return 1;
  let holds = 1;
  let length = 1;
  for (let index = 0; index < config.maxTokens; index++) {
    holds *= rates[Math.min(index, rates.length - 1)] ?? 0;
    length += holds;
  }
  return length;
}

/**
 * The one rate that, at every position, makes `tokens` guesses yield `length` ids
 * a step on average: length = 1 + r + … + r^tokens.
 */
export function rateOfLength(length: number, tokens: number): number {
  let low = 0;
  let high = 1;
  for (let i = 0; i < 60; i++) {
    const rate = (low + high) / 2;
    let sum = 0;
    for (let power = 0; power <= tokens; power++) sum += rate ** power;
    if (sum < length) low = rate;
    else high = rate;
  }
  return (low + high) / 2;
}

function drafting(device: Device, method: string): DraftDevice {
  if (!canDraft(device))
    throw new Error(`Device "${device.name}" cannot draft: ${method} needs that.`);
  return device;
}

function canDraft(device: Device): device is DraftDevice {
  return device.can.draft && device.draft !== undefined;
}

function count(keys: Readonly<Record<string, unknown>>, key: string): number | undefined {
  const value = number(keys, key);
  if (value === undefined || (Number.isInteger(value) && value > 0)) return value;
  throw wrong(key, "a whole number above 0", value);
}

function number(keys: Readonly<Record<string, unknown>>, key: string): number | undefined {
  const value = keys[key] ?? undefined;
  if (value === undefined || typeof value === "number") return value;
  throw wrong(key, "a number", value);
}

function unknownMethod(method: string): Error {
  return new Error(
    `speculative_config: unknown method "${method}"; known: ${speculativeMethods.join(", ")}.`,
  );
}

function wrong(key: string, expected: string, found: unknown): Error {
  return new Error(`speculative_config: ${key} must be ${expected}, not ${JSON.stringify(found)}.`);
}
