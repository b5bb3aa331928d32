/** One chart as SVG text: lines with points, bands where simulated, a legend above. */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

export interface FigurePoint {
  readonly x: number;
  readonly y: number;
  /** (optional) Ends of the uncertainty, as positions: the point lies between them. */
  readonly low?: { readonly x: number; readonly y: number };
  readonly high?: { readonly x: number; readonly y: number };
  readonly label?: string;
}

export interface Figure {
  readonly title: string;
  readonly subtitle: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

export interface Series {
  readonly name: string;
  readonly points: readonly FigurePoint[];
  /** (optional) Place in the palette; absent: its place in the list. */
  readonly colour?: number;
  /** (optional) SVG dash pattern; absent: solid. */
  readonly dash?: string;
}

export interface Axis {
  readonly label: string;
  readonly type?: "linear" | "log2" | "log10";
}

export const FIGURE = { width: 620, height: 420, head: 64 };
const FONT = "system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif";
/** Told apart with common colour-vision deficiencies (after Okabe and Ito), dark enough on white. */
const COLOURS = [
  "#0072b2",
  "#d55e00",
  "#008f68",
  "#8f5bb0",
  "#b8860b",
  "#c2417c",
  "#3b8fb8",
  "#555",
];

export function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? "#555";
}

export function drawFigure(figure: Figure): string {
  const series = figure.series.map((line, index) => ({
    ...line,
    colour: colourOf(line.colour ?? index),
    points: line.points.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y)),
  }));
  const legend = legendRows(series);
  const head = FIGURE.head + (legend.rows - 1) * 17;
  const body = plotSvg(figure, series);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${FIGURE.width}" height="${FIGURE.height + head}" viewBox="0 0 ${FIGURE.width} ${FIGURE.height + head}" role="img" aria-label="${escapeXml(`${figure.title}. ${figure.subtitle}`)}" font-family="${FONT}">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="14" y="21" font-size="15" font-weight="600" fill="#1a1a1a">${escapeXml(figure.title)}</text>`,
    `<text x="14" y="39" font-size="11" fill="#666">${escapeXml(figure.subtitle)}</text>`,
    legend.svg,
    `<g transform="translate(0 ${head})">${body}</g>`,
    "</svg>",
  ].join("");
}

type Line = Omit<Series, "colour"> & { readonly colour: string };

function plotSvg(figure: Figure, series: readonly Line[]): string {
  const { document } = parseHTML("<html><body></body></html>");
  const marks: Plot.Markish[] = [];
  for (const { points, colour } of series) marks.push(...bandMarks(points, colour));
  const fits = labelRoom(series);
  for (const { points, colour, dash } of series) {
    marks.push(
      Plot.line(points, {
        x: "x",
        y: "y",
        stroke: colour,
        strokeWidth: 2,
        ...(dash === undefined ? {} : { strokeDasharray: dash }),
        strokeLinejoin: "round",
      }),
      Plot.dot(points, { x: "x", y: "y", r: 3, fill: colour, stroke: "#fff", strokeWidth: 1 }),
    );
    marks.push(
      Plot.text(points.filter(fits), {
        x: "x",
        y: "y",
        text: "label",
        dx: 7,
        dy: -7,
        fontSize: 9,
        fill: colour,
        textAnchor: "start",
        stroke: "#fff",
        strokeWidth: 3,
      }),
    );
  }
  const axis = (of: Axis, fromZero: boolean): Plot.ScaleOptions => ({
    label: of.label,
    grid: true,
    labelAnchor: "center",
    ...(of.type === "log2" || of.type === "log10"
      ? { type: "log", base: of.type === "log2" ? 2 : 10, tickFormat: tickText }
      : { zero: fromZero, nice: true, tickFormat: tickText }),
  });
  const svg = Plot.plot({
    document, // linkedom has what Plot calls
    width: FIGURE.width,
    height: FIGURE.height,
    marginLeft: 64,
    marginBottom: 44,
    marginRight: 28,
    marginTop: 12,
    style: { fontFamily: FONT, fontSize: "11px", color: "#444", background: "#fff" },
    x: axis(figure.x, true),
    y: axis(figure.y, true),
    marks,
  });
  return (svg as unknown as { outerHTML: string }).outerHTML;
}

/** Width and height of a label's place, in pixels. */
const LABEL = { width: 22, height: 11 };

/** Tells which labels are drawn: those that no label drawn before covers. Of axes from zero. */
function labelRoom(series: readonly Line[]): (point: FigurePoint) => boolean {
  const all = series.flatMap(({ points }) => points);
  const across = FIGURE.width / Math.max(...all.map(({ x }) => x));
  const up = FIGURE.height / Math.max(...all.map(({ y }) => y));
  const drawn: FigurePoint[] = [];
  return (point) => {
    const covered = drawn.some(
      ({ x, y }) =>
        Math.abs(x - point.x) * across < LABEL.width && Math.abs(y - point.y) * up < LABEL.height,
    );
    if (covered || point.label === undefined) return false;
    drawn.push(point);
    return true;
  };
}

function bandMarks(points: readonly FigurePoint[], colour: string): Plot.Markish[] {
  const banded = points.flatMap(({ low, high }) =>
    low === undefined || high === undefined
      ? []
      : [{ x1: low.x, y1: low.y, x2: high.x, y2: high.y }],
  );
  const sides = [...banded].sort((a, b) => a.y1 - b.y1 || a.x1 - b.x1);
  const fill = { fill: colour, fillOpacity: 0.13 };
  if (banded.length === 0) return [];
  if (banded.every((row) => row.y1 === row.y2)) {
    return [Plot.areaX(sides, { x1: "x1", x2: "x2", y: "y1", ...fill })];
  }
  if (banded.every((row) => row.x1 === row.x2)) {
    return [Plot.areaY(banded, { x: "x1", y1: "y1", y2: "y2", ...fill })];
  }
  return [
    Plot.link(banded, {
      x1: "x1",
      y1: "y1",
      x2: "x2",
      y2: "y2",
      stroke: colour,
      strokeOpacity: 0.28,
      strokeWidth: 5,
      strokeLinecap: "round",
    }),
  ];
}

/** 1500 → 1.5k; powers and small numbers as they are. */
export function tickText(value: number): string {
  if (Math.abs(value) >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (Math.abs(value) >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(4)));
}

function legendRows(entries: readonly Line[]): {
  svg: string;
  rows: number;
} {
  let x = 14;
  let rows = 1;
  const parts: string[] = [];
  for (const { name, colour, dash } of entries) {
    const width = 32 + name.length * 6.3;
    if (x > 14 && x + width > FIGURE.width - 10) {
      x = 14;
      rows++;
    }
    const y = 56 + (rows - 1) * 17;
    parts.push(
      `<line x1="${x}" x2="${x + 18}" y1="${y - 5}" y2="${y - 5}" stroke="${colour}" stroke-width="2.5"${dash === undefined ? "" : ` stroke-dasharray="${dash}"`}/>`,
      `<text x="${x + 23}" y="${y - 1}" font-size="11" fill="#333">${escapeXml(name)}</text>`,
    );
    x += width;
  }
  return { svg: parts.join(""), rows };
}

export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
