/**
 * Rotary position embedding: what config.json says of it, and its frequencies.
 * Older files have `rope_theta` and `rope_scaling` side by side, newer ones
 * `rope_parameters` with both; where a file has both, `rope_scaling` wins, as in
 * transformers 5. Formulas follow the papers named below and give
 * the numbers of Hugging Face transformers (`modeling_rope_utils`).
 */
import type { ConfigReader } from "./config.ts";
import type { RopeScaling } from "./ops.ts";

export interface Rotary {
  /** First elements of a head that are rotated; even. */
  readonly rotaryDim: number;
  readonly theta: number;
  readonly scaling?: RopeScaling;
  /** Neighbours turn together; absent: halves do. */
  readonly interleaved?: true;
}

/**
 * Reads the rotary keys of a config; `theta` is the family's default base. Layers of a
 * `type` may turn apart from the others; without it all must turn alike.
 */
export function readRotary(
  config: ConfigReader,
  headDim: number,
  theta = 10_000,
  type?: (typeof LAYER_TYPES)[number],
): Rotary {
  if (type === undefined) checkAlike(config);
  const section = ropeSection(config, type);
  const base =
    section?.optionalNumber("rope_theta") ??
    config.optionalNumber("rotary_emb_base") ??
    config.number("rope_theta", theta);
  const part =
    section?.optionalNumber("partial_rotary_factor") ??
    config.optionalNumber("rotary_pct") ??
    config.optionalNumber("rotary_emb_fraction") ??
    config.number("partial_rotary_factor", 1);
  const rotaryDim = Math.floor(headDim * part);
  if (rotaryDim < 2 || rotaryDim % 2 !== 0)
    config.fail("partial_rotary_factor", `a share of ${headDim} that is an even number ≥ 2`);
  const scaling = section && readScaling(section, config);
  return { rotaryDim, theta: base, ...(scaling && { scaling }) };
}

const LAYER_TYPES = ["full_attention", "sliding_attention", "chunked_attention"] as const;

const sectionKey = (config: ConfigReader): string =>
  config.has("rope_scaling") ? "rope_scaling" : "rope_parameters";

/** The section that describes the rotation, of layers of a type where there are several; undefined: none does. */
export function ropeSection(
  config: ConfigReader,
  type?: (typeof LAYER_TYPES)[number],
): ConfigReader | undefined {
  const section = config.section(sectionKey(config));
  const nested = LAYER_TYPES.flatMap((each) => section?.section(each) ?? []);
  const own = type && section?.section(type);
  return own ?? nested[0] ?? section;
}

function checkAlike(config: ConfigReader): void {
  const key = sectionKey(config);
  const section = config.section(key);
  const told = LAYER_TYPES.flatMap((type) => JSON.stringify(section?.raw(type)) ?? []);
  if (new Set(told).size > 1)
    config.fail(key, "the same for all layer types: layers of this family turn alike");
}

type RopeType = RopeScaling["kind"] | "default";

/** Older and further names of the same formulas. */
const ALIASES: Readonly<Record<string, RopeType>> = {
  su: "longrope",
  mrope: "default",
  deepseek_yarn: "yarn",
  deepseek_llama_scaling: "yarn",
};

/** `rope_type`, in older files `type`. */
export function ropeType(section: ConfigReader): RopeType {
  const key = section.has("rope_type") ? "rope_type" : "type";
  const alias = ALIASES[String(section.raw(key))];
  if (alias !== undefined) return alias;
  const kinds = ["default", "linear", "llama3", "yarn", "dynamic", "longrope"] as const;
  return section.choice(key, kinds, "default");
}

function readScaling(section: ConfigReader, config: ConfigReader): RopeScaling | undefined {
  const kind = ropeType(section);
  if (kind === "default") return undefined;
  const context = config.optionalInteger("max_position_embeddings") ?? 2048;
  const original =
    section.optionalInteger("original_max_position_embeddings") ??
    config.integer("original_max_position_embeddings", context);
  const some = <Name extends string>(name: Name, value: number | undefined) =>
    (value === undefined ? {} : { [name]: value }) as { readonly [key in Name]?: number };
  // A factor that is null is 1, as in vLLM.
  const unsaid =
    kind === "longrope" ? context / original : section.mentions("factor") ? 1 : undefined;
  const factor = section.number("factor", unsaid);
  return {
    kind,
    factor,
    originalContext: original,
    ...(kind === "llama3" && {
      lowFrequencyFactor: section.number("low_freq_factor"),
      highFrequencyFactor: section.number("high_freq_factor"),
    }),
    ...(kind === "longrope" && longFactors(section)),
    ...some("betaFast", section.optionalNumber("beta_fast")),
    ...some("betaSlow", section.optionalNumber("beta_slow")),
    ...some("attentionFactor", section.optionalNumber("attention_factor")),
    ...some("mscale", section.optionalNumber("mscale")),
    ...some("mscaleAllDim", section.optionalNumber("mscale_all_dim")),
    ...(section.has("truncate") && { truncate: section.boolean("truncate") }),
  };
}

/** A factor a pair, for texts within the original context and for longer ones; absent where a config has none. */
function longFactors(section: ConfigReader): Pick<RopeScaling, "shortFactors" | "longFactors"> {
  const list = (key: string): readonly number[] => {
    const value = section.raw(key);
    if (Array.isArray(value) && value.every((item) => typeof item === "number")) return value;
    return section.fail(key, "a list of numbers");
  };
  if (!section.has("long_factor")) return {};
  return { shortFactors: list("short_factor"), longFactors: list("long_factor") };
}

/** Frequencies of one head and the factor on its cosines and sines. */
export interface RotaryTable {
  /** Radians a position, one per pair of elements `[rotaryDim / 2]`. */
  readonly frequencies: Float64Array;
  /** 1 but for YaRN and LongRoPE. */
  readonly amplitude: number;
}

/**
 * The table of a rotary description for texts of up to `positions`. `dynamic` would rescale
 * by the length of each text once it is beyond the original context; here, as in vLLM, it
 * never does, and `longrope` goes by the longest text that is served. Throws for `longrope`
 * without its lists of factors.
 */
export function rotaryTable(rotary: Rotary, positions = 0): RotaryTable {
  const half = rotary.rotaryDim / 2;
  const plain = Float64Array.from({ length: half }, (_, pair) => rotary.theta ** (-pair / half));
  const scaling = rotary.scaling;
  switch (scaling?.kind) {
    case undefined:
    case "dynamic":
      return { frequencies: plain, amplitude: 1 };
    case "linear":
      return { frequencies: plain.map((frequency) => frequency / scaling.factor), amplitude: 1 };
    case "llama3":
      return { frequencies: plain.map((frequency) => llama3(frequency, scaling)), amplitude: 1 };
    case "yarn":
      return yarn(plain, rotary, scaling);
    case "longrope":
      return longrope(plain, scaling, positions);
  }
}

/** Llama 3.1: long wavelengths are stretched, short ones kept, a ramp between. */
function llama3(frequency: number, scaling: RopeScaling): number {
  const low = scaling.lowFrequencyFactor ?? 1;
  const high = scaling.highFrequencyFactor ?? 4;
  const turns = (scaling.originalContext * frequency) / (2 * Math.PI);
  if (turns < low) return frequency / scaling.factor;
  if (turns > high) return frequency;
  const kept = (turns - low) / (high - low);
  return (1 - kept) * (frequency / scaling.factor) + kept * frequency;
}

/** LongRoPE (Ding et al. 2024): a searched factor for every pair, and warmer attention (Phi-3's formula). */
function longrope(plain: Float64Array, scaling: RopeScaling, positions: number): RotaryTable {
  const { factor, originalContext, shortFactors, longFactors, attentionFactor } = scaling;
  const factors = positions > originalContext ? longFactors : shortFactors;
  if (factors?.length !== plain.length)
    throw new Error(
      `rope_scaling "longrope" needs short_factor and long_factor of ${plain.length}`,
    );
  const warmth = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalContext));
  return {
    frequencies: plain.map((frequency, pair) => frequency / (factors[pair] ?? 1)),
    amplitude: attentionFactor ?? warmth,
  };
}

/** YaRN (Peng et al. 2023, §3.2–3.4): a ramp over pairs, and warmer attention. */
function yarn(plain: Float64Array, rotary: Rotary, scaling: RopeScaling): RotaryTable {
  const { rotaryDim, theta } = rotary;
  const { factor, originalContext } = scaling;
  /** Pair that turns so many times within the original context. */
  const pairOf = (turns: number): number =>
    (rotaryDim * Math.log(originalContext / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const round = scaling.truncate ?? true;
  const first = pairOf(scaling.betaFast ?? 32);
  const last = pairOf(scaling.betaSlow ?? 1);
  const begin = Math.max(round ? Math.floor(first) : first, 0);
  const end = Math.min(round ? Math.ceil(last) : last, rotaryDim - 1);
  const width = end === begin ? 0.001 : end - begin;
  const frequencies = plain.map((frequency, pair) => {
    const stretched = Math.min(Math.max((pair - begin) / width, 0), 1);
    return stretched * (frequency / factor) + (1 - stretched) * frequency;
  });
  return { frequencies, amplitude: yarnAmplitude(scaling) };
}

/** What YaRN warms attention by where the keys `mscale` say it apart from the rotation (DeepSeek); else 1. */
export function yarnWarmth({ scaling }: Rotary): number {
  if (scaling?.kind !== "yarn" || !scaling.mscaleAllDim || scaling.factor <= 1) return 1;
  return 0.1 * scaling.mscaleAllDim * Math.log(scaling.factor) + 1;
}

function yarnAmplitude({ factor, attentionFactor, mscale, mscaleAllDim }: RopeScaling): number {
  if (attentionFactor !== undefined) return attentionFactor;
  const warmth = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  return mscale && mscaleAllDim ? warmth(mscale) / warmth(mscaleAllDim) : warmth(1);
}
