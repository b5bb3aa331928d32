/**
 * How long a text a model is made for, as vLLM 0.32 derives it from config.json:
 * the smallest of the keys that name a length, times the factor of a rotary
 * scaling that does not count it in already.
 */
import type { ConfigReader } from "./config.ts";
import { ropeSection, ropeType } from "./rope.ts";

export interface ContextLength {
  /** Positions that can be asked for. */
  readonly maxContext: number;
  /** Positions served when nobody asks; absent: all. */
  readonly usualContext?: number;
}

const KEYS = [
  "max_position_embeddings",
  "n_positions",
  "max_seq_len",
  "seq_length",
  "max_target_positions",
  "max_sequence_length",
  "max_seq_length",
  "seq_len",
] as const;

/** As vLLM assumes where no key says a length. */
const UNSAID = 2048;

/** Scalings whose configs state the length after scaling. */
const COUNTED: ReadonlySet<string> = new Set(["default", "longrope", "llama3", "yarn"]);

/**
 * Two kinds are served shorter than they may be asked for: `longrope` to its original
 * context, where it loses nothing, and a `yarn` whose config still states the length before
 * scaling (model cards of Qwen have users write such), which vLLM 0.32 would not lengthen.
 */
export function readContext(config: ConfigReader): ContextLength {
  const stated = config.optionalInteger("model_max_length") ?? statedLength(config);
  const section = ropeSection(config);
  if (section === undefined) return { maxContext: stated };
  const kind = ropeType(section);
  const original =
    section.optionalInteger("original_max_position_embeddings") ??
    config.optionalInteger("original_max_position_embeddings");
  const factor = section.optionalNumber("factor") ?? 1;
  if (!COUNTED.has(kind)) return { maxContext: Math.floor(stated * factor) };
  const reached = kind === "yarn" ? Math.floor((original ?? 0) * factor) : 0;
  const usual = kind === "longrope" ? (original ?? stated) : stated;
  const maxContext = Math.max(stated, reached);
  return { maxContext, ...(usual < maxContext && { usualContext: usual }) };
}

function statedLength(config: ConfigReader): number {
  const lengths = KEYS.flatMap((key) => config.optionalInteger(key) ?? []);
  return lengths.length === 0 ? UNSAID : Math.min(...lengths);
}
