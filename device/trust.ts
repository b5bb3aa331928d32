/** How far simulated times can be believed, as every surface tells it: tiers, bands as factors, and what is extrapolated. */

/**
 * How far a set-up lies from what was measured. *Calibrated*: near to published tables
 * of its kind. *Related*: some table knows the like. *Unknown*: all else.
 */
export type Tier = "calibrated" | "related" | "unknown";

/** The 80 % band lies between predicted ÷ factor and predicted × factor. */
export interface TieredBand {
  readonly tier: Tier;
  readonly factor: number;
}

export interface Trust {
  readonly decode: TieredBand;
  readonly prefill: TieredBand;
  readonly serving: TieredBand;
  /** In words; absent: nothing is. */
  readonly extrapolated?: string;
}

/** `decode calibrated ×÷ 1.10, prompts related ×÷ 1.57, serving unknown ×÷ 1.46`, and what is extrapolated. */
export function trustText({ decode, prefill, serving, extrapolated }: Trust): string {
  const told = ({ tier, factor }: TieredBand): string => `${tier} ×÷ ${factor.toFixed(2)}`;
  const tail = extrapolated === undefined ? "" : `; extrapolated: ${extrapolated}`;
  return `decode ${told(decode)}, prompts ${told(prefill)}, serving ${told(serving)}${tail}`;
}
