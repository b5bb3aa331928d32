/**
 * 80 % bands of predictions: half-widths in logs that four fifths of the rows
 * keep when their model is left out of the fit (`trainyard validate`). A chip
 * without published figures has twice the band.
 */
import type { Nanos } from "../clock.ts";
import type { ChipSpec } from "./chips/chip.ts";

export type BandKind = "dense decode" | "MoE decode" | "prefill" | "serving";

/** From the leave-one-model-out table of 2026-11-23. */
const HALF_WIDTH: Readonly<Record<BandKind, number>> = Object.freeze({
  "dense decode": 0.1,
  "MoE decode": 0.09,
  prefill: 0.2,
  serving: 0.2,
});

const UNCALIBRATED = 2;

export interface Band {
  readonly low: Nanos;
  readonly high: Nanos;
  /** Does it rest on figures of this chip, or on those of another? */
  readonly extrapolated: boolean;
}

export function bandOf(nanos: Nanos, kind: BandKind, chip: ChipSpec): Band {
  const half = HALF_WIDTH[kind] * (chip.calibrated ? 1 : UNCALIBRATED);
  return {
    low: nanos * Math.exp(-half),
    high: nanos * Math.exp(half),
    extrapolated: !chip.calibrated,
  };
}
