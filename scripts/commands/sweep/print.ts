/** The sweep in the terminal: one table, one chart. */
import { INTERACTIVITY, type Point, seriesOf } from "../../report/point.ts";
import { terminalChart } from "../../report/terminal.ts";

const COLUMNS: readonly (readonly [string, (point: Point) => string])[] = [
  ["users", (point) => String(point.concurrency)],
  ["tokens/s/user", (point) => INTERACTIVITY.inferencex.of(point).toFixed(1) + bandText(point)],
  ["tokens/s", (point) => point.outputThroughput.toFixed(0)],
  [
    "tokens/s/chip",
    (point) =>
      point.chips === undefined ? "-" : (point.outputThroughput / point.chips).toFixed(1),
  ],
  ["TTFT p50 ms", (point) => point.latency.ttft.median.toFixed(1)],
  ["TTFT p99 ms", (point) => point.latency.ttft.p99.toFixed(1)],
  ["TPOT p50 ms", (point) => point.latency.tpot.median.toFixed(2)],
  ["ITL p99 ms", (point) => point.latency.itl.p99.toFixed(2)],
  ["notices", (point) => point.notices.map((notice) => notice.code).join(" ")],
];

/** One block of rows a series; output tokens, interactivity as InferenceX defines it. */
export function sweepTable(points: readonly Point[]): string {
  const blocks: string[] = [];
  for (const series of seriesOf(points)) {
    const own = points.filter((point) => point.series === series);
    const first = own[0];
    if (first === undefined) continue;
    const title = `${first.model} on ${series}, ${first.inputLen} in / ${first.outputLen} out${first.simulated ? " (simulated)" : ""}`;
    blocks.push(`${title}\n${aligned([COLUMNS.map(([name]) => name), ...own.map(cells)])}`);
  }
  const { name, formula } = INTERACTIVITY.inferencex;
  return `${blocks.join("\n\n")}\n\ntokens/s/user: ${formula} (${name}); tokens/s: output tokens of the whole system.`;
}

export function sweepTerminal(points: readonly Point[]): string {
  const series = seriesOf(points).map((name) => ({
    name,
    points: points
      .filter((point) => point.series === name)
      .map((point) => ({ x: INTERACTIVITY.inferencex.of(point), y: point.concurrency })),
  }));
  return terminalChart(series, {
    xLabel: "tokens/s/user (1000 / median TPOT)",
    yLabel: "users",
    logY: true,
  });
}

/** Columns padded to their widest cell, numbers to the right. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padStart(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function cells(point: Point): string[] {
  return COLUMNS.map(([, of]) => of(point));
}

function bandText(point: Point): string {
  if (point.band === undefined) return "";
  const rate = INTERACTIVITY.inferencex.of(point);
  return ` (${(rate / point.band.high).toFixed(1)}–${(rate / point.band.low).toFixed(1)})`;
}
