/** How far the prices of a plan can be believed. */
import type { TieredBand, Trust } from "../../trust.ts";
import { ALL_CONSTANTS } from "../constants.ts";
import type { Plan } from "../plan.ts";
import { bandOf } from "./bands.ts";
import type { CoverageKind } from "./covered.ts";
import { pathOf } from "./tier.ts";

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
