/** A figure read at one place: every line between the points around it, on the axes as they are drawn. */
import type { Axis, Figure } from "./plot.ts";

export interface Reading {
  readonly name: string;
  readonly y: number;
}

type Map = (value: number) => number;

/** An axis as it is drawn, there and back. */
function scaleOf({ type }: Axis): readonly [Map, Map] {
  const same: Map = (value) => value;
  return type === undefined || type === "linear" ? [same, same] : [Math.log, Math.exp];
}

/** Lines that do not reach `x` are left out, and dots without a line. */
export function readFigure({ x: across, y: up, series }: Figure, x: number): readonly Reading[] {
  const [flat] = scaleOf(across);
  const [rise, back] = scaleOf(up);
  return series.flatMap(({ name, points, loose }) => {
    if (loose === true) return [];
    const sorted = [...points].sort((a, b) => a.x - b.x);
    const exact = sorted.find((point) => point.x === x);
    if (exact !== undefined) return [{ name, y: exact.y }];
    const after = sorted.findIndex((point) => point.x > x);
    const [low, high] = [sorted[after - 1], sorted[after]];
    if (low === undefined || high === undefined) return [];
    const share = (flat(x) - flat(low.x)) / (flat(high.x) - flat(low.x));
    return [{ name, y: back(rise(low.y) + share * (rise(high.y) - rise(low.y))) }];
  });
}
