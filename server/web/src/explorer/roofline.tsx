/** Operations under the roofline, on logarithmic axes. */

import { rooflineOf } from "../../../../device/trainium/profile/roofline.ts";
import type { Figure } from "../../../../scripts/report/plot.ts";
import { Chart } from "../charts/chart.tsx";
import { digits } from "../figures.ts";
import { Table } from "../table.tsx";
import type { ShownProfile } from "./profile.ts";
import { timeText } from "./time-text.ts";

export function RooflineView({ profile }: { readonly profile: ShownProfile }) {
  const { totals, duration } = profile;
  const roofline = totals && rooflineOf(totals);
  if (roofline === undefined || roofline.points.length === 0) {
    return <p class="note">This profile does not say what its operations compute and read.</p>;
  }
  const { points, peak, ridge } = roofline;
  const least = Math.min(ridge, ...points.map(({ intensity }) => intensity)) / 2;
  const most = Math.max(ridge, ...points.map(({ intensity }) => intensity)) * 4;
  const figure: Figure = {
    title: "Roofline of one rank",
    subtitle: `HBM ${digits(peak.bytes / 1e9)} GB/s, arrays ${digits(peak.flops / 1e12)} TFLOP/s, ridge at ${digits(ridge)} FLOP a byte`,
    x: { label: "FLOP a byte of HBM", type: "log10" },
    y: { label: "TFLOP/s", type: "log10" },
    radius: 5,
    series: [
      {
        name: "roof",
        colour: 7,
        points: [least, ridge, most].map((x) => ({
          x,
          y: Math.min(peak.flops, x * peak.bytes) / 1e12,
          bare: true,
        })),
      },
      ...points.slice(0, 12).map(({ name, intensity, rate }, index) => ({
        name,
        colour: index % 7,
        points: [{ x: intensity, y: rate / 1e12, label: name.split(": ")[0] ?? name }],
      })),
    ],
  };
  return (
    <>
      <Chart figure={figure} height={400} />
      <Table
        title="Under the roof"
        note="of the roof: what it reaches of what its intensity allows"
        head={["operation", "time", "share", "FLOP a byte", "TFLOP/s", "of the roof"]}
        rows={points.map((point) => [
          point.name,
          { text: timeText(point.nanos), value: point.nanos },
          {
            text: `${digits((100 * point.nanos) / duration)} %`,
            value: point.nanos / duration,
            share: point.nanos / duration,
          },
          { text: digits(point.intensity), value: point.intensity },
          { text: digits(point.rate / 1e12), value: point.rate / 1e12 },
          { text: `${digits(100 * point.ofRoof)} %`, value: point.ofRoof, share: point.ofRoof },
        ])}
      />
    </>
  );
}
