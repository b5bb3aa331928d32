/** Operations under the roofline: FLOP a byte across, FLOP a second up, for one rank. */
import type { Totals } from "./profile.ts";

export interface RooflinePoint {
  readonly name: string;
  /** FLOP a byte of HBM. */
  readonly intensity: number;
  /** FLOP a second while it runs. */
  readonly rate: number;
  /** Share of what the roof allows at that intensity. */
  readonly ofRoof: number;
  readonly nanos: number;
}

export interface Roofline {
  /** FLOP and bytes a second. */
  readonly peak: { readonly flops: number; readonly bytes: number };
  /** FLOP a byte where the two roofs meet. */
  readonly ridge: number;
  /** Dearest first; ops without products or without bytes are none. */
  readonly points: readonly RooflinePoint[];
}

export function rooflineOf({ ops, peak }: Pick<Totals, "ops" | "peak">): Roofline {
  const points = ops
    .filter(({ flops, bytes, nanos }) => flops > 0 && bytes > 0 && nanos > 0)
    .map(({ name, flops, bytes, nanos }) => {
      const intensity = flops / bytes;
      const rate = flops / (nanos / 1e9);
      const roof = Math.min(peak.flops, intensity * peak.bytes);
      return { name, intensity, rate, ofRoof: rate / roof, nanos };
    });
  return { peak, ridge: peak.flops / peak.bytes, points };
}
