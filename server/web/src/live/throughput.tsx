/** Tokens/s against concurrency, drawn as it happens: the curve since the start, and the last minute as a trail. */
import type { Figure } from "../../../../scripts/report/plot.ts";
import { Chart } from "../charts/chart.tsx";
import type { CurvePoint } from "./feed.ts";
import { BIN_SECONDS, type Bin } from "./track.ts";

export function throughputFigure(
  points: readonly CurvePoint[],
  bins: readonly Bin[],
): Figure | undefined {
  const trail = bins.filter(({ busy, tokens }) => busy > 0.8 * BIN_SECONDS && tokens > 0);
  if (points.length === 0) return undefined;
  return {
    title: "Output tokens/s against concurrency",
    subtitle: "measured while requests ran; dots: half seconds of the last minute",
    x: { label: "requests running" },
    y: { label: "output tokens/s" },
    series: [
      {
        name: "last minute",
        colour: 1,
        loose: true,
        points: trail.map((bin) => ({ x: bin.running / bin.busy, y: bin.tokens / BIN_SECONDS })),
      },
      {
        name: "since the start",
        colour: 0,
        points: points.map((point) => ({
          x: point.mean_running,
          y: point.output_tokens_per_second,
          measured: true,
        })),
      },
    ],
  };
}

export function Throughput({ figure }: { readonly figure: Figure | undefined }) {
  return figure === undefined ? null : <Chart figure={figure} height={300} />;
}
