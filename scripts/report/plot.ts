/**
 * A figure as marks of Observable Plot: lines with points, bands where simulated.
 * Drawn on whatever document is given: linkedom's on a server, the browser's own.
 */
import * as Plot from "@observablehq/plot";

export interface FigurePoint {
  readonly x: number;
  readonly y: number;
  /** (optional) Ends of the uncertainty, as positions: the point lies between them. */
  readonly low?: { readonly x: number; readonly y: number };
  readonly high?: { readonly x: number; readonly y: number };
  readonly label?: string;
  /** (optional) Drawn hollow: measured, where its neighbours are simulated. */
  readonly measured?: boolean;
  /** (optional) A bend of a line, no value of its own: without a dot. */
  readonly bare?: boolean;
}

export interface Figure {
  readonly title: string;
  readonly subtitle: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** (optional) Of the dots, in pixels; absent: 3. */
  readonly radius?: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly FigurePoint[];
  /** (optional) Place in the palette; absent: its place in the list. */
  readonly colour?: number;
  /** (optional) SVG dash pattern; absent: solid. */
  readonly dash?: string;
  /** (optional) Dots without a line between them. */
  readonly loose?: boolean;
}

export interface Axis {
  readonly label: string;
  readonly type?: "linear" | "log2" | "log10";
}

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

export interface Look {
  readonly document: NonNullable<Plot.PlotOptions["document"]>;
  readonly width: number;
  readonly height: number;
  readonly font: string;
  readonly paper: string;
  readonly ink: string;
  /** Colour of the palette's n-th place. */
  readonly colourOf: (place: number) => string;
  /** (optional) A value of x that an upright line marks. */
  readonly cursor?: number;
}

/** A series with its colour and without what cannot be drawn. */
export type Line = Omit<Series, "colour"> & { readonly colour: string };

export function linesOf(figure: Figure, colour: (place: number) => string): readonly Line[] {
  return figure.series.map((line, index) => ({
    ...line,
    colour: colour(line.colour ?? index),
    points: line.points.filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y)),
  }));
}

export function plotFigure(figure: Figure, look: Look): ReturnType<typeof Plot.plot> {
  const series = linesOf(figure, look.colourOf);
  return Plot.plot({
    document: look.document,
    width: look.width,
    height: look.height,
    marginLeft: 64,
    marginBottom: 44,
    marginRight: 28,
    marginTop: 12,
    style: { fontFamily: look.font, fontSize: "11px", color: look.ink, background: look.paper },
    x: scaleOf(figure.x, look.width < 500),
    y: scaleOf(figure.y, false),
    marks: [...logAxes(figure, series), ...cursorMarks(look), ...marksOf(figure, series, look)],
  });
}

function cursorMarks({ cursor, ink }: Look): Plot.Markish[] {
  if (cursor === undefined) return [];
  return [Plot.ruleX([cursor], { stroke: ink, strokeWidth: 1, strokeDasharray: "3 3" })];
}

const isLog = ({ type }: Axis): boolean => type === "log2" || type === "log10";
const baseOf = ({ type }: Axis): 2 | 10 => (type === "log2" ? 2 : 10);

/** `few`: there is no room for the ticks that Plot would choose. */
function scaleOf(axis: Axis, few: boolean): Plot.ScaleOptions {
  return {
    label: axis.label,
    labelAnchor: "center",
    ...(isLog(axis)
      ? { type: "log", base: baseOf(axis), axis: null }
      : { grid: true, zero: true, nice: true, tickFormat: tickText, ...(few ? { ticks: 5 } : {}) }),
  };
}

/** Logarithmic axes with a figure at every tick: Plot leaves out those that are not powers. */
function logAxes(figure: Figure, series: readonly Line[]): Plot.Markish[] {
  const text = (tick: number): string => tickText(tick);
  const marks: Plot.Markish[] = [];
  if (isLog(figure.x)) {
    const ticks = logTicks(extentOf(series, "x"), baseOf(figure.x));
    marks.push(
      Plot.gridX(ticks),
      Plot.axisX(ticks, { text, label: figure.x.label, labelAnchor: "center" }),
    );
  }
  if (isLog(figure.y)) {
    const ticks = logTicks(extentOf(series, "y"), baseOf(figure.y));
    marks.push(
      Plot.gridY(ticks),
      Plot.axisY(ticks, { text, label: figure.y.label, labelAnchor: "center" }),
    );
  }
  return marks;
}

/** Least and most that is drawn along an axis, ends of bands included. */
function extentOf(series: readonly Line[], along: "x" | "y"): readonly [number, number] {
  const values = series
    .flatMap(({ points }) => points)
    .flatMap((point) => [point, point.low ?? point, point.high ?? point].map((end) => end[along]))
    .filter((value) => value > 0 && Number.isFinite(value));
  return values.length === 0 ? [1, 1] : [Math.min(...values), Math.max(...values)];
}

/**
 * Ticks of a logarithmic axis: powers of two, or 1, 2, 5 of each power of ten; where
 * fewer than two of them lie in the range, its ends as they are.
 */
export function logTicks([low, high]: readonly [number, number], base: 2 | 10): number[] {
  const steps = base === 2 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  const near = 1 + 1e-9;
  for (
    let power = Math.floor(Math.log(low) / Math.log(base)) - 1;
    base ** power <= high * near;
    power++
  ) {
    for (const step of steps) {
      const tick = Number((step * base ** power).toPrecision(12));
      if (tick * near >= low && tick <= high * near) ticks.push(tick);
    }
  }
  return ticks.length >= 2 ? ticks : [...new Set([low, high])];
}

function marksOf(figure: Figure, series: readonly Line[], look: Look): Plot.Markish[] {
  const marks: Plot.Markish[] = [];
  for (const { points, colour, loose } of series) {
    marks.push(...bandMarks(points, colour, loose === true));
  }
  const radius = figure.radius ?? 3;
  for (const { points, colour, dash, loose } of series) {
    marks.push(
      ...(loose === true ? [] : [lineMark(points, colour, dash)]),
      ...dotMarks(points, { colour, paper: look.paper, radius }),
    );
  }
  // Above all dots, whosever they are.
  const places = labelPlaces(figure, series, look);
  for (const { points, colour } of series) {
    for (const side of ["start", "end"] as const) {
      const labelled = points.filter((point) => places.get(point) === side);
      const dx = (side === "start" ? 1 : -1) * (radius + 4);
      marks.push(
        labelMark(labelled, { colour, paper: look.paper, dx, side, size: sizeOf(figure) }),
      );
    }
  }
  return marks;
}

function labelMark(
  points: readonly FigurePoint[],
  its: {
    readonly colour: string;
    readonly paper: string;
    readonly dx: number;
    readonly side: "start" | "end";
    readonly size: number;
  },
): Plot.Markish {
  return Plot.text(points, {
    ...{ x: "x", y: "y", text: "label", dx: its.dx, dy: -7, fontSize: its.size },
    ...{ fill: its.colour, textAnchor: its.side, stroke: its.paper, strokeWidth: 3 },
  });
}

/** Of labels, px: figures of few large dots have room for larger ones. */
const sizeOf = ({ radius = 3 }: Figure): number => (radius > 3 ? 11.5 : 9);

function lineMark(
  points: readonly FigurePoint[],
  colour: string,
  dash: string | undefined,
): Plot.Markish {
  return Plot.line(points, {
    x: "x",
    y: "y",
    stroke: colour,
    strokeWidth: 2,
    ...(dash === undefined ? {} : { strokeDasharray: dash }),
    strokeLinejoin: "round",
  });
}

/** Simulated points are full, measured ones hollow. */
function dotMarks(
  points: readonly FigurePoint[],
  { colour, paper, radius }: { colour: string; paper: string; radius: number },
): Plot.Markish[] {
  const at = { x: "x", y: "y", strokeWidth: 1.25 } as const;
  const hollow = points.filter(({ measured }) => measured === true);
  const full = points.filter(({ measured, bare }) => measured !== true && bare !== true);
  return [
    ...(full.length > 0 ? [Plot.dot(full, { ...at, r: radius, fill: colour, stroke: paper })] : []),
    ...(hollow.length > 0
      ? [Plot.dot(hollow, { ...at, r: radius + 0.5, fill: paper, stroke: colour })]
      : []),
  ];
}

/** A place on the page, px: from a left end at a height. */
interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

/**
 * On which side of its point a label is drawn: the right, else the left, where no label
 * drawn before nor, in figures of large dots, another dot is; absent: it is not drawn.
 */
function labelPlaces(
  figure: Figure,
  series: readonly Line[],
  look: Look,
): ReadonlyMap<FigurePoint, "start" | "end"> {
  const across = pixels(figure.x, extentOf(series, "x"), look.width);
  const up = pixels(figure.y, extentOf(series, "y"), look.height);
  const size = sizeOf(figure);
  const radius = figure.radius ?? 3;
  const points = series.flatMap((line) => line.points);
  const dots: readonly (Place & { readonly of: FigurePoint })[] =
    radius > 3
      ? points.map((of) => ({ of, x: across(of.x) - radius, y: up(of.y), width: 2 * radius }))
      : [];
  const drawn: Place[] = [];
  const meet = (a: Place, b: Place): boolean =>
    a.x < b.x + b.width && b.x < a.x + a.width && Math.abs(a.y - b.y) < size + 2;
  const places = new Map<FigurePoint, "start" | "end">();
  for (const point of points) {
    if (point.label === undefined) continue;
    const width = 0.61 * size * point.label.length + 8;
    const y = up(point.y) + 7;
    for (const side of ["start", "end"] as const) {
      const x = across(point.x) + (side === "start" ? radius : -radius - width);
      const place = { x, y, width };
      const taken = drawn.some((other) => meet(place, other));
      if (taken || dots.some((dot) => dot.of !== point && meet(place, dot))) continue;
      drawn.push(place);
      places.set(point, side);
      break;
    }
  }
  return places;
}

/** About where a value lies along an axis; linear ones begin at zero. */
function pixels(
  { type }: Axis,
  [low, high]: readonly [number, number],
  room: number,
): (value: number) => number {
  if (type === undefined || type === "linear") return (value) => (value / high) * room;
  const span = Math.log(high / low) || 1;
  return (value) => (Math.log(value / low) / span) * room;
}

function bandMarks(points: readonly FigurePoint[], colour: string, loose: boolean): Plot.Markish[] {
  const banded = points.flatMap(({ low, high }) =>
    low === undefined || high === undefined
      ? []
      : [{ x1: low.x, y1: low.y, x2: high.x, y2: high.y }],
  );
  const sides = [...banded].sort((a, b) => a.y1 - b.y1 || a.x1 - b.x1);
  const fill = { fill: colour, fillOpacity: 0.13 };
  if (banded.length === 0) return [];
  if (!loose && banded.every((row) => row.y1 === row.y2)) {
    return [Plot.areaX(sides, { x1: "x1", x2: "x2", y: "y1", ...fill })];
  }
  if (!loose && banded.every((row) => row.x1 === row.x2)) {
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
