/** How far the prices of a plan can be believed, as every surface tells it: tiers, bands as factors, and what is extrapolated. */
import { ALL_CONSTANTS } from "../constants.ts";
import type { Plan } from "../plan.ts";
import { bandOf } from "./bands.ts";
import type { CoverageKind } from "./covered.ts";
import { pathOf, type Tier } from "./tier.ts";

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

export function trustOf(plan: Plan): Trust {
  const band = (kind: CoverageKind): TieredBand => {
    const { tier, factor } = bandOf(1, kind, plan);
    return { tier, factor: Number(factor.toPrecision(3)) };
  };
  const extrapolated = extrapolatedOf(plan);
  return {
    decode: band(pathOf(plan).startsWith("dense") ? "dense decode" : "MoE decode"),
    prefill: band("prefill"),
    serving: band("serving"),
    ...(extrapolated !== undefined && { extrapolated }),
  };
}

/** What no published figure stands behind: constants of a core that is taken for another's, or figures of a what-if. */
function extrapolatedOf({ instance }: Plan): string | undefined {
  const { chip, changes } = instance;
  const suffix = `.${chip.core}`;
  const borrowed = ALL_CONSTANTS.filter(
    ({ key, source }) => key.endsWith(suffix) && source.endsWith("extrapolated"),
  ).map(({ key, source }) => `${key.slice(0, -suffix.length)} ${source.split(";")[0]}`);
  const words = [
    ...(changes === undefined ? [] : [`what if ${changes}`]),
    ...(borrowed.length === 0 ? [] : [`constants of ${chip.name}: ${borrowed.join(", ")}`]),
  ];
  if (words.length === 0) return chip.calibrated ? undefined : `no figure of ${chip.name}`;
  return words.join("; ");
}

/** `decode calibrated ×÷ 1.10, prompts related ×÷ 1.57, serving unknown ×÷ 1.46`, and what is extrapolated. */
export function trustText({ decode, prefill, serving, extrapolated }: Trust): string {
  const told = ({ tier, factor }: TieredBand): string => `${tier} ×÷ ${factor.toFixed(2)}`;
  const tail = extrapolated === undefined ? "" : `; extrapolated: ${extrapolated}`;
  return `decode ${told(decode)}, prompts ${told(prefill)}, serving ${told(serving)}${tail}`;
}
