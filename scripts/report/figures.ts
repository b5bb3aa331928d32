/**
 * The figures of a sweep, in the order of the report. The first two say the most:
 * how many users at which speed, and what the system gives at which load.
 */
import type { Latency } from "../load/metrics.ts";
import { frontier } from "./frontier.ts";
import type { Figure, FigurePoint } from "./plot.ts";
import { bandText, INTERACTIVITY, type InteractivityName, type Point, seriesOf } from "./point.ts";
import { commonParts } from "./series.ts";

const inferencex = INTERACTIVITY.inferencex;

export function sweepFigures(points: readonly Point[]): Figure[] {
  const perChip = points.filter((point) => point.chips !== undefined);
  return [
    users(points, "system"),
    ...(perChip.length > 0 ? [users(perChip, "chip")] : []),
    outputRate(points),
    definition(points, "inferencex"),
    definition(points, "vllm"),
    definition(points, "aiperf"),
    latency(points, "ttft", "Time to first token"),
    latency(points, "tpot", "Time per output token"),
    latency(points, "itl", "Inter-token latency"),
    latency(points, "e2el", "End-to-end latency"),
  ];
}

function users(points: readonly Point[], per: "system" | "chip"): Figure {
  return {
    title: `Users per ${per} against interactivity`,
    subtitle: `${workload(points)}; users = concurrency${per === "chip" ? " ÷ chips" : ""}`,
    x: { label: `tokens/s/user = ${inferencex.formula}` },
    y: { label: per === "chip" ? "users per chip" : "users", type: "log2" },
    series: lines(points, (point) => {
      const y = point.concurrency / (per === "chip" ? (point.chips ?? Number.NaN) : 1);
      return between(point, inferencex.of(point), y, "x");
    }),
  };
}

function outputRate(points: readonly Point[]): Figure {
  return {
    title: "Output tokens/s against concurrency",
    subtitle: `${workload(points)}; whole system`,
    x: { label: "concurrency (users)", type: "log2" },
    y: { label: "output tokens/s" },
    series: lines(points, (point) =>
      between(point, point.concurrency, point.outputThroughput, "y"),
    ),
  };
}

/** Each tool's own chart, with its own axes: aiperf draws throughput across and speed up. */
function definition(points: readonly Point[], name: InteractivityName): Figure {
  const { name: tool, formula, of } = INTERACTIVITY[name];
  const chips = points.every((point) => point.chips !== undefined);
  const unit = chips ? "/chip" : "";
  const total = name === "inferencex";
  const speed = { label: `tokens/s/user (${tool}) = ${formula}` };
  const rate = {
    label: `${total ? "input + output" : "output"} tokens/s${unit}`,
  };
  return {
    title: `Throughput against interactivity, as ${tool} defines them`,
    subtitle: `${workload(points)}; labels: concurrency`,
    x: name === "aiperf" ? rate : speed,
    y: name === "aiperf" ? speed : rate,
    series: lines(points, (point) => {
      const y = (total ? point.totalThroughput : point.outputThroughput) / (point.chips ?? 1);
      const drawn = name === "aiperf" ? [y, of(point)] : [of(point), y];
      return {
        ...between(point, drawn[0] ?? 0, drawn[1] ?? 0, "both"),
        label: String(point.concurrency),
      };
    }),
  };
}

const QUANTILES = [
  { key: "median", label: "p50" },
  { key: "p90", label: "p90", dash: "6 3" },
  { key: "p99", label: "p99", dash: "2 3" },
] as const;

/** One colour a system, one dash a quantile. */
function latency(points: readonly Point[], name: Latency, title: string): Figure {
  const names = seriesOf(points);
  const series = names.flatMap((line, colour) =>
    QUANTILES.map((quantile) => ({
      name: names.length > 1 ? `${line} ${quantile.label}` : quantile.label,
      colour,
      ...("dash" in quantile ? { dash: quantile.dash } : {}),
      points: points
        .filter((point) => point.series === line)
        .map((point) => ({ x: point.concurrency, y: point.latency[name][quantile.key] })),
    })),
  );
  return {
    title,
    subtitle: `${workload(points, false)}; p50, p90 and p99 over ${name === "itl" ? "all gaps" : "requests"}`,
    x: { label: "concurrency (users)", type: "log2" },
    y: { label: `${name.toUpperCase()} (ms)`, type: "log10" },
    series,
  };
}

/**
 * Throughput a chip against interactivity over all that was swept (chips, models, TP,
 * formats), and the best of any of them.
 */
export function paretoFigure(points: readonly Point[]): Figure {
  const perChip = points.every((point) => point.chips !== undefined);
  const drawn = (point: Point): FigurePoint => ({
    ...between(
      point,
      inferencex.of(point),
      point.outputThroughput / (perChip ? (point.chips ?? 1) : 1),
      "both",
    ),
    label: String(point.concurrency),
    measured: !point.simulated,
  });
  const series = lines(points, (point) => {
    const { low: _low, high: _high, ...plain } = drawn(point);
    return plain;
  });
  const best = frontier(points.map(drawn)).map(({ x, y }) => ({ x, y, bare: true }));
  return {
    title: `Output tokens/s${perChip ? " a chip" : ""} against interactivity`,
    subtitle: `${workload(points, false)}; labels: users; dashed: the best of all`,
    x: { label: `tokens/s/user = ${inferencex.formula}` },
    y: { label: `output tokens/s${perChip ? "/chip" : ""}` },
    series: [...series, { name: "best of all", colour: 7, dash: "5 4", points: best }],
  };
}

function lines(
  points: readonly Point[],
  draw: (point: Point) => FigurePoint,
): { name: string; points: FigurePoint[] }[] {
  return seriesOf(points).map((name) => ({
    name,
    points: points
      .filter((point) => point.series === name)
      .sort((a, b) => a.concurrency - b.concurrency)
      .map(draw),
  }));
}

/** Speeds are the inverse of time: a band [low, high] of times is [1/high, 1/low] of speeds. */
function between(point: Point, x: number, y: number, along: "x" | "y" | "both"): FigurePoint {
  if (point.band === undefined) return { x, y, ...(!point.simulated && { measured: true }) };
  const slow = 1 / point.band.high;
  const fast = 1 / point.band.low;
  const scale = (factor: number): { x: number; y: number } => ({
    x: along === "y" ? x : x * factor,
    y: along === "x" ? y : y * factor,
  });
  return { x, y, low: scale(slow), high: scale(fast) };
}

/** `banded`: the figure shades the band where there is one. */
function workload(points: readonly Point[], banded = true): string {
  const shapes = [
    ...new Set(points.map((point) => `${point.inputLen} in / ${point.outputLen} out`)),
  ];
  const models = [...new Set(points.map((point) => point.model))];
  const simulated = points.some((point) => point.simulated);
  // Several models are named by their lines.
  const common = commonParts(points);
  const what = [
    ...(models.length === 1 ? models : []),
    ...(common === "" ? [] : [common]),
    ...shapes,
  ].join(", ");
  return `${what}${simulated ? "; simulated" : ""}${banded ? bandsText(points) : ""}`;
}

/** The bands that are shaded, each named once by its tier. */
function bandsText(points: readonly Point[]): string {
  const bands = new Set(points.flatMap(({ band }) => (band === undefined ? [] : [bandText(band)])));
  return bands.size === 0 ? "" : `, shaded: 80 % band (${[...bands].join(", ")})`;
}
