/**
 * Rotary position embedding: what config.json says of it, and its frequencies.
 * Older files have `rope_theta` and `rope_scaling` side by side, newer ones
 * `rope_parameters` with both. Formulas follow the papers named below and give
 * the numbers of Hugging Face transformers (`modeling_rope_utils`).
 */
import type { ConfigReader } from "./config.ts";
import type { RopeScaling } from "./ops.ts";

export interface Rotary {
  /** First elements of a head that are rotated; even. */
  readonly rotaryDim: number;
  readonly theta: number;
  readonly scaling?: RopeScaling;
}

/** Reads the rotary keys of a config; `theta` is the family's default base. */
export function readRotary(config: ConfigReader, headDim: number, theta = 10_000): Rotary {
  const nested = config.section("rope_parameters");
  const scaled = nested ?? config.section("rope_scaling");
  const base = nested?.optionalNumber("rope_theta") ?? config.number("rope_theta", theta);
  const part =
    nested?.optionalNumber("partial_rotary_factor") ?? config.number("partial_rotary_factor", 1);
  const rotaryDim = Math.floor(headDim * part);
  if (rotaryDim < 2 || rotaryDim % 2 !== 0)
    config.fail("partial_rotary_factor", `a share of ${headDim} that is an even number ≥ 2`);
  const scaling = scaled && readScaling(scaled, config);
  return { rotaryDim, theta: base, ...(scaling && { scaling }) };
}

function readScaling(section: ConfigReader, config: ConfigReader): RopeScaling | undefined {
  const key = section.has("rope_type") ? "rope_type" : "type";
  const kind = section.choice(
    key,
    ["default", "linear", "llama3", "yarn", "dynamic", "longrope"],
    "default",
  );
  if (kind === "default") return undefined;
  const context = config.integer("max_position_embeddings");
  const original =
    section.optionalInteger("original_max_position_embeddings") ??
    config.integer("original_max_position_embeddings", context);
  const some = <Name extends string>(name: Name, value: number | undefined) =>
    (value === undefined ? {} : { [name]: value }) as { readonly [key in Name]?: number };
  const factor =
    kind === "longrope" ? section.number("factor", context / original) : section.number("factor");
  return {
    kind,
    factor,
    originalContext: original,
    ...(kind === "llama3" && {
      lowFrequencyFactor: section.number("low_freq_factor"),
      highFrequencyFactor: section.number("high_freq_factor"),
    }),
    ...some("betaFast", section.optionalNumber("beta_fast")),
    ...some("betaSlow", section.optionalNumber("beta_slow")),
    ...some("attentionFactor", section.optionalNumber("attention_factor")),
    ...some("mscale", section.optionalNumber("mscale")),
    ...some("mscaleAllDim", section.optionalNumber("mscale_all_dim")),
    ...(section.has("truncate") && { truncate: section.boolean("truncate") }),
  };
}

/** Frequencies of one head and the factor on its cosines and sines. */
export interface RotaryTable {
  /** Radians a position, one per pair of elements `[rotaryDim / 2]`. */
  readonly frequencies: Float64Array;
  /** 1 but for YaRN. */
  readonly amplitude: number;
}

/**
 * The table of a rotary description. `dynamic` rescales only beyond its
 * original context, where no sequence of ours goes: there it equals no scaling.
 * Throws for `longrope`, whose factor lists are not read.
 */
export function rotaryTable(rotary: Rotary): RotaryTable {
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
      throw new Error('rope_scaling "longrope" can be priced but not computed');
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

function yarnAmplitude({ factor, attentionFactor, mscale, mscaleAllDim }: RopeScaling): number {
  if (attentionFactor !== undefined) return attentionFactor;
  const warmth = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  return mscale && mscaleAllDim ? warmth(mscale) / warmth(mscaleAllDim) : warmth(1);
}
