/**
 * 80 % bands of predictions by what is predicted and how far it lies from what was
 * measured: half-widths, in logarithms, that hold four fifths of the rows of a table
 * left out of the fit, each table counting once (validation/left-out.json). They hold
 * the spread between tables, which no constant knows.
 */
import type { Nanos } from "../../clock.ts";
import type { Tier } from "../../trust.ts";
import type { Plan } from "../plan.ts";
import type { CoverageKind } from "./covered.ts";
import { tierOf } from "./tier.ts";

/** From left-out.json, which a test holds them to. Tiers of fewer than eight tables share the last. */
export const HALF_WIDTHS: Readonly<
  Record<CoverageKind, Readonly<Record<Exclude<Tier, "unknown">, number>>>
> = Object.freeze({
  "dense decode": { calibrated: 0.1227, related: 0.395 },
  "MoE decode": { calibrated: 0.395, related: 0.395 },
  prefill: { calibrated: 0.3466, related: 0.4369 },
  serving: { calibrated: 0.2732, related: 0.395 },
});

/** Of every unknown plan, whatever is predicted. */
export const UNKNOWN_HALF_WIDTH = 0.395;

/** A chip of which nothing is published has a band twice as wide. */
const UNCALIBRATED = 2;

/** Of kernels and collectives, in sample: their rows are their constants' own sources. */
const SOURCES: Readonly<Record<string, number>> = { kernels: 0.05, collectives: 0.08 };

export interface Band {
  readonly low: Nanos;
  readonly high: Nanos;
  readonly tier: Tier;
  /** The band as a factor either way. */
  readonly factor: number;
  /** Does it rest on figures of this chip, or on those of another? */
  readonly extrapolated: boolean;
}

/** Half-width in logs; undefined for a kind without a band. */
export function halfWidth(kind: string, tier: Tier): number | undefined {
  if (Object.hasOwn(SOURCES, kind)) return SOURCES[kind];
  if (!Object.hasOwn(HALF_WIDTHS, kind)) return undefined;
  return tier === "unknown" ? UNKNOWN_HALF_WIDTH : HALF_WIDTHS[kind as CoverageKind][tier];
}

export function bandOf(nanos: Nanos, kind: CoverageKind, plan: Plan): Band {
  const tier = tierOf(plan, kind);
  const half = halfWidth(kind, tier) ?? UNKNOWN_HALF_WIDTH;
  const factor = Math.exp(half * (plan.instance.chip.calibrated ? 1 : UNCALIBRATED));
  return {
    low: nanos / factor,
    high: nanos * factor,
    tier,
    factor,
    extrapolated: !plan.instance.chip.calibrated,
  };
}
