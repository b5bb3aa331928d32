/**
 * What a user's own measurements say of a set-up: factors on the graphs of steps and of prompts, as
 * `trainyard calibrate` writes them. They are of one set-up, as a published table's own effect is.
 */

export interface Effects {
  /** On the time of decode graphs. */
  readonly decode: number;
  /** On the time of prompts' graphs. */
  readonly prefill: number;
}

export const NO_EFFECTS: Effects = Object.freeze({ decode: 1, prefill: 1 });

export const CALIBRATION_FORMAT = "trainyard-calibration/1";

/** Of a calibration file's text; throws naming what is wrong with it. */
export function readEffects(text: string): Effects {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`--calibration is not JSON: ${String(error)}`);
  }
  const its = value as { readonly format?: unknown; readonly effects?: Partial<Effects> } | null;
  if (typeof its !== "object" || its === null || its.format !== CALIBRATION_FORMAT)
    throw new Error(`--calibration: not a file of trainyard calibrate (${CALIBRATION_FORMAT}).`);
  const { decode, prefill } = its.effects ?? {};
  for (const [name, factor] of Object.entries({ decode, prefill })) {
    if (typeof factor !== "number" || !(factor > 0) || !Number.isFinite(factor))
      throw new Error(`--calibration: effects.${name} must be a number above 0.`);
  }
  return { decode: decode ?? 1, prefill: prefill ?? 1 };
}
