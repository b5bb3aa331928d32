/** Frontiers as a figure: interactivity across, users up, both logarithmic, bands along the pace. */
import { drawFigure } from "../../report/figure.ts";
import type { FigurePoint } from "../../report/plot.ts";

export interface Frontier {
  readonly name: string;
  readonly points: readonly Point[];
  /** Half-width of the pace's 80 % band, in logs. */
  readonly band: number;
}

interface Point {
  readonly users: number;
  /** Tokens a second and user. */
  readonly rate: number;
}

export function frontierChart(title: string, frontiers: readonly Frontier[]): string {
  return drawFigure({
    title,
    subtitle: "Best configuration at every pace; bands of 80 %.",
    x: { label: "tokens/s that one user gets", type: "log10" },
    y: { label: "users served", type: "log10" },
    series: frontiers.map(({ name, points, band }) => ({
      name,
      points: frontierOf(points).map(
        ({ users, rate }): FigurePoint => ({
          x: rate,
          y: users,
          low: { x: rate * Math.exp(-band), y: users },
          high: { x: rate * Math.exp(band), y: users },
        }),
      ),
    })),
  });
}

/** Points that no other beats in both, by rising rate. */
function frontierOf(points: readonly Point[]): readonly Point[] {
  const best: Point[] = [];
  for (const point of [...points].sort((a, b) => b.rate - a.rate)) {
    if (point.users > (best[best.length - 1]?.users ?? 0)) best.push(point);
  }
  return best.reverse();
}
