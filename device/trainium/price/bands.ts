/**
 * 80 % bands of predictions: half-widths in logs that hold four fifths of the rows
 * whose model was left out of the fit (conformal quantiles, `trainyard validate`).
 * What no row of that kind was measured for has twice the band.
 */
import type { Nanos } from "../../clock.ts";
import type { ChipSpec } from "../chips/chip.ts";

export type BandKind =
  | "dense decode"
  | "MoE decode"
  | "prefill"
  | "serving"
  | "kernels"
  | "collectives";

/**
 * From the leave-one-model-out table of 2026-11-26. Served constants stay when a model is left out, so serving has
 * what the 70B's TGI table asks for when it is priced with optimum-neuron's. Kernels and collectives: in sample.
 */
const HALF_WIDTH: Readonly<Record<BandKind, number>> = Object.freeze({
  "dense decode": 0.075,
  "MoE decode": 0.086,
  prefill: 0.319,
  serving: 0.12,
  kernels: 0.05,
  collectives: 0.08,
});

const UNCALIBRATED = 2;

export interface Band {
  readonly low: Nanos;
  readonly high: Nanos;
  /** Does it rest on figures of this chip, or on those of another? */
  readonly extrapolated: boolean;
}

/** Half-width in logs; undefined for a kind without a band. */
export function halfWidth(kind: string, calibrated: boolean): number | undefined {
  const half = Object.hasOwn(HALF_WIDTH, kind) ? HALF_WIDTH[kind as BandKind] : undefined;
  return half === undefined ? undefined : half * (calibrated ? 1 : UNCALIBRATED);
}

export function bandOf(nanos: Nanos, kind: BandKind, chip: ChipSpec): Band {
  const half = HALF_WIDTH[kind] * (chip.calibrated ? 1 : UNCALIBRATED);
  return {
    low: nanos * Math.exp(-half),
    high: nanos * Math.exp(half),
    extrapolated: !chip.calibrated,
  };
}
